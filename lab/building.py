"""Our own images, built for real by an engine of the lab and pushed to the cluster's registry.

Rule: it is what an operator would type: `docker build --target`, `docker login`, `docker push`.
All the lab adds is a head start: the stages that install packages are kept from one lab to the
next as images, and given to the builder by `--cache-from`. The builder decides whether they fit.
"""

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from lab import bases, registry
from lab.client import Lab
from lab.cluster import REPOSITORY
from lab.host import LabError, run
from lab.image_store import Store
from lab.ingress import reachable_manager
from lab.places import REGISTRY

CLUSTER_REGISTRY: Final = "localhost:5000"
"""The registry that the stack `edge` has on every node."""
_DOCKERFILE: Final = "services/Dockerfile.prod"
_CONTEXT: Final = ("requirements", "runtime", "services", "tests/unit/services", ".dockerignore")
_STAGES: Final = ("packages", "assets")
_TEST_STAGES: Final = (*_STAGES, "test-packages")
"""In the order of the file: building the last builds them all."""
_LAST: Final = "last"
_PARALLEL: Final = 3

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


class Engine:
    """A machine's engine as `docker` on this host sees it; logs in for itself alone."""

    def __init__(self, host: str, config: Path) -> None:
        found = shutil.which("docker")
        if found is None:
            raise LabError("building images needs the docker command: apt-get install docker.io")
        self._docker = found
        config.mkdir(mode=0o700, exist_ok=True)
        self._env = {
            "PATH": os.environ["PATH"],
            "HOME": str(config),
            "DOCKER_CONFIG": str(config),
            "DOCKER_HOST": host,
            # The builder that every engine has; newer clients lack the other one's half.
            "DOCKER_BUILDKIT": "0",
        }

    def run(self, *argv: str, timeout: float = 60, stdin: str | None = None) -> str:
        """Output of one docker command.

        Raises:
            LabError: it failed, with what it said.
        """
        return run(self._docker, *argv, timeout=timeout, stdin=stdin, env=self._env).stdout

    def build(self, *options: str, dockerfile: str = _DOCKERFILE, timeout: float = 900) -> str:
        """Build from this repository; returns the image's id."""
        argv = ("build", "--quiet", "--file", str(REPOSITORY / dockerfile), *options)
        return self.run(*argv, str(REPOSITORY), timeout=timeout).strip()

    def save(self, image: str, store: Store, name: str) -> None:
        """Keep an image in the lab's store."""
        argv = [self._docker, "save", image]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, env=self._env) as saving:
            assert saving.stdout is not None
            store.adopt(name, _LAST, saving.stdout)


def engine(lab: Lab, instance: str) -> Engine:
    """The engine of a machine that runs."""
    return Engine(lab.machine(instance).docker_host, lab.places.lab / "docker-client")


def services() -> list[str]:
    """The services there are images of, by the Dockerfile."""
    text = (REPOSITORY / _DOCKERFILE).read_text(encoding="utf-8")
    return re.findall(r"^FROM base AS (\w+)$", text, re.MULTILINE)


def version() -> str:
    """Our version and what the images would be made of, as a tag that never means two things."""
    total = hashlib.sha256()
    for file in sorted(_files(_CONTEXT)):
        total.update(f"{file.relative_to(REPOSITORY)}\0".encode())
        total.update(hashlib.sha256(file.read_bytes()).digest())
    return f"{metadata.version('spotswarm')}-{total.hexdigest()[:12]}"


def build(
    lab: Lab,
    wanted: Sequence[str] = (),
    *,
    tests: bool = False,
    tag: str | None = None,
    report: Report = _quiet,
) -> Built:
    """Build images of services, of all by default, on the engine of a manager.

    With `tests` the test builds too.

    Raises:
        LabError: what the builder said.
    """
    names = list(wanted) or services()
    if unknown := set(names) - set(services()):
        raise LabError(f"{_DOCKERFILE} has no stage for {', '.join(sorted(unknown))}")
    bases.provide(lab.places, report=report)
    registry.start(lab.places)
    instance = reachable_manager(lab).instance
    on = engine(lab, instance)
    report("building the stages that all services share")
    _build_shared(on, Store(lab.places), _TEST_STAGES if tests else _STAGES)
    tag = tag or version()
    images = {}
    for stage in [*names, *(f"{name}-test" for name in names if tests)]:
        report(f"building {stage}")
        images[stage] = f"{CLUSTER_REGISTRY}/spotswarm/{stage}:{tag}"
        label = f"org.opencontainers.image.version={tag}"
        on.build("--target", stage, "--tag", images[stage], "--label", label)
    return Built(instance, tag, images)


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
    with ThreadPoolExecutor(_PARALLEL) as pool:
        list(pool.map(lambda image: on.run("push", "--quiet", image, timeout=600), others))


def _build_shared(on: Engine, store: Store, stages: Sequence[str]) -> None:
    known = {}
    for stage in stages:
        kept = store.config_of(f"stage-{stage}", _LAST)
        if kept is not None:
            on.run("pull", "--quiet", f"{REGISTRY}/stage-{stage}:{_LAST}", timeout=300)
            known[stage] = kept
    # All at once: with sources named, the builder looks at nothing else that it has already.
    sources = [f"--cache-from={REGISTRY}/stage-{stage}:{_LAST}" for stage in known]
    on.build("--target", stages[-1], *sources)
    for stage in stages:
        made = on.build("--target", stage)
        if made != known.get(stage):
            on.save(made, store, f"stage-{stage}")


def _files(parts: Iterable[str]) -> Iterable[Path]:
    for part in parts:
        at = REPOSITORY / part
        for file in at.rglob("*") if at.is_dir() else [at]:
            if file.is_file() and not {"__pycache__", "node_modules"} & set(file.parts):
                yield file
