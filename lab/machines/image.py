"""Baking what machines boot from: a root file system, and our code as a thin layer above it.

Rule: a layer is made in a directory of its own and renamed when complete, under a name that is
the hash of everything that went in. A name that exists is whole, and what it holds never changes.
"""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab.host import LabError, run
from lab.machines import cgroups, wheels
from lab.places import BUILDING, Places

BAKE: Final = "bake"
"""The cgroup of everything a bake starts, so that `down` ends a bake that was left alone."""
_KEEP: Final = {"rootfs-": 2, "code-": 4}

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Mirror:
    """The archive the host itself installs from."""

    address: str
    suite: str
    components: tuple[str, ...]


def bake(places: Places, repository: Path, *, report: Report) -> list[Path]:
    """The layers of a machine, topmost first; made only if something that goes in has changed."""
    places.cache.mkdir(parents=True, exist_ok=True)
    with alone(places.cache):
        for stale in places.cache.glob(f"{BUILDING}*"):
            run("umount", "--quiet", str(stale / "merged"), check=False)
            shutil.rmtree(stale, ignore_errors=True)
        mirror = host_mirror()
        ground = _digest(
            [repository / "ami/provision.sh", repository / "requirements/image.txt"],
            repository,
            f"{mirror.suite} {wheels.TARGET}",
        )
        rootfs = places.cache / f"rootfs-{ground}"
        if not rootfs.exists():
            report("baking the root file system (once; two minutes)")
            with _building(places, rootfs) as work:
                _bake_rootfs(places, repository, mirror, work)
        parts = [repository / name for name in (*wheels.SOURCES, "ami")]
        parts += [repository / "setup.cfg", repository / "pyproject.toml"]
        code = places.cache / f"code-{_digest(parts, repository, ground)}"
        if not code.exists():
            report("baking our code into the image")
            with _building(places, code) as work:
                _bake_code(places, repository, rootfs, work)
        for layer in (rootfs, code):
            os.utime(layer)
        _prune(places.cache)
    return [code, rootfs]


def host_mirror() -> Mirror:
    """Where the host's own distribution comes from, by its apt configuration.

    Raises:
        LabError: the host has no such archive.
    """
    release = _os_release()
    suite = release.get("VERSION_CODENAME", "")
    asked = "$(REPO_URI)|$(RELEASE)|$(COMPONENT)"
    said = run("apt-get", "indextargets", "--format", asked, "Created-By: Packages").stdout
    found: dict[str, list[str]] = {}
    for line in said.splitlines():
        address, name, component = line.split("|")
        if name == suite and component not in found.setdefault(address, []):
            found[address].append(component)
    # Other vendors reuse the suite's name; the distribution's archive has all its components.
    ours = [address for address, components in found.items() if "main" in components]
    if not ours:
        raise LabError(
            f"apt knows no archive of '{suite}': the lab bakes its machines from the host's own. "
            "Use a Debian 12 host with its archive in /etc/apt/sources.list.d."
        )
    own = next((one for one in ours if release.get("ID", "debian") in one), ours[0])
    return Mirror(own, suite, tuple(found[own]))


def _bake_rootfs(places: Places, repository: Path, mirror: Mirror, work: Path) -> None:
    wheelhouse = work / "wheelhouse"
    packages = run(str(repository / "ami/provision.sh"), "list-packages").stdout.split()
    with ThreadPoolExecutor(1) as pool:
        filled = pool.submit(wheels.download, repository / "requirements/image.txt", wheelhouse)
        run_grouped(
            places,
            "debootstrap",
            "--variant=minbase",
            f"--include={','.join(packages)}",
            f"--components={','.join(mirror.components)}",
            mirror.suite,
            str(work / "layer"),
            mirror.address,
        )
        filled.result()
    _provision(
        places,
        work / "layer",
        ("engine", "packages", "harden", "clean"),
        binds={repository / "ami": "/ami", wheelhouse: "/wheelhouse"},
        settings={
            "SPOTSWARM_WHEELHOUSE": "/wheelhouse",
            "SPOTSWARM_REQUIREMENTS": "/wheelhouse/requirements.txt",
        },
    )
    for bulk in ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info"):
        shutil.rmtree(work / "layer" / bulk, ignore_errors=True)


def _bake_code(places: Places, repository: Path, rootfs: Path, work: Path) -> None:
    wheel = wheels.build(repository, work)
    for name in ("layer", "scratch", "merged"):
        (work / name).mkdir()
    options = f"lowerdir={rootfs},upperdir={work / 'layer'},workdir={work / 'scratch'}"
    run("mount", "-t", "overlay", "spotswarm-lab", "-o", options, str(work / "merged"))
    try:
        _provision(
            places,
            work / "merged",
            ("spotswarm", f"/wheel/{wheel.name}", "clean"),
            binds={repository / "ami": "/ami", work: "/wheel"},
            settings={},
        )
    finally:
        run("umount", str(work / "merged"))


def _provision(
    places: Places,
    root: Path,
    stages: Iterable[str],
    *,
    binds: dict[Path, str],
    settings: dict[str, str],
) -> None:
    """Run the image recipe in a namespace of its own: no mount is left behind, come what may."""
    run_grouped(
        places,
        "systemd-nspawn",
        "--quiet",
        "--register=no",
        "--keep-unit",
        "--as-pid2",
        f"--directory={root}",
        *(f"--bind-ro={source}:{at}" for source, at in binds.items()),
        *(f"--setenv={name}={value}" for name, value in settings.items()),
        "/ami/provision.sh",
        *stages,
    )


def run_grouped(places: Places, *argv: str) -> None:
    """Run one program of a bake; `down` finds it, whatever becomes of us."""
    groups = cgroups.create(places.cgroup, BAKE)
    try:
        # Our wish for no bytecode must not reach what runs in the image.
        env = {name: value for name, value in os.environ.items() if name[:6] != "PYTHON"}
        run(*cgroups.starting_in(groups, argv), timeout=1800, env=env)
    finally:
        cgroups.remove(groups)


@contextmanager
def _building(places: Places, target: Path) -> Iterator[Path]:
    work = Path(tempfile.mkdtemp(prefix=places.building_prefix, dir=target.parent))
    try:
        yield work
        # mkdtemp's directory is private; a root directory that is breaks every service user.
        (work / "layer").chmod(0o755)
        (work / "layer").rename(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)


@contextmanager
def alone(cache: Path) -> Iterator[None]:
    """Hold the cache for this process; the kernel lets go of it when the process ends."""
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _digest(parts: Iterable[Path], repository: Path, *also: str) -> str:
    total = hashlib.sha256("\0".join(also).encode())
    for part in parts:
        files = sorted(part.rglob("*")) if part.is_dir() else [part]
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts:
                total.update(f"{file.relative_to(repository)}\0{file.stat().st_mode}\0".encode())
                total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()[:16]


def _prune(cache: Path) -> None:
    for prefix, keep in _KEEP.items():
        aged = sorted(cache.glob(f"{prefix}*"), key=lambda at: at.stat().st_mtime, reverse=True)
        for old in aged[keep:]:
            shutil.rmtree(old, ignore_errors=True)


def _os_release() -> dict[str, str]:
    lines = Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    return {name: value.strip('"') for name, _, value in (line.partition("=") for line in lines)}
