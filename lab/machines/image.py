"""Bakes the layers that machines boot from, such as a root file system and Spotswarm's code.

Rule: a layer is built in a temporary directory, and gets its final name when it is complete. The
final name contains a hash of all the layer's inputs. A layer with a final name never changes.
"""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from lab import archive
from lab.engines import FROM_NEWER, Engine
from lab.host import KEYRING, run
from lab.machines import cgroups, wheels
from lab.places import BUILDING, Places

BAKE: Final = "bake"
"""The cgroup for all processes of a bake, so that `down` can end an abandoned bake."""
_KEEP: Final = {"rootfs-": 4, "engine-": 2, "code-": 8}
_UPGRADE: Final = """\
newer=$1; shift
apt-get --quiet update
archive=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | head -n 1)
echo "deb $archive $newer main" >/etc/apt/sources.list.d/newer.list
apt-get --quiet update
apt-get --quiet --yes --no-install-recommends --target-release "$newer" install "$@"
rm /etc/apt/sources.list.d/newer.list
"""

Report = Callable[[str], None]


def bake(places: Places, repository: Path, engine: Engine, *, report: Report) -> list[Path]:
    """Bake the layers whose inputs have changed; return all image layers, topmost first."""
    places.cache.mkdir(parents=True, exist_ok=True)
    with alone(places.cache):
        for stale in places.cache.glob(f"{BUILDING}*"):
            run("umount", "--quiet", str(stale / "merged"), check=False)
            shutil.rmtree(stale, ignore_errors=True)
        ground = _digest(
            [repository / "ami/provision.sh", repository / "requirements/image.txt"],
            repository,
            " ".join((engine.suite, engine.python, *engine.packages)),
        )
        rootfs = places.cache / f"rootfs-{ground}"
        if not rootfs.exists():
            report(f"baking the Debian {engine.suite} root file system (only once; two minutes)")
            with _building(places, rootfs) as work:
                _bake_rootfs(places, repository, engine, work)
        layers = [rootfs]
        if engine.newer_suite:
            recipe = _digest([], repository, ground, engine.newer_suite, *FROM_NEWER, _UPGRADE)
            newer = places.cache / f"engine-{recipe}"
            if not newer.exists():
                report(f"adding the engine of Debian {engine.newer_suite} (only once; 20 seconds)")
                with _building(places, newer) as work:
                    _bake_newer_engine(places, repository, engine, rootfs, work)
            layers.insert(0, newer)
        parts = [repository / name for name in (*wheels.SOURCES, "ami")]
        parts += [repository / "setup.cfg", repository / "pyproject.toml"]
        code = places.cache / f"code-{_digest(parts, repository, ground)}"
        if not code.exists():
            report("baking our code into the image")
            with _building(places, code) as work:
                _bake_code(places, repository, rootfs, work)
        layers.insert(0, code)
        for layer in layers:
            os.utime(layer)
        _prune(places.cache)
    return layers


def _bake_rootfs(places: Places, repository: Path, engine: Engine, work: Path) -> None:
    wheelhouse = work / "wheelhouse"
    packages = run(str(repository / "ami/provision.sh"), "list-packages").stdout.split()
    with ThreadPoolExecutor(1) as pool:
        locked = repository / "requirements/image.txt"
        filled = pool.submit(wheels.download, locked, wheelhouse, python=engine.python)
        debootstrap(places, work / "layer", engine.suite, (*packages, *engine.packages))
        filled.result()
    _provision(
        places,
        work / "layer",
        "/ami/provision.sh",
        *("engine", "packages", "harden", "clean"),
        binds={repository / "ami": "/ami", wheelhouse: "/wheelhouse"},
        settings={
            "SPOTSWARM_WHEELHOUSE": "/wheelhouse",
            "SPOTSWARM_REQUIREMENTS": "/wheelhouse/requirements.txt",
        },
    )
    for bulk in ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info"):
        shutil.rmtree(work / "layer" / bulk, ignore_errors=True)


def debootstrap(places: Places, root: Path, suite: str, packages: Iterable[str]) -> None:
    """Create a root file system from Debian packages.

    Raises:
        ArchiveError: if debootstrap fails; the message includes its error output.
    """
    with archive.delivering("a root file system", suite):
        run_grouped(
            places,
            "debootstrap",
            "--variant=minbase",
            f"--keyring={KEYRING}",
            f"--include={','.join(packages)}",
            f"--components={archive.COMPONENT}",
            suite,
            str(root),
            *filter(None, (archive.mirror(),)),
        )


def _bake_newer_engine(
    places: Places, repository: Path, engine: Engine, rootfs: Path, work: Path
) -> None:
    settings = archive.apt_settings()
    with _above(rootfs, work) as root:
        with archive.delivering(f"the engine ({', '.join(FROM_NEWER)})", engine.newer_suite):
            _provision(
                places,
                root,
                *("sh", "-ec", _UPGRADE, "sh", engine.newer_suite, *FROM_NEWER),
                binds={path: str(path) for path in settings},
                settings={"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"},
            )
        for path in settings:
            (root / path.relative_to("/")).unlink()
        _provision(
            places,
            root,
            "/ami/provision.sh",
            "clean",
            binds={repository / "ami": "/ami"},
            settings={},
        )


def _bake_code(places: Places, repository: Path, rootfs: Path, work: Path) -> None:
    wheel = wheels.build(repository, work)
    with _above(rootfs, work) as root:
        _provision(
            places,
            root,
            "/ami/provision.sh",
            *("spotswarm", f"/wheel/{wheel.name}", "clean"),
            binds={repository / "ami": "/ami", work: "/wheel"},
            settings={},
        )


@contextmanager
def _above(rootfs: Path, work: Path) -> Iterator[Path]:
    """Mount an overlay on `rootfs`, so that changes go to a new layer; yield the mount point."""
    for name in ("layer", "scratch", "merged"):
        (work / name).mkdir()
    options = f"lowerdir={rootfs},upperdir={work / 'layer'},workdir={work / 'scratch'}"
    run("mount", "-t", "overlay", "spotswarm-lab", "-o", options, str(work / "merged"))
    try:
        yield work / "merged"
    finally:
        run("umount", str(work / "merged"))


def _provision(
    places: Places,
    root: Path,
    *command: str,
    binds: Mapping[Path, str],
    settings: Mapping[str, str],
) -> None:
    """Run a bake command in a container, so that the command leaves no mounts behind."""
    run_grouped(
        places,
        "systemd-nspawn",
        "--quiet",
        "--register=no",
        "--keep-unit",
        "--as-pid2",
        # Keep stderr separate, because `run` shows it if the step fails.
        "--pipe",
        f"--directory={root}",
        *(f"--bind-ro={source}:{at}" for source, at in binds.items()),
        *(f"--setenv={name}={value}" for name, value in settings.items()),
        *command,
    )


def run_grouped(places: Places, *argv: str) -> None:
    """Run a program in the bake cgroup, so that `down` can find it even after a crash."""
    groups = cgroups.create(places.cgroup, BAKE)
    try:
        # Our own PYTHON variables must not apply to programs in the image.
        env = {name: value for name, value in os.environ.items() if name[:6] != "PYTHON"}
        run(*cgroups.starting_in(groups, argv), timeout=1800, env=env)
    finally:
        cgroups.remove(groups)


@contextmanager
def _building(places: Places, target: Path) -> Iterator[Path]:
    work = Path(tempfile.mkdtemp(prefix=places.building_prefix, dir=target.parent))
    try:
        yield work
        # mkdtemp creates a private directory, but service users need to read their root directory.
        (work / "layer").chmod(0o755)
        (work / "layer").rename(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)


@contextmanager
def alone(cache: Path) -> Iterator[None]:
    """Lock the cache during a `with` block; if this process dies, the kernel releases the lock."""
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
    # Keep mounted layers, because other labs may run machines with older code.
    mounted = Path("/proc/self/mountinfo").read_text(encoding="utf-8")
    for prefix, keep in _KEEP.items():
        aged = sorted(cache.glob(f"{prefix}*"), key=lambda at: at.stat().st_mtime, reverse=True)
        for old in aged[keep:]:
            if str(old) not in mounted:
                shutil.rmtree(old, ignore_errors=True)
