"""What reports call the error of a request."""

import errno

import aiohttp
import pytest

from lab.load.traffic import kind_of


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (TimeoutError(), "timed out"),
        (aiohttp.SocketTimeoutError(), "timed out"),
        (aiohttp.ServerDisconnectedError(), "cut"),
        (aiohttp.ClientPayloadError(), "cut"),
        (ConnectionResetError(), "reset"),
        (aiohttp.ClientConnectionResetError(), "reset"),
        (aiohttp.ClientOSError(errno.ECONNRESET, "Connection reset by peer"), "reset"),
        (aiohttp.ClientOSError(errno.EPIPE, "Broken pipe"), "reset"),
        (aiohttp.ClientOSError(errno.ENETUNREACH, "Network is unreachable"), "ClientOSError"),
    ],
)
def test_each_error_has_one_name(error: Exception, kind: str) -> None:
    assert kind_of(error) == kind
