"""Writes image layers as tar files, one entry at a time, without temporary files.

Rule: a layer must not contain a directory where the layer below has a link. In every image that the
lab builds, `/bin`, `/lib` and similar paths are links to directories in `/usr`. Entry names
therefore begin with `usr/bin`, `usr/lib` and so on.
"""

import io
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Final

MERGED: Final = ("bin", "sbin", "lib", "lib64")
"""Top-level directories that are links into `usr/`."""
Filter = Callable[[tarfile.TarInfo], tarfile.TarInfo | None]


def writing(fill: Callable[[tarfile.TarFile], None]) -> Callable[[IO[bytes]], None]:
    """Return a function that writes a tar file with the entries that `fill` adds."""

    def write(out: IO[bytes]) -> None:
        with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as into:
            fill(into)

    return write


def directory(into: tarfile.TarFile, name: str, mode: int = 0o755, owner: int = 0) -> None:
    """Add an empty directory."""
    member = tarfile.TarInfo(name)
    member.type, member.mode, member.uid, member.gid = tarfile.DIRTYPE, mode, owner, owner
    into.addfile(member)


def link(into: tarfile.TarFile, name: str, target: str) -> None:
    """Add a symbolic link."""
    member = tarfile.TarInfo(name)
    member.type, member.linkname = tarfile.SYMTYPE, target
    into.addfile(member)


def text(into: tarfile.TarFile, files: Mapping[str, str], mode: int = 0o644) -> None:
    """Add text files; `files` maps names to contents."""
    for name, contents in files.items():
        body = contents.encode()
        member = tarfile.TarInfo(name)
        member.size, member.mode = len(body), mode
        into.addfile(member, io.BytesIO(body))


def executable(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """A tar filter that changes each file's owner to root and makes the file executable."""
    member.mode = 0o755
    return rooted(member)


def rooted(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """A tar filter that changes each file's owner to root."""
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member


def copy(
    source: tarfile.TarFile, into: tarfile.TarFile, keep: Filter, seen: set[str] | None = None
) -> None:
    """Copy the entries of a tar file, after applying the filter `keep` to each entry.

    Entries whose new names are in `seen` are skipped. The names of copied entries are added to
    `seen`.
    """
    seen = set() if seen is None else seen
    for member in source:
        body = source.extractfile(member) if member.isreg() else None
        entry = keep(member)
        if entry is not None and entry.name not in seen:
            seen.add(entry.name)
            into.addfile(entry, body)


def merged(name: str) -> str:
    """Return the path of a package's file on a system with a merged `/usr`."""
    name = name.removeprefix("./").strip("/")
    head, _, rest = name.partition("/")
    return f"usr/{name}" if head in MERGED and rest else name


def read(layer: Path, name: str) -> bytes:
    """Return the contents of a file in a layer.

    Raises:
        KeyError: if the layer has no such file.
    """
    with tarfile.open(layer) as tar:
        body = tar.extractfile(name)
        if body is None:
            raise KeyError(name)
        return body.read()
