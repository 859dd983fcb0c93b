"""However a URL spells a private address, nothing connects to it."""

import socket
from typing import Any

import pytest
from aiohttp import AddrInfoType

from runtime.errors import RefusedError
from services.newswatcher.edges.resolver import PrivateAddressError, public_socket
from services.newswatcher.edges.web import Web
from services.newswatcher.fetching.politeness import Turns
from services.newswatcher.reading.canonical import canonical


class Session:
    """Any request fails the test."""

    def get(self, url: object, **_options: Any) -> None:
        pytest.fail(f"{url} was requested")


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127\u30020\u30020\u30021", "\uff11\uff12\uff17\uff0e0\uff0e0\uff0e1"),
        *("127\uff610\uff610\uff611", "\u2460\u2461\u2466.0.0.1", "127.1", "2130706433"),
        *("017700000001", "[::1]", "[::ffff:7f00:1]", "[::ffff:127.0.0.1]", "[fd00:ec2::254]"),
        *("169.254.169.254", "169\u3002254\u3002169\u3002254", "[64:ff9b::a9fe:a9fe]"),
        *("[2002:7f00:1::]", "[fe80::1%25lo]", "[::]", "0.0.0.0", "10.0.0.1", "[fec0::1]"),
    ],
)
async def test_a_private_address_in_a_url_is_refused(host: str) -> None:
    session: Any = Session()
    web = Web(session, Turns(0.0), allow_private=False, fetch_seconds=1)
    with pytest.raises(RefusedError, match=r"public internet|invalid|http"):
        await web.get(f"http://{host}:8080/x", most_bytes=1000)


@pytest.mark.parametrize(
    "url",
    [
        *("http://a\\@127.0.0.1/", "http://user@a.example/", "file:///etc/passwd", "http://", ""),
        *("http://[::1]a.example/", "http://[::1", "http://a.example:99999/", "gopher://a.example"),
        "http://a.example:x/",
    ],
)
async def test_a_url_that_parsers_read_differently_is_refused(url: str) -> None:
    session: Any = Session()
    with pytest.raises(RefusedError):
        await Web(session, Turns(0.0), allow_private=True, fetch_seconds=1).get(url, most_bytes=9)


def test_a_url_has_one_spelling() -> None:
    assert canonical("http://127\u30020\u30020\u30021/x") == "http://127.0.0.1/x"
    assert canonical("http://B\u00fccher.example\u3002/x") == "http://xn--bcher-kva.example/x"
    assert canonical("HTTP://A.example:80/%7Ea?b=1&utm_source=x") == "http://a.example/~a?b=1"
    assert canonical("http://a.example\\@b.example/") is None


def info(address: str) -> AddrInfoType:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    rest: tuple[Any, ...] = (0, 0) if ":" in address else ()
    return (family, socket.SOCK_STREAM, 6, "", (address, 80, *rest))


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1"])
def test_the_address_that_would_be_connected_is_checked(address: str) -> None:
    with pytest.raises(PrivateAddressError):
        public_socket(info(address))


def test_a_public_address_gets_a_socket() -> None:
    with public_socket(info("93.184.216.34")) as opened:
        assert opened.family == socket.AF_INET
