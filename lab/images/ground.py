"""Builds the base image `python:3.11-slim`, which contains Debian and Python.

Rule: this image and all images based on it must stay on this host, because they contain the host's
settings for package registries. These settings must never be committed to the repository.
"""

import hashlib
import shutil
import tarfile
from pathlib import Path
from typing import Final

from lab import archive
from lab.images import application as images
from lab.images import tars
from lab.images.store import Store
from lab.machines import image
from lab.places import Places

BUNDLE: Final = "etc/ssl/certs/ca-certificates.crt"
NAME: Final = "python:3.11-slim"
PATH: Final = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SUITE: Final = "bookworm"
"""The Debian release that has Python 3.11; it does not depend on the host's release."""
_PACKAGES: Final = ("python3", "python3-pip", "ca-certificates")
_DPKG: Final = "force-unsafe-io\n" + "".join(
    f"path-exclude /usr/share/{name}/*\n" for name in ("doc", "man", "locale", "info")
)


def key() -> str:
    """Return the image layer's key, which contains a hash of the layer's inputs."""
    files = [Path(__file__), *_host_files()]
    contents = [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]
    return images.key("ground", archive.mirror(), *contents)


def make(places: Places, store: Store, named: str, work: Path) -> str:
    """Build the image's layer, which takes about half a minute; return the layer's digest."""
    root = work / "ground"
    _bootstrap(places, root)

    def fill(into: tarfile.TarFile) -> None:
        for member in sorted(root.iterdir()):
            into.add(member, member.name)

    return store.layer(named, tars.writing(fill))


def tag(store: Store, layer: str) -> str:
    """Create the image `python:3.11-slim` from its layer; return its name in the lab's registry."""
    environment = [
        PATH,
        "LANG=C.UTF-8",
        # By default, pip in a virtual environment uses its own certificates.
        f"PIP_CERT=/{BUNDLE}",
        "PIP_ROOT_USER_ACTION=ignore",
    ]
    config = {"Env": environment, "Cmd": ["python3"]}
    name, _, version = NAME.partition(":")
    return store.tag(name, version, layers=[layer], config=config)


def _bootstrap(places: Places, root: Path) -> None:
    (root / "etc/dpkg/dpkg.cfg.d").mkdir(parents=True)
    # This file system does not need to survive power cuts, and needs no manuals.
    (root / "etc/dpkg/dpkg.cfg.d/lab").write_text(_DPKG, encoding="ascii")
    image.debootstrap(places, root, SUITE, _PACKAGES)
    for bulk in ("var/cache/apt", "var/lib/apt/lists", "var/log", "dev", "proc", "sys", "run"):
        shutil.rmtree(root / bulk, ignore_errors=True)
        (root / bulk).mkdir()
    for old in (root / "var/lib/dpkg").glob("*-old"):
        old.unlink()
    # Let pip install packages, as in the official image, whose Python is not Debian's.
    for mark in root.glob("usr/lib/python3*/EXTERNALLY-MANAGED"):
        mark.unlink()
    (root / "usr/bin/python").symlink_to("python3")
    for source in _host_files():
        (root / source.relative_to("/")).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, root / source.relative_to("/"))


def _host_files() -> list[Path]:
    """Return the system-wide files on this host that configure access to package registries."""
    files = [Path("/") / BUNDLE, Path("/etc/pip.conf")]
    files += archive.apt_settings()
    return [path for path in files if path.exists()]
