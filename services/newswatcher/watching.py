"""One feed, watched for ever: look, file what is new, remember, wait.

Rule: whatever a feed or its articles' servers do is an outcome of the look and reaches no other
feed. Only the database's absence makes a watch stand still, with what it holds in its hands.
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
from services.newswatcher.edges.web import Answer, Web, place, reason
from services.newswatcher.feeds import Feed
from services.newswatcher.fetching.pages import Page, Pages
from services.newswatcher.fetching.politeness import PacedError
from services.newswatcher.filing import Filing, found
from services.newswatcher.reading import entries
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
from services.newswatcher.states import States
from services.newswatcher.threads import OverdueError, Threads
from services.stores.couch import ConflictError

log = structlog.get_logger("newswatcher")
T = TypeVar("T")

_LOOKS: Final = Counter("newswatcher_looks_total", "Looks at feeds", ["feed", "outcome"])
_FAILURES: Final = Gauge("newswatcher_feed_failures", "Failures in a row", ["feed"])
_SUCCESS: Final = Gauge(
    "newswatcher_feed_last_success_timestamp_seconds", "When the feed was last read", ["feed"]
)
_ACCEPT: Final = (
    "application/rss+xml, application/atom+xml, application/xml;q=0.9, text/xml;q=0.8, */*;q=0.1"
)
_SAVE_EVERY: Final = 10
"""Articles after which the state is written: so many are asked for again after a crash."""
_MOST_DELAYS: Final = 3
"""Looks that a server may put an article off, before its summary has to do."""
_LONGEST_DELAY_SECONDS: Final = 3600.0
"""How long articles' servers keep the feed itself waiting; they are not asked sooner anyway."""
_MOST_REFUSALS: Final = 3
"""Times the database may refuse an article before it is left until the next start."""
_ANY: Final = (ClusterError,)
_PASSING: Final = (UnavailableError, ConflictError)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one look may take on."""

    feed_bytes: int
    pages_per_look: int
    parse_seconds: float


@dataclass(frozen=True, slots=True)
class Tools:
    """What all watches share."""

    web: Web
    pages: Pages
    threads: Threads
    filing: Filing
    states: States


class Watch:
    """One feed."""

    def __init__(self, feed: Feed, tools: Tools, limits: Limits) -> None:
        self.feed = feed
        self.state = FeedState(id=feed.id, name=feed.name, url=feed.url)
        self._tools = tools
        self._limits = limits
        self._random = random.Random()  # noqa: S311  spreads load, keeps no secret
        self._tries: dict[str, int] = {}
        self._closed: dict[str, float] = {}

    async def run(self) -> None:
        """For ever."""
        self.state = await self._stubbornly(lambda: self._tools.states.load(self.feed))
        self._tell()
        while True:
            await asyncio.sleep(
                pause_seconds(
                    self.state,
                    now=clock.now(),
                    every_seconds=self.feed.every_seconds,
                    draw=self._random.random(),
                )
            )
            await self.look()

    async def look(self) -> None:
        """Look once and remember what came of it."""
        outcome = await self._outcome()
        kind = type(outcome).__name__.lower()
        _LOOKS.labels(self.feed.name, kind).inc()
        self.state = after(
            self.state,
            outcome,
            every_seconds=self.feed.every_seconds,
            draw=self._random.random(),
        )
        self._tell()
        fields = {
            "feed": self.feed.name,
            "outcome": kind,
            "reason": self.state.reason,
            "failures": self.state.failures,
            "next_look": self.state.next_look,
        }
        if isinstance(outcome, Failed):
            log.warning("feed not read", **fields)
        else:
            log.info("feed looked at", **fields)
        await self._save()

    async def _outcome(self) -> Outcome:
        try:
            answer = await self._fetch()
            if answer.status == 304:
                return Unchanged(clock.now(), self._moved(answer))
            told = await self._tools.threads.run(
                lambda: entries.parse(
                    answer.body, url=answer.url, content_type=answer.content_type
                ),
                limit_seconds=self._limits.parse_seconds,
            )
        except PacedError as exc:
            return Failed(clock.now(), reason(exc), wait_seconds=exc.wait_seconds)
        except GoneError as exc:
            return Failed(clock.now(), reason(exc), is_gone=exc.args[0].endswith(" 410"))
        except OverdueError as exc:
            return Failed(clock.now(), f"reading the feed: {exc}")
        except ClusterError as exc:
            return Failed(clock.now(), reason(exc))
        except NotAFeedError as exc:
            return Failed(clock.now(), str(exc))
        return await self._file(answer, told)

    async def _fetch(self) -> Answer:
        headers = {"Accept": _ACCEPT}
        if self.state.etag:
            headers["If-None-Match"] = self.state.etag
        if self.state.modified:
            headers["If-Modified-Since"] = self.state.modified
        return await self._tools.web.get(
            self.state.moved_to or self.feed.url,
            most_bytes=self._limits.feed_bytes,
            headers=headers,
        )

    def _moved(self, answer: Answer) -> str | None:
        return answer.moved_to or self.state.moved_to

    async def _file(self, answer: Answer, told: tuple[Entry, ...]) -> Answered:
        self._closed = {}
        fresh = [one for one in told if self.state.seen.get(one.key) != one.digest]
        filed = 0
        for entry in fresh[: self._limits.pages_per_look]:
            if not await self._is_filed(entry):
                continue
            self._tries.pop(f"delays {entry.key}", None)
            seen = {**self.state.seen, entry.key: entry.digest}
            self.state = self.state.model_copy(update={"seen": seen})
            filed += 1
            if filed % _SAVE_EVERY == 0:
                await self._save()
        return Answered(
            at=clock.now(),
            entries=len(told),
            filed=filed,
            keys=tuple(one.key for one in told),
            etag=answer.etag,
            modified=answer.modified,
            moved_to=self._moved(answer),
            is_complete=filed == len(fresh),
            wait_seconds=min(max(self._closed.values(), default=0.0), _LONGEST_DELAY_SECONDS),
        )

    async def _is_filed(self, entry: Entry) -> bool:
        """Whether the entry is dealt with; False leaves it for the next look."""
        if self._tries.get(f"refusals {entry.key}", 0) >= _MOST_REFUSALS:
            return False
        try:
            return await self._write(entry)
        except RefusedError as exc:
            # The others must not wait for it. It stays unseen, for the reason may be our password.
            self._count(entry)
            log.warning("article refused", url=entry.link, reason=reason(exc))
            return False

    async def _write(self, entry: Entry) -> bool:
        filing = self._tools.filing
        if await self._stubbornly(lambda: filing.is_known(self.feed, entry), _PASSING):
            return True
        page = await self._page(entry)
        if page is None:
            return False
        # A long text's fingerprint would keep every other feed, and health checks, waiting.
        one = await asyncio.to_thread(found, self.feed, entry, page, at=clock.now())
        await self._stubbornly(lambda: filing.file(one), _PASSING)
        return True

    async def _page(self, entry: Entry) -> Page | None:
        """The entry's page; None when its server is to be left alone for now."""
        nothing = Page(entry.link, "")
        if not self.feed.pages:
            return nothing
        try:
            host = place(entry.link)
            if host not in self._closed:
                return await self._tools.pages.read(entry.link)
        except PacedError as exc:
            self._closed[host] = exc.wait_seconds
        return nothing if self._count(entry, of="delays") > _MOST_DELAYS else None

    def _count(self, entry: Entry, *, of: str = "refusals") -> int:
        key = f"{of} {entry.key}"
        self._tries[key] = self._tries.get(key, 0) + 1
        return self._tries[key]

    async def _save(self) -> None:
        self.state = await self._stubbornly(lambda: self._tools.states.save(self.state))

    async def _stubbornly(
        self, call: Callable[[], Awaitable[T]], passing: tuple[type[ClusterError], ...] = _ANY
    ) -> T:
        """The call's result, however long the database is away."""
        delays = backoff(ceiling=15.0)
        while True:
            try:
                return await call()
            except passing as exc:
                pause = next(delays)
                log.warning("database away", reason=str(exc), again_in_seconds=round(pause, 1))
                await asyncio.sleep(pause)

    def _tell(self) -> None:
        _FAILURES.labels(self.feed.name).set(self.state.failures)
        if self.state.last_success is not None:
            _SUCCESS.labels(self.feed.name).set(self.state.last_success.timestamp())
