"""Polls one feed forever: fetches the feed, stores new articles, saves the state, and waits.

Rule: a problem with one feed or with an article's server does not affect other feeds, and whatever
one entry raises costs only this entry. If the database is unavailable, all pollers wait, and no
article is lost.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeVar

import structlog
from prometheus_client import Counter, Gauge

from runtime import clock
from runtime.backoff import backoff
from runtime.errors import ClusterError, GoneError, RefusedError, UnavailableError
from runtime.faults import Faults
from services.newswatcher.article_writer import ArticleWriter, fetched_article
from services.newswatcher.edges.web import Answer, Web, host_of, reason
from services.newswatcher.feed_states import FeedStates
from services.newswatcher.feeds import Feed
from services.newswatcher.fetching.pages import Page, Pages
from services.newswatcher.fetching.politeness import PacedError
from services.newswatcher.parsing.answers import ParsedFeed
from services.newswatcher.parsing.parser import Parser, ParsingError
from services.newswatcher.reading.entries import Entry, NotAFeedError
from services.newswatcher.schedule import (
    Answered,
    Failed,
    FeedState,
    Outcome,
    Unchanged,
    after,
    pause_seconds,
)
from services.stores.couch import ConflictError

log = structlog.get_logger("newswatcher")
T = TypeVar("T")

_LOOKS: Final = Counter("newswatcher_looks_total", "Polls of feeds", ["feed", "outcome"])
_FAILURES: Final = Gauge("newswatcher_feed_failures", "Consecutive failures", ["feed"])
_REFUSED: Final = Counter(
    "newswatcher_refused_entries_total", "Entries that could not be read or stored", ["feed"]
)
_SUCCESS: Final = Gauge(
    "newswatcher_feed_last_success_timestamp_seconds", "When the feed was last read", ["feed"]
)
_ACCEPT: Final = (
    "application/rss+xml, application/atom+xml, application/xml;q=0.9, text/xml;q=0.8, */*;q=0.1"
)
_SAVE_EVERY: Final = 10
"""The number of articles after which the state is saved during a poll. After a crash, at most this
many articles are fetched again."""
_MOST_DELAYS: Final = 3
"""For how many polls a server may delay an article before we store the article without its page."""
_LONGEST_DELAY_SECONDS: Final = 3600.0
"""The longest time that the articles' servers can delay the feed's next poll."""
_MOST_REFUSALS: Final = 3
"""How many times storing an article may fail before we skip the article until a restart."""
_POLLS: Final = "polls of feeds"
_ENTRIES: Final = "entries of feeds"
_STATES: Final = "states of feeds"
_ANY: Final = (ClusterError,)
_TEMPORARY: Final = (UnavailableError, ConflictError)


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits for one poll of a feed."""

    feed_bytes: int
    entries_per_poll: int


@dataclass(frozen=True, slots=True)
class Shared:
    """The objects that all pollers share."""

    web: Web
    pages: Pages
    parser: Parser
    writer: ArticleWriter
    states: FeedStates
    faults: Faults


class FeedPoller:
    """Polls one feed. Call `run` in a background task."""

    def __init__(self, feed: Feed, shared: Shared, limits: Limits) -> None:
        self.feed = feed
        self.state = FeedState(id=feed.id, name=feed.name, url=feed.url)
        self._shared = shared
        self._limits = limits
        self._random = random.Random()  # noqa: S311  not used for secrets
        self._counts: dict[str, int] = {}
        self._closed: dict[str, float] = {}

    async def run(self) -> None:
        """Poll the feed until cancelled."""
        with self._shared.faults.contained(_STATES):
            self.state = await self._with_retries(lambda: self._shared.states.load(self.feed))
        self._update_metrics()
        while True:
            await asyncio.sleep(
                pause_seconds(
                    self.state,
                    now=clock.now(),
                    every_seconds=self.feed.every_seconds,
                    draw=self._random.random(),
                )
            )
            await self.poll()

    async def poll(self) -> None:
        """Poll the feed once and save the resulting state."""
        outcome = await self._outcome()
        kind = type(outcome).__name__.lower()
        _LOOKS.labels(self.feed.name, kind).inc()
        self.state = after(
            self.state,
            outcome,
            every_seconds=self.feed.every_seconds,
            draw=self._random.random(),
        )
        self._update_metrics()
        fields = {
            "feed": self.feed.name,
            "outcome": kind,
            "reason": self.state.reason,
            "failures": self.state.failures,
            "next_look": self.state.next_look,
        }
        if isinstance(outcome, Failed):
            log.warning("could not read the feed", **fields)
        else:
            log.info("read the feed", **fields)
        await self._save()

    async def _outcome(self) -> Outcome:
        try:
            answer = await self._fetch()
            if answer.status == 304:
                return Unchanged(clock.now(), self._moved(answer))
            parsed = await self._shared.parser.feed(
                answer.body, url=answer.url, content_type=answer.content_type
            )
            self._count_refused(parsed)
            return await self._store_new(answer, parsed.entries)
        except PacedError as exc:
            return Failed(clock.now(), reason(exc), wait_seconds=exc.wait_seconds)
        except GoneError as exc:
            return Failed(clock.now(), reason(exc), is_gone=exc.args[0].endswith(" 410"))
        except ParsingError as exc:
            return Failed(clock.now(), f"the feed cannot be parsed: {exc}")
        except ClusterError as exc:
            return Failed(clock.now(), reason(exc))
        except NotAFeedError as exc:
            return Failed(clock.now(), str(exc))
        except Exception as exc:  # noqa: BLE001  a feed may contain anything
            cause = self._shared.faults.note(_POLLS, exc)
            return Failed(clock.now(), f"a bug, see the log: {cause}")

    def _count_refused(self, parsed: ParsedFeed) -> None:
        if parsed.refused:
            _REFUSED.labels(self.feed.name).inc(parsed.refused)
            log.warning(
                "could not read entries of the feed",
                feed=self.feed.name,
                entries=parsed.refused,
                reasons=parsed.reasons,
            )

    async def _fetch(self) -> Answer:
        headers = {"Accept": _ACCEPT}
        if self.state.etag:
            headers["If-None-Match"] = self.state.etag
        if self.state.modified:
            headers["If-Modified-Since"] = self.state.modified
        return await self._shared.web.get(
            self.state.moved_to or self.feed.url,
            most_bytes=self._limits.feed_bytes,
            headers=headers,
        )

    def _moved(self, answer: Answer) -> str | None:
        return answer.moved_to or self.state.moved_to

    async def _store_new(self, answer: Answer, feed_entries: tuple[Entry, ...]) -> Answered:
        self._closed = {}
        new = [entry for entry in feed_entries if self.state.seen.get(entry.key) != entry.digest]
        stored = 0
        for entry in new[: self._limits.entries_per_poll]:
            if not await self._store(entry):
                continue
            self._counts.pop(f"delays {entry.key}", None)
            seen = {**self.state.seen, entry.key: entry.digest}
            self.state = self.state.model_copy(update={"seen": seen})
            stored += 1
            if stored % _SAVE_EVERY == 0:
                await self._save()
        return Answered(
            at=clock.now(),
            entries=len(feed_entries),
            stored=stored,
            keys=tuple(entry.key for entry in feed_entries),
            etag=answer.etag,
            modified=answer.modified,
            moved_to=self._moved(answer),
            is_complete=stored == len(new),
            wait_seconds=min(max(self._closed.values(), default=0.0), _LONGEST_DELAY_SECONDS),
        )

    async def _store(self, entry: Entry) -> bool:
        """Store an entry's article if necessary. Return whether the article is now stored."""
        if self._counts.get(f"refusals {entry.key}", 0) >= _MOST_REFUSALS:
            return False
        try:
            return await self._write(entry)
        except RefusedError as exc:
            # A wrong password may be the cause, so leave the entry unseen and retry later.
            self._count(entry)
            _REFUSED.labels(self.feed.name).inc()
            log.warning("the database rejected the article", url=entry.link, reason=reason(exc))
            return False
        except Exception as exc:  # noqa: BLE001  an entry may contain anything
            self._count(entry)
            _REFUSED.labels(self.feed.name).inc()
            self._shared.faults.note(_ENTRIES, exc)
            return False

    async def _write(self, entry: Entry) -> bool:
        writer = self._shared.writer
        if await self._with_retries(lambda: writer.is_known(self.feed, entry), _TEMPORARY):
            return True
        page = await self._page(entry)
        if page is None:
            return False
        # Run in a thread because fingerprinting long texts would delay health checks.
        article = await asyncio.to_thread(fetched_article, self.feed, entry, page, at=clock.now())
        await self._with_retries(lambda: writer.write(article), _TEMPORARY)
        return True

    async def _page(self, entry: Entry) -> Page | None:
        """Return the entry's page, or None if the page's server asked us to wait."""
        no_page = Page(entry.link, "")
        if not self.feed.pages:
            return no_page
        try:
            host = host_of(entry.link)
            if host not in self._closed:
                return await self._shared.pages.read(entry.link)
        except PacedError as exc:
            self._closed[host] = exc.wait_seconds
        return no_page if self._count(entry, what="delays") > _MOST_DELAYS else None

    def _count(self, entry: Entry, *, what: str = "refusals") -> int:
        key = f"{what} {entry.key}"
        self._counts[key] = self._counts.get(key, 0) + 1
        return self._counts[key]

    async def _save(self) -> None:
        with self._shared.faults.contained(_STATES):
            self.state = await self._with_retries(lambda: self._shared.states.save(self.state))

    async def _with_retries(
        self, call: Callable[[], Awaitable[T]], temporary: tuple[type[ClusterError], ...] = _ANY
    ) -> T:
        """Return the result of `call`, retrying after temporary errors."""
        delays = backoff(ceiling=15.0)
        while True:
            try:
                return await call()
            except temporary as exc:
                pause = next(delays)
                log.warning(
                    "the database is unavailable; retrying",
                    reason=str(exc),
                    retry_in_seconds=round(pause, 1),
                )
                await asyncio.sleep(pause)

    def _update_metrics(self) -> None:
        _FAILURES.labels(self.feed.name).set(self.state.failures)
        if self.state.last_success is not None:
            _SUCCESS.labels(self.feed.name).set(self.state.last_success.timestamp())
