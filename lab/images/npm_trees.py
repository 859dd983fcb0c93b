"""Adds npm packages to images: npm itself, and the substitute for CouchDB.

Rule: never copy a user's npm settings to an image, because they may include passwords. The only npm
settings in an image are the address of the npm registry and the path of the CA certificates.
"""

import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab.cluster import REPOSITORY
from lab.host import run
from lab.images import tars
from lab.images.ground import BUNDLE

_NPM: Final = "npm@10.9.9"
"""The newest major version that runs on Debian's Node."""


@dataclass(frozen=True, slots=True)
class Tree:
    """The functions that fetch a set of files from npm and add them to an image."""

    fetch: Callable[[Path], Path]
    """Fetches the files, using an empty work directory; returns their path."""
    place: Callable[[Path, tarfile.TarFile], None]
    """Writes the fetched files to a layer."""


def _fetch_npm(at: Path) -> Path:
    at.mkdir(parents=True, exist_ok=True)
    # With this prefix, npm does not read a project's .npmrc.
    run("npm", "pack", "--silent", f"--pack-destination={at}", "--prefix", str(at), _NPM)
    return next(at.glob("npm-*.tgz"))


def _place_npm(source: Path, into: tarfile.TarFile) -> None:
    top = "usr/lib/node_modules/npm"

    def keep(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        rest = member.name.removeprefix("package/")
        if rest.startswith(("docs/", "man/")):
            return None
        member.name = f"{top}/{rest}"
        return tars.rooted(member)

    with tarfile.open(source) as tar:
        tars.copy(tar, into, keep)
    tars.link(into, "usr/bin/npm", "../lib/node_modules/npm/bin/npm-cli.js")
    npmrc = {"cafile": f"/{BUNDLE}", "registry": run("npm", "config", "get", "registry").stdout}
    settings = "".join(f"{key}={value.strip()}\n" for key, value in npmrc.items())
    tars.text(into, {"usr/etc/npmrc": settings})


def _install_couchdb(_at: Path) -> Path:
    run(str(REPOSITORY / "lab/install-npm.sh"), timeout=600)
    return (REPOSITORY / "lab/couchdb/node_modules").resolve()


def _place_couchdb(source: Path, into: tarfile.TarFile) -> None:
    into.add(source, "opt/couchdb/lib/node_modules", filter=_without_other_systems)


def _without_other_systems(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Leave out native binaries for systems other than Linux; they take up most of the space."""
    _, is_prebuilt, system = member.name.partition("/prebuilds/")
    if is_prebuilt and not system.startswith("linux"):
        return None
    return tars.rooted(member)


TREES: Final[Mapping[str, Tree]] = {
    "npm": Tree(_fetch_npm, _place_npm),
    "couchdb": Tree(_install_couchdb, _place_couchdb),
}
