"""Articles' pages: fetched where we may, read in a thread, or else not needed.

Rule: only a server that asks for patience makes an article wait. Every other page that cannot be
had leaves the article with what the feed said of it.
"""

from dataclasses import dataclass
from typing import Final

import structlog
from prometheus_client import Counter

from runtime.errors import ClusterError, GoneError, RefusedError, UnavailableError
from services.newswatcher.edges.web import Web, reason
from services.newswatcher.fetching.politeness import PacedError
from services.newswatcher.fetching.robots import Robots
from services.newswatcher.reading import page
from services.newswatcher.reading.canonical import canonical, chosen
from services.newswatcher.threads import Threads

log = structlog.get_logger("newswatcher")

_PAGES: Final = Counter(
    "newswatcher_pages_total", "Articles' pages, by what came of them", ["outcome"]
)
_ACCEPT: Final = {"Accept": "text/html, application/xhtml+xml;q=0.9"}
_READABLE: Final = ("text/html", "application/xhtml+xml", "")


@dataclass(frozen=True, slots=True)
class Page:
    """What is known of an article's page."""

    canonical_url: str
    text: str
    """Empty when the page could not be had, or has no article in it."""


class Pages:
    """The pages behind feeds' links."""

    def __init__(
        self, web: Web, robots: Robots, threads: Threads, *, page_bytes: int, parse_seconds: float
    ) -> None:
        self._web = web
        self._robots = robots
        self._threads = threads
        self._page_bytes = page_bytes
        self._parse_seconds = parse_seconds

    async def read(self, link: str) -> Page:
        """The page behind a canonical link.

        Raises:
            PacedError: its server asked us to come later.
        """
        try:
            found = await self._read(link)
        except PacedError:
            _PAGES.labels("later").inc()
            raise
        except ClusterError as exc:
            _PAGES.labels(_outcome(exc)).inc()
            log.info("page not read", url=link, reason=reason(exc))
            return Page(link, "")
        _PAGES.labels("read" if found.text else "no article").inc()
        return found

    async def _read(self, link: str) -> Page:
        answer = await self._web.get(
            link, most_bytes=self._page_bytes, headers=_ACCEPT, admit=self._robots.admit
        )
        if answer.content_type.partition(";")[0].strip().lower() not in _READABLE:
            raise RefusedError("the page is no HTML")
        read = await self._threads.run(
            lambda: page.read(answer.body, content_type=answer.content_type),
            limit_seconds=self._parse_seconds,
        )
        final = canonical(answer.url) or link
        url = chosen(link, final, read.told)
        # A page that stands before the article has a text of its own.
        is_wall = chosen(link, final, None) != final
        return Page(url, "" if is_wall else read.text)


def _outcome(error: ClusterError) -> str:
    match error:
        case GoneError():
            return "gone"
        case UnavailableError():
            return "away"
    return "refused"
