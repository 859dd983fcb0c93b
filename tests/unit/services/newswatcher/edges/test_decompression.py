"""Responses that say gzip and are not, and the other way round."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from linear import is_linear

from runtime.errors import RefusedError
from services.newswatcher.edges.decompression import decompressed

FEED = b'<?xml version="1.0"?><rss version="2.0"><channel><title>t</title></channel></rss>'
MOST = 100_000


def read(body: bytes, encoding: str = "", *, is_cut: bool = False) -> bytes:
    return decompressed(body, encoding=encoding, most_bytes=MOST, is_cut=is_cut, host="h.example")


def raw_deflate(body: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(body) + stream.flush()


def packed(content: bytes) -> bytes:
    """Return the same bytes at any time: they are in the names of tests that run side by side."""
    return gzip.compress(content, mtime=0)


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (FEED, ""),
        (packed(FEED), "gzip"),
        (FEED, "gzip"),
        (packed(FEED) + bytes(20), "gzip"),
        (packed(FEED) + b"\x1fgarbage", "x-gzip"),
        (packed(FEED), ""),
        (packed(packed(FEED)), "gzip"),
        (packed(FEED[:30]) + packed(FEED[30:]), "gzip"),
        (zlib.compress(FEED), "deflate"),
        (raw_deflate(FEED), "deflate"),
        (FEED, "deflate"),
        (FEED, "br"),
        (b"\n " + FEED, "GZIP, identity"),
        (b"\xef\xbb\xbf" + FEED, "gzip"),
    ],
)
def test_a_body_is_read_whatever_its_header_says(body: bytes, encoding: str) -> None:
    assert read(body, encoding).lstrip(b"\xef\xbb\xbf\n ") == FEED


@pytest.mark.parametrize(
    ("body", "encoding", "reason"),
    [
        (packed(FEED)[:-12], "gzip", "its gzip cannot be read"),
        (packed(FEED)[:15] + b"x" * 40, "gzip", "its gzip cannot be read"),
        (b"\x1f\x8b", "", "its gzip cannot be read"),
        (packed(packed(packed(packed(FEED)))), "", "cannot be read"),
        (packed(b"") * 2_000, "", "its gzip cannot be read"),
        (b"\xff\x00\xff\x00" * 50, "deflate", "its deflate cannot be read"),
        (b"\x8b\x02\x80" * 50, "br", "not requested"),
        (b"\x28\xb5\x2f\xfd" + bytes(30), "", "not requested"),
        (packed(bytes(50_000_000)), "gzip", "longer than 100000 bytes"),
        (zlib.compress(bytes(50_000_000)), "deflate", "longer than 100000 bytes"),
    ],
)
def test_what_cannot_be_read_says_why(body: bytes, encoding: str, reason: str) -> None:
    with pytest.raises(RefusedError, match=reason):
        read(body, encoding)


def test_a_cut_body_is_truncated() -> None:
    assert read(packed(bytes(MOST * 3)), "gzip", is_cut=True) == bytes(MOST)
    start = read(packed(bytes(range(256)) * 90)[:-12], "gzip", is_cut=True)
    assert start.startswith(bytes(range(256)))


@given(st.binary(max_size=80), st.sampled_from(["", "gzip", "deflate", "br"]), st.booleans())
def test_any_body_is_read_or_refused(body: bytes, encoding: str, is_cut: bool) -> None:
    for whole in (body, packed(FEED)[: len(body)] + body, b"\x1f\x8b\x08" + body):
        try:
            assert len(read(whole, encoding, is_cut=is_cut)) <= MOST
        except RefusedError:
            continue


def test_many_members_take_linear_time() -> None:
    member = packed(b"x" * 100)
    assert is_linear(lambda count: member * count, read, 200)
