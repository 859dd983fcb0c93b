"""Turns Debian packages into layers without an installation: fetches and unpacks them over a base.

Rule: apt works in its own directories, with the base's archive. The host may have another release,
its lists may be months old, and the lab leaves its package cache alone.
"""

import io
import subprocess
import tarfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from lab.host import KEYRING, LabError, run
from lab.images import tars

_LEFT_OUT: Final = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/info",
    "usr/share/lintian",
    "usr/share/bash-completion",
    "usr/share/bug",
    "usr/lib/systemd",
    "etc/init.d",
    "etc/default",
    "etc/logrotate.d",
    "usr/include",
)


class Archive:
    """The archive that a base image installs from."""

    def __init__(self, work: Path, *, status: bytes, sources: bytes) -> None:
        """`status` is the base's dpkg database: apt does not fetch what it lists as installed.

        `sources` is the base's sources.list.
        """
        self._work = work
        for part in ("lists/partial", "debs"):
            (work / part).mkdir(parents=True)
        (work / "status").write_bytes(status)
        lines = sources.decode().replace("deb ", f"deb [signed-by={KEYRING}] ")
        (work / "sources.list").write_text(lines, encoding="ascii")
        self._apt("update", within=300)

    def fetch(self, name: str, packages: Sequence[str]) -> list[Path]:
        """Fetch packages, and their dependencies that the base lacks."""
        at = self._work / "debs" / name
        (at / "partial").mkdir(parents=True)
        options = ("--no-install-recommends", "--download-only", "--yes")
        self._apt(f"-oDir::Cache::archives={at}", *options, "install", *packages, within=300)
        return sorted(at.glob("*.deb"))

    def _apt(self, *argv: str, within: float) -> None:
        run(
            "apt-get",
            "-qq",
            f"-oDir::Etc::sourcelist={self._work / 'sources.list'}",
            "-oDir::Etc::sourceparts=-",
            f"-oDir::State::lists={self._work / 'lists'}",
            f"-oDir::State::status={self._work / 'status'}",
            "-oDir::Cache::pkgcache=",
            "-oDir::Cache::srcpkgcache=",
            "-oAPT::Sandbox::User=root",
            "-oDebug::NoLocking=true",
            *argv,
            timeout=within,
        )


def unpack(packages: Sequence[Path], into: tarfile.TarFile, *, written: Iterable[str] = ()) -> None:
    """Write the packages' files into a layer, except those in `written`; runs no scripts."""
    seen = {*tars.MERGED, *written}
    for package in packages:
        done = subprocess.run(
            ["dpkg-deb", "--fsys-tarfile", str(package)],
            check=False,
            capture_output=True,
            timeout=60,
        )
        if done.returncode != 0:
            raise LabError(f"{package.name} cannot be read: {done.stderr.decode()[-500:]}")
        with tarfile.open(fileobj=io.BytesIO(done.stdout)) as source:
            tars.copy(source, into, _placed, seen)


def _placed(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    name = tars.merged(member.name)
    if not name or name == "." or name.startswith(_LEFT_OUT):
        return None
    member.name = name
    if member.islnk():
        member.linkname = tars.merged(member.linkname)
    return member
