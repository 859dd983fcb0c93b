"""Fetches articles' pages if robots.txt allows it, and has the pages parsed.

Rule: an article is delayed only if the page's server asks us to wait. If the page cannot be read
for any other reason, the article is stored with the text from the feed.
"""

from dataclasses import dataclass
from typing import Final

import structlog
from prometheus_client import Counter

from runtime.errors import ClusterError, GoneError, RefusedError, UnavailableError
from services.newswatcher.edges.web import Web, reason
from services.newswatcher.fetching.politeness import PacedError
from services.newswatcher.fetching.robots import Robots
from services.newswatcher.parsing.parser import Parser
from services.newswatcher.reading.canonical import canonical, choose

log = structlog.get_logger("newswatcher")

_PAGES: Final = Counter("newswatcher_pages_total", "Articles' pages, by outcome", ["outcome"])
_ACCEPT: Final = {"Accept": "text/html, application/xhtml+xml;q=0.9"}
_READABLE: Final = ("text/html", "application/xhtml+xml", "")


@dataclass(frozen=True, slots=True)
class Page:
    """The article found on a page."""

    canonical_url: str
    text: str
    """Empty if the page could not be read or contains no article."""


class Pages:
    """Reads the pages that feeds link to."""

    def __init__(self, web: Web, robots: Robots, parser: Parser, *, page_bytes: int) -> None:
        self._web = web
        self._robots = robots
        self._parser = parser
        self._page_bytes = page_bytes

    async def read(self, link: str) -> Page:
        """Return the article on a page, given the page's URL in canonical form.

        If the page cannot be read, the article's text is empty.

        Raises:
            PacedError: if the server asked us to wait.
        """
        try:
            article = await self._read(link)
        except PacedError:
            _PAGES.labels("later").inc()
            raise
        except ClusterError as exc:
            _PAGES.labels(_outcome(exc)).inc()
            log.info("could not read the page", url=link, reason=reason(exc))
            return Page(link, "")
        _PAGES.labels("read" if article.text else "no article").inc()
        return article

    async def _read(self, link: str) -> Page:
        answer = await self._web.get(
            link, most_bytes=self._page_bytes, headers=_ACCEPT, admit=self._robots.admit
        )
        if answer.content_type.partition(";")[0].strip().lower() not in _READABLE:
            raise RefusedError("the page is not HTML")
        parsed = await self._parser.page(answer.body, content_type=answer.content_type)
        final = canonical(answer.url) or link
        url = choose(link, final, parsed.canonical_link)
        # A login or consent page contains its own text, not the article's.
        is_wall = choose(link, final, None) != final
        return Page(url, "" if is_wall else parsed.text)


def _outcome(error: ClusterError) -> str:
    match error:
        case GoneError():
            return "gone"
        case UnavailableError():
            return "away"
    return "refused"
