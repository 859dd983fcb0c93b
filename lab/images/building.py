"""Our own images, built for real by an engine of the lab and pushed to the cluster's registry.

Rule: it is what an operator would type: `docker build --target`, `docker login`, `docker push`.
All the lab adds is a head start: the stages that install packages are kept from one lab to the
next as images, and given to the builder by `--cache-from`. The builder decides whether they fit.
Who asks for `reuse` gets whole images from `lab.images.kept`.
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
from lab.images import bases, kept, registry, stages
from lab.images.engine import Engine
from lab.images.kept import PARALLEL
from lab.images.store import Store
from lab.load.ingress import reachable_manager

CLUSTER_REGISTRY: Final = "localhost:5000"
"""The registry that the stack `edge` has on every node."""
_DOCKERFILE: Final = "services/Dockerfile.prod"
_CONTEXT: Final = (
    ".dockerignore",
    "requirements",
    "runtime",
    "services",
    "setup.cfg",
    "tests/unit/conftest.py",
    "tests/unit/services",
)
_KEPT: Final = ("packages", "assets", "test-packages")
"""Stages that ask registries, and take long."""
_STAGE: Final = "stage-"
"""What a stage is called on the engine that built it, followed by its name."""
_LAST: Final = "last"
_LEFT_OUT: Final = frozenset({"__pycache__", "node_modules"})

Report = Callable[[str], None]


def _quiet(_said: str) -> None:
    """Nobody wants to hear it."""


@dataclass(frozen=True, slots=True)
class Built:
    """Images on one machine's engine, which a push brings to the others."""

    instance: str
    version: str
    images: Mapping[str, str]
    """By service, with `-test` for a test build: what a stack names."""


def engine(lab: Lab, instance: str) -> Engine:
    """The engine of a machine that runs."""
    return Engine(lab.machine(instance).docker_host, lab.places.lab / "docker-client")


def services() -> list[str]:
    """The services there are images of, by the Dockerfile."""
    return re.findall(r"^FROM base AS (\w+)$", _dockerfile(), re.MULTILINE)


def snapshot(into: Path) -> Path:
    """Copy all that images are made of, as it is now: a build must not see half of a change."""
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
    """Our version and what the images are made of, as a tag that never means two things."""
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
    """Build images of services, of all by default, on the engine of a manager.

    With `tests` the test builds too. With `reuse` images that an earlier lab has built of the same
    files and the same bases are taken as they are.

    Raises:
        LabError: what the builder said.
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
    key = kept.key(store, tag, Path(__file__), Path(stages.__file__))
    shelf = kept.Kept(on, store, lab.places.registry, key)
    if reuse and shelf.has(images):
        report("getting the images that an earlier lab has built")
        shelf.get(images)
        return Built(instance, tag, images)
    known = _head_start(on, store, lab.places.registry)
    # With sources named, the builder looks at nothing else that it has: so every stage is named to
    # the next.
    listed = on.run("images", "--quiet", "--no-trunc", f"--filter=reference={_STAGE}*")
    work = _Work(on, context, required, images, tag, report, listed.split())
    # What others stand on one after another, then the services, then what is made of those.
    for stage in required:
        if stage.name not in images:
            image = work.build(stage)
            if stage.name in _KEPT and image != known.get(stage.name):
                name = f"stage-{stage.name}"
                on.save([image], functools.partial(store.adopt, name, _LAST))
    with ThreadPoolExecutor(PARALLEL) as pool:
        for group in (names, sorted(targets - set(names))):
            list(pool.map(work.build, (stage for stage in required if stage.name in group)))
    if reuse:
        report("keeping the images for other labs")
        shelf.put(images)
    return Built(instance, tag, images)


@dataclass
class _Work:
    """The builds of one call."""

    on: Engine
    context: Path
    required: Sequence[stages.Stage]
    images: Mapping[str, str]
    tag: str
    report: Report
    sources: list[str]
    """Images that the builder may take layers from: those it had, and those of earlier builds."""

    def build(self, stage: stages.Stage) -> str:
        """Build a stage; returns the image's id."""
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
    """Bring images to the cluster's registry, from where every node pulls them.

    Raises:
        LabError: the registry refused, or does not answer.
    """
    on = engine(lab, built.instance)
    if user:
        argv = ("login", "--username", user, "--password-stdin", CLUSTER_REGISTRY)
        on.run(*argv, stdin=password)
    first, *others = built.images.values()
    report(f"pushing {first} and what the others share with it")
    on.run("push", "--quiet", first, timeout=600)
    report(f"pushing {len(others)} more")
    with ThreadPoolExecutor(PARALLEL) as pool:
        list(pool.map(lambda image: on.run("push", "--quiet", image, timeout=600), others))


def _head_start(on: Engine, store: Store, registry_address: str) -> dict[str, str]:
    """Get what an earlier lab has kept of the long stages; their ids."""
    configs = {stage: store.config_of(f"stage-{stage}", _LAST) for stage in _KEPT}
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
