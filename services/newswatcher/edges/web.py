"""Bytes of the web: redirects followed one by one, sizes and times limited, errors by what to do.

Rule: nothing here trusts a server: neither its addresses, nor its sizes, nor its patience.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urljoin, urlsplit

import aiohttp

from runtime import clock
from runtime.errors import ClusterError, GoneError, RefusedError, UnavailableError
from services.newswatcher.edges.resolver import PrivateAddressError, PublicResolver
from services.newswatcher.fetching.addresses import is_public
from services.newswatcher.fetching.politeness import PacedError, Turns

Admission = Callable[[str], Awaitable[None]]
"""Asked before each request, of a redirect's target too; raises what get() then raises."""
PACED_SECONDS: Final = 300.0
"""How long a server that says "too many" and no more is left alone."""
_MOST_REDIRECTS: Final = 5
_CHUNK: Final = 64 * 1024
_PERMANENT: Final = (301, 308)
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_LATER: Final = (408, 425, 500, 502, 503, 504)


@dataclass(frozen=True, slots=True)
class Answer:
    """A 2xx with its body, or a 304."""

    status: int
    url: str
    """Where redirects led."""
    moved_to: str | None
    """Where permanent redirects alone led; None when there was none."""
    content_type: str
    etag: str | None
    modified: str | None
    body: bytes


@dataclass(frozen=True, slots=True)
class _Redirect:
    to: str
    is_permanent: bool


class Web:
    """The web, for one polite reader."""

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
        """Fetch, after our turn at each host on the way.

        A body that is too long is refused, or cut if `is_cut`.

        Raises:
            PacedError: the server asked us to come later (429, or Retry-After).
            UnavailableError: no answer, or one that may be another next time.
            GoneError: 404 or 410.
            RefusedError: anything else that is no answer to keep.
        """
        moved_to: str | None = None
        is_moved = True
        for _ in range(_MOST_REDIRECTS + 1):
            self._check(url)
            if admit is not None:
                await admit(url)
            host = place(url)
            async with self._turns.turn(host):
                came = await self._one(url, host, headers or {}, most_bytes, is_cut=is_cut)
            if isinstance(came, _Redirect):
                url = came.to
                is_moved = is_moved and came.is_permanent
                moved_to = url if is_moved else moved_to
                continue
            status, body, told = came
            return Answer(
                status=status,
                url=url,
                moved_to=moved_to,
                content_type=told.get("Content-Type", ""),
                etag=told.get("ETag"),
                modified=told.get("Last-Modified"),
                body=body,
            )
        raise RefusedError(f"more than {_MOST_REDIRECTS} redirects")

    def _check(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise RefusedError("a redirect leads out of the web")
        if parts.username or parts.password:
            raise RefusedError("an address with a user in it is not asked")
        if (
            not self._allow_private
            and _is_literal(parts.hostname)
            and not is_public(parts.hostname)
        ):
            # Literal addresses are not resolved, so the resolver cannot judge them.
            raise RefusedError(f"{parts.hostname} is not an address of the public internet")

    async def _one(
        self, url: str, host: str, headers: Mapping[str, str], most_bytes: int, *, is_cut: bool
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
                return answer.status, body, answer.headers
        except TimeoutError as exc:
            raise UnavailableError(f"{host} did not answer in time") from exc
        except aiohttp.InvalidURL as exc:
            raise RefusedError("that is no address") from exc
        except (aiohttp.ClientError, OSError, ValueError) as exc:
            if _is_private(exc):
                raise RefusedError(f"{host} is not an address of the public internet") from exc
            raise UnavailableError(f"{host} cannot be reached, or broke off") from exc

    def _refuse(self, answer: aiohttp.ClientResponse, host: str) -> None:
        status = answer.status
        if 200 <= status < 300 or status == 304:
            return
        told = f"{host} answered {status}"
        wait_seconds = retry_after(answer.headers.get("Retry-After"), at=clock.now())
        if status == 429 or (status == 503 and wait_seconds is not None):
            wait_seconds = PACED_SECONDS if wait_seconds is None else wait_seconds
            self._turns.close(host, wait_seconds)
            raise PacedError(told, wait_seconds=wait_seconds)
        if status in (404, 410):
            raise GoneError(told)
        if status in _LATER:
            raise UnavailableError(told)
        raise RefusedError(told)


def place(url: str) -> str:
    """Who takes turns: the host with its port."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


def retry_after(told: str | None, *, at: datetime) -> float | None:
    """Seconds, of a Retry-After with a number or a date; None when it says nothing."""
    if told is None:
        return None
    told = told.strip()
    if told.isascii() and told.isdigit():
        return float(told[:9])
    try:
        when = parsedate_to_datetime(told)
    except ValueError:
        return None
    # A date without a zone is in UTC, by HTTP.
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - at).total_seconds())


@asynccontextmanager
async def opened(
    *, user_agent: str, connections: int, allow_private: bool
) -> AsyncIterator[aiohttp.ClientSession]:
    """A client for the web: no cookies, no proxies, no addresses that are not public."""
    connector = aiohttp.TCPConnector(
        limit=connections,
        limit_per_host=1,
        resolver=None if allow_private else PublicResolver(),
        use_dns_cache=False,
    )
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": user_agent, "Accept-Encoding": "gzip, deflate"},
    ) as session:
        yield session


async def _body(answer: aiohttp.ClientResponse, most_bytes: int, *, is_cut: bool) -> bytes:
    kept = bytearray()
    async for chunk in answer.content.iter_chunked(_CHUNK):
        kept += chunk
        if len(kept) > most_bytes:
            if is_cut:
                return bytes(kept[:most_bytes])
            raise RefusedError(f"the answer is longer than {most_bytes} bytes")
    return bytes(kept)


def _target(url: str, told: str) -> str:
    try:
        return urljoin(url, told).partition("#")[0]
    except ValueError as exc:
        raise RefusedError("a redirect leads nowhere") from exc


def _is_literal(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()


def _is_private(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, PrivateAddressError):
            return True
        error = error.__cause__ or getattr(error, "os_error", None) or error.__context__
    return False


def reason(error: ClusterError) -> str:
    """For people: what an error said, and no more than fits in a table."""
    return str(error)[:200]
