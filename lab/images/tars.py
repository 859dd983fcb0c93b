"""Layers as tars, written entry by entry: what goes in never has to lie on a disk first.

Rule: a layer's directories must not replace the links of the layer below. `/bin`, `/lib` and the
like are links to `/usr` in every image here, so entries are written below `usr/`.
"""

import io
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Final

MERGED: Final = ("bin", "sbin", "lib", "lib64")
"""Directories at the root that are links into `usr/`."""
Filter = Callable[[tarfile.TarInfo], tarfile.TarInfo | None]


def writing(fill: Callable[[tarfile.TarFile], None]) -> Callable[[IO[bytes]], None]:
    """What writes one tar, of all that `fill` puts in."""

    def write(out: IO[bytes]) -> None:
        with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as into:
            fill(into)

    return write


def directory(into: tarfile.TarFile, name: str, mode: int = 0o755, owner: int = 0) -> None:
    """An empty directory."""
    member = tarfile.TarInfo(name)
    member.type, member.mode, member.uid, member.gid = tarfile.DIRTYPE, mode, owner, owner
    into.addfile(member)


def link(into: tarfile.TarFile, name: str, target: str) -> None:
    """A symbolic link."""
    member = tarfile.TarInfo(name)
    member.type, member.linkname = tarfile.SYMTYPE, target
    into.addfile(member)


def text(into: tarfile.TarFile, files: Mapping[str, str], mode: int = 0o644) -> None:
    """Files, by name."""
    for name, contents in files.items():
        body = contents.encode()
        member = tarfile.TarInfo(name)
        member.size, member.mode = len(body), mode
        into.addfile(member, io.BytesIO(body))


def executable(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """A filter: root's, and everybody may run it."""
    member.mode = 0o755
    return rooted(member)


def rooted(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """A filter: root's, whoever has it on this host."""
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member


def copy(
    source: tarfile.TarFile, into: tarfile.TarFile, keep: Filter, seen: set[str] | None = None
) -> None:
    """Pass a tar's entries on, as `keep` changes them; what was `seen` is not written twice."""
    seen = set() if seen is None else seen
    for member in source:
        body = source.extractfile(member) if member.isreg() else None
        kept = keep(member)
        if kept is not None and kept.name not in seen:
            seen.add(kept.name)
            into.addfile(kept, body)


def merged(name: str) -> str:
    """A name in a package as it is with `/usr` merged."""
    name = name.removeprefix("./").strip("/")
    head, _, rest = name.partition("/")
    return f"usr/{name}" if head in MERGED and rest else name


def read(layer: Path, name: str) -> bytes:
    """One file out of a layer.

    Raises:
        KeyError: it is not in it.
    """
    with tarfile.open(layer) as tar:
        body = tar.extractfile(name)
        if body is None:
            raise KeyError(name)
        return body.read()
