"""Fetches URLs: follows redirects, limits response sizes and times, and classifies errors.

Rule: no server is trusted, so redirects, addresses, response sizes and times are all checked. A URL
is parsed once, by yarl, and the parsed URL is both checked and requested.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import aiohttp
from yarl import URL

from runtime import clock
from runtime.errors import ClusterError, GoneError, RefusedError, UnavailableError
from services.newswatcher.edges.decompression import decompressed
from services.newswatcher.edges.resolver import (
    PrivateAddressError,
    PublicResolver,
    public_socket,
)
from services.newswatcher.fetching.addresses import is_public
from services.newswatcher.fetching.politeness import PacedError, Turns

Admission = Callable[[str], Awaitable[None]]
"""A check that `get` makes before each request, including redirects. The check raises an error if
the request is not allowed."""
PACED_SECONDS: Final = 300.0
"""How long to wait before the next request to a server that returns 429 without Retry-After."""
_MOST_REDIRECTS: Final = 5
_CHUNK: Final = 64 * 1024
_PERMANENT: Final = (301, 308)
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_LATER: Final = (408, 425, 500, 502, 503, 504)
_HEADER_CHARACTERS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Answer:
    """A 2xx response with its body, or a 304 response."""

    status: int
    url: str
    """The URL after all redirects."""
    moved_to: str | None
    """The URL after permanent redirects only, or None if there were none."""
    content_type: str
    etag: str | None
    modified: str | None
    body: bytes


@dataclass(frozen=True, slots=True)
class _Redirect:
    to: URL
    is_permanent: bool


class Web:
    """An HTTP client that sends requests to each host one at a time."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        turns: Turns,
        *,
        allow_private: bool,
        fetch_seconds: float,
    ) -> None:
        self._session = session
        self._turns = turns
        self._allow_private = allow_private
        self._limit = aiohttp.ClientTimeout(
            total=fetch_seconds, sock_connect=fetch_seconds / 2, sock_read=fetch_seconds
        )

    async def get(
        self,
        url: str,
        *,
        most_bytes: int,
        headers: Mapping[str, str] | None = None,
        admit: Admission | None = None,
        is_cut: bool = False,
    ) -> Answer:
        """Fetch a URL and follow redirects, sending each host one request at a time.

        If `is_cut` is true, truncate a body that is too long instead of raising RefusedError.

        Raises:
            PacedError: if the server asked us to wait (429, or 503 with Retry-After).
            UnavailableError: if the server did not respond or returned a temporary error.
            GoneError: if the server returned 404 or 410.
            RefusedError: if the response is unusable for any other reason.
        """
        moved_to: str | None = None
        is_moved = True
        target = _parsed(url)
        for _ in range(_MOST_REDIRECTS + 1):
            self._check(target)
            if admit is not None:
                await admit(str(target))
            host = _host(target)
            async with self._turns.turn(host):
                result = await self._request(target, host, headers or {}, most_bytes, is_cut=is_cut)
            if isinstance(result, _Redirect):
                target = result.to
                is_moved = is_moved and result.is_permanent
                moved_to = str(target) if is_moved else moved_to
                continue
            status, body, answer_headers = result
            return Answer(
                status=status,
                url=str(target),
                moved_to=moved_to,
                content_type=answer_headers.get("Content-Type", ""),
                etag=_storable(answer_headers.get("ETag")),
                modified=_storable(answer_headers.get("Last-Modified")),
                body=body,
            )
        raise RefusedError(f"more than {_MOST_REDIRECTS} redirects")

    def _check(self, url: URL) -> None:
        if url.scheme not in ("http", "https") or not url.raw_host:
            raise RefusedError("the URL does not use http or https")
        if url.raw_user or url.raw_password:
            raise RefusedError("URLs with a user name or password are not allowed")
        if not self._allow_private and _is_literal(url.raw_host) and not is_public(url.raw_host):
            # The resolver is not asked about an IP address. Its socket is checked all the same.
            raise RefusedError(f"{url.raw_host} is not on the public internet")

    async def _request(
        self, url: URL, host: str, headers: Mapping[str, str], most_bytes: int, *, is_cut: bool
    ) -> _Redirect | tuple[int, bytes, Mapping[str, str]]:
        try:
            async with self._session.get(
                url, headers=headers, allow_redirects=False, timeout=self._limit
            ) as answer:
                if answer.status in _REDIRECTS and "Location" in answer.headers:
                    target = _target(url, answer.headers["Location"])
                    return _Redirect(target, answer.status in _PERMANENT)
                self._refuse(answer, host)
                body = b""
                if answer.status != 304:
                    body = await _body(answer, most_bytes, is_cut=is_cut)
                status, answer_headers = answer.status, answer.headers
        except TimeoutError as exc:
            raise UnavailableError(f"{host} did not respond in time") from exc
        except aiohttp.InvalidURL as exc:
            raise RefusedError("the URL is invalid") from exc
        except (aiohttp.ClientError, OSError, ValueError) as exc:
            if _is_private(exc):
                raise RefusedError(f"{host} is not on the public internet") from exc
            raise UnavailableError(f"{host} could not be reached or closed the connection") from exc
        encoding = answer_headers.get("Content-Encoding", "")
        plain = decompressed(
            body, encoding=encoding, most_bytes=most_bytes, is_cut=is_cut, host=host
        )
        return status, plain, answer_headers

    def _refuse(self, answer: aiohttp.ClientResponse, host: str) -> None:
        status = answer.status
        if 200 <= status < 300 or status == 304:
            return
        message = f"{host} returned {status}"
        wait_seconds = retry_after(answer.headers.get("Retry-After"), at=clock.now())
        if status == 429 or (status == 503 and wait_seconds is not None):
            wait_seconds = PACED_SECONDS if wait_seconds is None else wait_seconds
            self._turns.close(host, wait_seconds)
            raise PacedError(message, wait_seconds=wait_seconds)
        if status in (404, 410):
            raise GoneError(message)
        if status in _LATER:
            raise UnavailableError(message)
        raise RefusedError(message)


def host_of(url: str) -> str:
    """Return the URL's host name as it is connected, followed by the port if the URL has one.

    Raises:
        RefusedError: if the URL is invalid.
    """
    return _host(_parsed(url))


def _parsed(url: str) -> URL:
    try:
        return URL(url).with_fragment(None)
    except ValueError as exc:
        raise RefusedError("the URL is invalid") from exc


def _host(url: URL) -> str:
    host = url.raw_host or ""
    return f"{host}:{url.explicit_port}" if url.explicit_port else host


def retry_after(header: str | None, *, at: datetime) -> float | None:
    """Return a Retry-After header's delay in seconds, or None if there is no valid header."""
    if header is None:
        return None
    header = header.strip()
    if header.isascii() and header.isdigit():
        return float(header[:9])
    try:
        when = parsedate_to_datetime(header)
    except (ValueError, OverflowError, IndexError, TypeError):
        # The standard library raises any of these for unusual input.
        return None
    # In HTTP, a date without a time zone is in UTC.
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - at).total_seconds())


@asynccontextmanager
async def web_client(
    *, user_agent: str, connections: int, allow_private: bool
) -> AsyncIterator[aiohttp.ClientSession]:
    """Yield an HTTP session without cookies or proxies.

    The session connects to private addresses only if `allow_private` is true.
    """
    connector = aiohttp.TCPConnector(
        limit=connections,
        limit_per_host=1,
        resolver=None if allow_private else PublicResolver(),
        use_dns_cache=False,
        socket_factory=None if allow_private else public_socket,
    )
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": user_agent, "Accept-Encoding": "gzip, deflate"},
        auto_decompress=False,
    ) as session:
        yield session


async def _body(answer: aiohttp.ClientResponse, most_bytes: int, *, is_cut: bool) -> bytes:
    body = bytearray()
    async for chunk in answer.content.iter_chunked(_CHUNK):
        body += chunk
        if len(body) > most_bytes:
            if is_cut:
                return bytes(body[:most_bytes])
            raise RefusedError(f"the response is longer than {most_bytes} bytes")
    return bytes(body)


def _target(url: URL, location: str) -> URL:
    try:
        return url.join(URL(location)).with_fragment(None)
    except ValueError as exc:
        raise RefusedError("the redirect's target is not a valid URL") from exc


def _storable(header: str | None) -> str | None:
    """Return a header that can be stored and sent back, or None."""
    if header is None or len(header) > _HEADER_CHARACTERS or not header.isascii():
        return None
    return header if header.isprintable() else None


def _is_literal(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()


def _is_private(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, PrivateAddressError):
            return True
        error = error.__cause__ or getattr(error, "os_error", None) or error.__context__
    return False


def reason(error: ClusterError) -> str:
    """Return an error's message, shortened to 200 characters."""
    return str(error)[:200]
