"""The shell: read changes, analyse, write, remember the place, for ever.

Rule: the place is remembered after the writes, so a crash repeats reading and never an analysis:
what was written is found done. An article that somebody wrote meanwhile conflicts, and needs no
second try here: it comes again, for its change is behind our place.
"""

import asyncio
from typing import Final

import structlog
from prometheus_client import Counter, Gauge

from runtime import clock
from runtime.backoff import backoff
from runtime.errors import ClusterError, GoneError, UnavailableError
from services.ml.batches import Batch, prepare
from services.ml.version import VERSION, is_older
from services.stores.couch import Changes, ConflictError, Couch, Document, Place, Written
from services.stores.news import DATABASE

log = structlog.get_logger("ml")

CHECKPOINT: Final = "ml"
_ARTICLES: Final = Counter("ml_articles_total", "Articles seen in changes", ["outcome"])
_LAST: Final = Gauge("ml_last_batch_timestamp_seconds", "When changes were last dealt with")
_BEHIND: Final = Gauge("ml_is_behind", "1 while there are changes that were not looked at yet")
_CONFLICT: Final = "conflict"
_FORBIDDEN: Final = "forbidden"


class Follower:
    """Follows one news database."""

    def __init__(
        self, couch: Couch, *, batch: int, wait_seconds: float, database: str = DATABASE
    ) -> None:
        self._couch = couch
        self._database = database
        self._batch = batch
        self._wait_seconds = wait_seconds
        self._since: Place | None = None
        self._reason: str | None = "no changes were read yet"

    async def check(self) -> str | None:
        """None while changes are followed, else a sentence: for readiness."""
        return self._reason

    async def run(self) -> None:
        """For ever; whatever is wrong with the database is waited out."""
        delays = backoff(ceiling=15.0)
        while True:
            try:
                await self.step()
                delays = backoff(ceiling=15.0)
                self._reason = None
                continue
            except GoneError:
                # Made by whoever comes first. Our place is of a database that is no more.
                self._since = None
                self._reason = "there is no news database yet"
            except ClusterError as exc:
                self._reason = str(exc)
            pause = next(delays)
            log.warning(
                "changes not followed", reason=self._reason, again_in_seconds=round(pause, 1)
            )
            await asyncio.sleep(pause)

    async def step(self) -> Batch:
        """Deal with the next changes, or wait for one for a while."""
        since = await self._place()
        changes = await self._couch.changes(
            self._database,
            since,
            limit=self._batch,
            wait_seconds=self._wait_seconds,
            include_docs=True,
        )
        # The analysis is quick, but fifty long articles would keep health checks waiting.
        batch = await asyncio.to_thread(prepare, changes.rows, at=clock.now())
        self._count(batch, await self._couch.bulk(self._database, batch.writes))
        await self._remember(since, changes)
        return batch

    async def _place(self) -> Place:
        """Where to go on: read again every time, for the database may be another than it was."""
        kept = await self._couch.local(self._database, CHECKPOINT)
        if self._since is None or kept is None:
            self._since = _start(kept)
        return self._since

    async def _remember(self, since: Place, changes: Changes) -> None:
        self._since = changes.last_seq
        _LAST.set(clock.now().timestamp())
        _BEHIND.set(1 if len(changes.rows) >= self._batch else 0)
        if changes.last_seq != since:
            place = {"since": changes.last_seq, "version": VERSION}
            try:
                await self._couch.put_local(self._database, CHECKPOINT, place)
            except ConflictError:
                # Two of us run for a moment during an update: the other's place is as good, for
                # wherever the next one begins, it finds done what is done.
                log.info("place remembered by another")

    def _count(self, batch: Batch, written: list[Written]) -> None:
        told = {"analysed": 0, "conflict": 0, "refused": 0}
        for one in written:
            if one.error is None:
                told["analysed"] += 1
            elif one.error == _CONFLICT:
                told["conflict"] += 1
            elif one.error == _FORBIDDEN:
                told["refused"] += 1
                log.error("analysis refused", article=one.id, reason=one.error)
            else:
                # The same batch again: what was written of it is found done.
                raise UnavailableError(f"writing {one.id}: CouchDB said {one.error}")
        for article, reason in batch.poison.items():
            log.error("article skipped", article=article, reason=reason)
        told |= {"done": batch.done, "poison": len(batch.poison)}
        for outcome, times in told.items():
            if times:
                _ARTICLES.labels(outcome).inc(times)
        if told["analysed"] or told["conflict"]:
            log.info("articles analysed", **told)


def _start(kept: Document | None) -> Place:
    """A place that an older version left says nothing of what we would have found."""
    if kept is None or is_older(str(kept.get("version", ""))):
        return 0
    since = kept.get("since", 0)
    return since if isinstance(since, (int, str)) else 0
