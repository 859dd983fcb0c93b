"""Downloads Debian packages, and unpacks them into layers on top of a base image.

Rule: run apt with the base image's package sources and in separate directories; do not use the
host's package sources or directories. The host may run a different Debian release or have outdated
package lists, and its package cache must not change.
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
    """The Debian archive that supplies the packages added to a base image."""

    def __init__(self, work: Path, *, status: bytes, sources: bytes) -> None:
        """Prepare the directories for apt, and download the package lists.

        `status` is the base image's dpkg database; apt does not download packages that this
        database lists as installed. `sources` is the text of the base image's sources.list.
        """
        self._work = work
        for part in ("lists/partial", "debs"):
            (work / part).mkdir(parents=True)
        (work / "status").write_bytes(status)
        lines = sources.decode().replace("deb ", f"deb [signed-by={KEYRING}] ")
        (work / "sources.list").write_text(lines, encoding="ascii")
        self._apt("update", within=300)

    def fetch(self, name: str, packages: Sequence[str]) -> list[Path]:
        """Download packages and their missing dependencies; return the .deb files."""
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
    """Unpack packages into a layer without running their scripts; skip the files in `written`."""
    seen = {*tars.MERGED, *written}
    for package in packages:
        done = subprocess.run(
            ["dpkg-deb", "--fsys-tarfile", str(package)],
            check=False,
            capture_output=True,
            timeout=60,
        )
        if done.returncode != 0:
            raise LabError(f"could not read {package.name}: {done.stderr.decode()[-500:]}")
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
