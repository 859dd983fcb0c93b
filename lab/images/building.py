"""Builds our services' images on one of the lab's engines and pushes them to the registry.

Rule: run the commands that an operator would type: `docker build --target`, `docker login` and
`docker push`. To speed up later builds, the lab saves an image of each stage that downloads
packages. Later labs pass these images to the builder with `--cache-from`. If `reuse` is true,
`build` first looks for finished images in `lab.images.prebuilt`.
"""

import functools
import hashlib
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from lab.client import Lab
from lab.cluster import REPOSITORY
from lab.host import LabError
from lab.images import bases, prebuilt, registry, stages
from lab.images.engine import Engine
from lab.images.prebuilt import PARALLEL
from lab.images.store import Store
from lab.load.ingress import reachable_manager

CLUSTER_REGISTRY: Final = "localhost:5000"
"""The address at which every node reaches the registry in the `edge` stack."""
_DOCKERFILE: Final = "services/Dockerfile.prod"
_CONTEXT: Final = (
    ".dockerignore",
    "requirements",
    "runtime",
    "services",
    "setup.cfg",
    "tests/running/linear.py",
    "tests/running/randomness.py",
    "tests/unit/conftest.py",
    "tests/unit/services",
)
_SAVED_STAGES: Final = ("packages", "assets", "test-packages")
"""Slow stages, which download from package registries."""
_STAGE: Final = "stage-"
"""Prefix of the name of a stage's image on the engine; followed by the stage's name."""
_LAST: Final = "last"
_LEFT_OUT: Final = frozenset({"__pycache__", "node_modules"})

Report = Callable[[str], None]


def _quiet(_step: str) -> None:
    """Discard a progress message."""


@dataclass(frozen=True, slots=True)
class Built:
    """Images on one machine's engine, ready to be pushed."""

    instance: str
    version: str
    images: Mapping[str, str]
    """Service name (with `-test` for a test build) → the image's name in a stack."""


def engine(lab: Lab, instance: str) -> Engine:
    """Return the engine of a running machine."""
    return Engine(lab.machine(instance).docker_host, lab.places.lab / "docker-client")


def services() -> list[str]:
    """Return the names of the services whose images the Dockerfile can build."""
    return re.findall(r"^FROM base AS (\w+)$", _dockerfile(), re.MULTILINE)


def snapshot(into: Path) -> Path:
    """Copy the source files to `into`, so that later edits do not affect a build; return `into`."""
    shutil.rmtree(into, ignore_errors=True)
    for part in _CONTEXT:
        at = REPOSITORY / part
        for file in sorted(at.rglob("*")) if at.is_dir() else [at]:
            if file.is_file() and _LEFT_OUT.isdisjoint(file.parts):
                to = into / file.relative_to(REPOSITORY)
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(file, to)
    return into


def version(context: Path) -> str:
    """Return an image tag: Spotswarm's version and a hash of the source files in `context`."""
    total = hashlib.sha256()
    for file in sorted(path for path in context.rglob("*") if path.is_file()):
        total.update(f"{file.relative_to(context)}\0{file.stat().st_mode}\0".encode())
        total.update(hashlib.sha256(file.read_bytes()).digest())
    return f"{metadata.version('spotswarm')}-{total.hexdigest()[:12]}"


def build(
    lab: Lab,
    chosen: Sequence[str] = (),
    *,
    tests: bool = False,
    tag: str | None = None,
    reuse: bool = False,
    report: Report = _quiet,
) -> Built:
    """Build images for the chosen services (by default, all services) on a manager's engine.

    If `tests` is true, also build the test images. If `reuse` is true, use images that an earlier
    lab built from the same source files and base images. If there are none, build new images and
    save them for later labs.

    Raises:
        LabError: if the build fails; the message includes the builder's output.
    """
    names = list(chosen) or services()
    if unknown := set(names) - set(services()):
        raise LabError(f"{_DOCKERFILE} has no stage for {', '.join(sorted(unknown))}")
    bases.provide(lab.places, report=report)
    registry.start(lab.places)
    instance = reachable_manager(lab).instance
    context = snapshot(lab.places.lab / "context")
    tag = tag or version(context)
    targets = {*names, *(f"{name}-test" for name in names if tests)}
    required = stages.needed(stages.parse(_dockerfile()), targets)
    images = {
        stage.name: f"{CLUSTER_REGISTRY}/spotswarm/{stage.name}:{tag}"
        for stage in required
        if stage.name in targets
    }
    on, store = engine(lab, instance), Store(lab.places)
    key = prebuilt.key(store, tag, Path(__file__), Path(stages.__file__))
    earlier = prebuilt.Prebuilt(on, store, lab.places.registry, key)
    if reuse and earlier.has(images):
        report("reusing the images that an earlier lab built")
        earlier.get(images)
        return Built(instance, tag, images)
    known = _head_start(on, store, lab.places.registry)
    # With --cache-from, the builder reuses only the listed images, so every build lists all
    # earlier stages.
    listed = on.run("images", "--quiet", "--no-trunc", f"--filter=reference={_STAGE}*")
    work = _Work(on, context, required, images, tag, report, listed.split())
    # Build the shared stages one after another, then the services, then the test images.
    for stage in required:
        if stage.name not in images:
            image = work.build(stage)
            if stage.name in _SAVED_STAGES and image != known.get(stage.name):
                name = f"stage-{stage.name}"
                on.save([image], functools.partial(store.adopt, name, _LAST))
    with ThreadPoolExecutor(PARALLEL) as pool:
        for group in (names, sorted(targets - set(names))):
            list(pool.map(work.build, (stage for stage in required if stage.name in group)))
    if reuse:
        report("saving the images for later labs")
        earlier.put(images)
    return Built(instance, tag, images)


@dataclass
class _Work:
    """The state shared by all builds in one call to `build`."""

    on: Engine
    context: Path
    required: Sequence[stages.Stage]
    images: Mapping[str, str]
    tag: str
    report: Report
    sources: list[str]
    """Images whose layers the builder may reuse, including those built in this call."""

    def build(self, stage: stages.Stage) -> str:
        """Build the image for a stage; return the image's id."""
        self.report(f"building {stage.name}")
        options = [f"--cache-from={source}" for source in tuple(self.sources)]
        options += ["--tag", f"{_STAGE}{stage.name}:{_LAST}", "--target", stage.name]
        if stage.name in self.images:
            label = f"org.opencontainers.image.version={self.tag}"
            options += ["--tag", self.images[stage.name], "--label", label]
        dockerfile = self.context.with_name(f"{self.context.name}-{stage.name}.Dockerfile")
        dockerfile.write_text(stages.pruned(self.required, stage.name), encoding="utf-8")
        image = self.on.build(self.context, dockerfile, *options)
        self.sources.append(image)
        return image


def push(
    lab: Lab, built: Built, *, user: str = "", password: str = "", report: Report = _quiet
) -> None:
    """Push images to the cluster's registry, so that every node can pull them.

    Raises:
        LabError: if the registry rejects the images or does not respond.
    """
    on = engine(lab, built.instance)
    if user:
        argv = ("login", "--username", user, "--password-stdin", CLUSTER_REGISTRY)
        on.run(*argv, stdin=password)
    first, *others = built.images.values()
    report(f"pushing {first} and the shared layers")
    on.run("push", "--quiet", first, timeout=600)
    report(f"pushing {len(others)} more images")
    with ThreadPoolExecutor(PARALLEL) as pool:
        list(pool.map(lambda image: on.run("push", "--quiet", image, timeout=600), others))


def _head_start(on: Engine, store: Store, registry_address: str) -> dict[str, str]:
    """Pull any stage images that an earlier lab saved; return each stage's image id."""
    configs = {stage: store.config_of(f"stage-{stage}", _LAST) for stage in _SAVED_STAGES}
    known = {stage: config for stage, config in configs.items() if config is not None}

    def get(stage: str) -> None:
        kept_image = f"{registry_address}/stage-{stage}:{_LAST}"
        on.run("pull", "--quiet", kept_image, timeout=300)
        on.run("tag", kept_image, f"{_STAGE}{stage}:{_LAST}")

    with ThreadPoolExecutor(PARALLEL) as pool:
        list(pool.map(get, known))
    return known


def _dockerfile() -> str:
    return (REPOSITORY / _DOCKERFILE).read_text(encoding="utf-8")
