"""Decompresses responses, whatever their headers say about the compression.

This module does no I/O.

Rule: the first bytes decide, not the headers. Servers keep the header of a compression that a proxy
has removed, pad compressed bodies, compress twice, and serve compressed files without the header.
The output is limited before it is produced, so that a small response cannot fill the memory.
"""

import zlib
from typing import Final

from runtime.errors import RefusedError

_GZIP: Final = b"\x1f\x8b"
_ZSTANDARD: Final = b"\x28\xb5\x2f\xfd"
_LAYERS: Final = 3
_MEMBERS: Final = 1_000
_CHUNK: Final = 64 * 1024
_TEXT: Final = (b"<", b"\xef\xbb\xbf", b"\xfe\xff", b"\xff\xfe")
"""How feeds and pages begin, perhaps after spaces."""
_START_BYTES: Final = 512


def decompressed(body: bytes, *, encoding: str, most_bytes: int, is_cut: bool, host: str) -> bytes:
    """Return the body without its compression. `encoding` is the Content-Encoding header.

    If `is_cut` is true, a body that is incomplete or too long is truncated.

    Raises:
        RefusedError: if the body cannot be decompressed or is longer than `most_bytes`.
    """
    layers = 0
    while body.startswith(_GZIP):
        if layers == _LAYERS:
            raise RefusedError(f"{host} responded, but its gzip cannot be read: it has many layers")
        body = _gunzipped(body, most_bytes, is_cut=is_cut, host=host)
        layers += 1
    names = {name.strip().lower() for name in encoding.split(",")}
    if "deflate" in names and not _looks_like_text(body):
        body = _inflated(body, most_bytes, is_cut=is_cut, host=host)
    unknown = names - {"", "identity", "gzip", "x-gzip", "deflate"}
    if body.startswith(_ZSTANDARD) or (unknown and not _looks_like_text(body)):
        raise RefusedError(f"{host} used a compression that was not requested")
    return body


def _gunzipped(body: bytes, most_bytes: int, *, is_cut: bool, host: str) -> bytes:
    output = bytearray()
    stream = zlib.decompressobj(zlib.MAX_WBITS | 16)
    members = 1
    for start in range(0, len(body), _CHUNK):
        chunk = body[start : start + _CHUNK]
        while chunk:
            try:
                output += stream.decompress(chunk, most_bytes + 1 - len(output))
            except zlib.error as exc:
                if is_cut and output:
                    return bytes(output)
                raise RefusedError(f"{host} responded, but its gzip cannot be read") from exc
            if len(output) > most_bytes:
                return _cut(output, most_bytes, is_cut=is_cut)
            chunk = stream.unused_data
            if stream.eof:
                # Only another member may follow. Anything else is padding.
                following = chunk[:2] + body[start + _CHUNK : start + _CHUNK + 2]
                if not following.startswith(_GZIP):
                    return bytes(output)
                stream = zlib.decompressobj(zlib.MAX_WBITS | 16)
                members += 1
                if members > _MEMBERS:
                    raise RefusedError(f"{host} responded, but its gzip cannot be read")
    if not stream.eof and not is_cut:
        raise RefusedError(f"{host} responded, but its gzip cannot be read: its end is missing")
    return bytes(output)


def _inflated(body: bytes, most_bytes: int, *, is_cut: bool, host: str) -> bytes:
    # Some servers send the format of RFC 1951, without the header that HTTP requires.
    for bits in (zlib.MAX_WBITS, -zlib.MAX_WBITS):
        stream = zlib.decompressobj(bits)
        try:
            output = stream.decompress(body, most_bytes + 1)
        except zlib.error:
            continue
        if len(output) > most_bytes:
            return _cut(output, most_bytes, is_cut=is_cut)
        if stream.eof or is_cut:
            return output
    raise RefusedError(f"{host} responded, but its deflate cannot be read")


def _cut(output: bytes | bytearray, most_bytes: int, *, is_cut: bool) -> bytes:
    if is_cut:
        return bytes(output[:most_bytes])
    raise RefusedError(f"the response is longer than {most_bytes} bytes")


def _looks_like_text(body: bytes) -> bool:
    start = body[:_START_BYTES]
    if start.lstrip().startswith(_TEXT):
        return True
    return start.isascii() and all(char.isprintable() or char.isspace() for char in start.decode())
