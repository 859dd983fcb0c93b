"""Follows the database's changes: reads a batch, analyses it, writes it, saves its place.

Rule: the place is saved after the writes. A crash then repeats reads but no analysis, because the
written articles are current. A write that conflicts needs no retry: the article has changed, so it
appears among the changes again.
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
_ARTICLES: Final = Counter("ml_articles_total", "Articles among the changes", ["outcome"])
_LAST: Final = Gauge("ml_last_batch_timestamp_seconds", "When changes were last processed")
_BEHIND: Final = Gauge("ml_is_behind", "1 while more changes are waiting")
_CONFLICT: Final = "conflict"
_FORBIDDEN: Final = "forbidden"


class Follower:
    """Follows one news database; `run` must be running."""

    def __init__(
        self, couch: Couch, *, batch: int, wait_seconds: float, database: str = DATABASE
    ) -> None:
        self._couch = couch
        self._database = database
        self._batch = batch
        self._wait_seconds = wait_seconds
        self._since: Place | None = None
        self._reason: str | None = "no changes have been read yet"

    async def check(self) -> str | None:
        """For readiness: None while changes are followed, else a sentence."""
        return self._reason

    async def run(self) -> None:
        """Run until cancelled; wait for a database that fails."""
        delays = backoff(ceiling=15.0)
        while True:
            try:
                await self.step()
                delays = backoff(ceiling=15.0)
                self._reason = None
                continue
            except GoneError:
                # The first service to write creates it. Our place was in the old database.
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
        """Process the next changes, waiting for one for a while."""
        since = await self._place()
        changes = await self._couch.changes(
            self._database,
            since,
            limit=self._batch,
            wait_seconds=self._wait_seconds,
            include_docs=True,
        )
        # In a thread: fifty long articles would delay health checks.
        batch = await asyncio.to_thread(prepare, changes.rows, at=clock.now())
        self._count(batch, await self._couch.bulk(self._database, batch.writes))
        await self._save_place(since, changes)
        return batch

    async def _place(self) -> Place:
        """Where to continue; read every time, in case the database was replaced."""
        stored = await self._couch.local(self._database, CHECKPOINT)
        if self._since is None or stored is None:
            self._since = _start(stored)
        return self._since

    async def _save_place(self, since: Place, changes: Changes) -> None:
        self._since = changes.last_seq
        _LAST.set(clock.now().timestamp())
        _BEHIND.set(1 if len(changes.rows) >= self._batch else 0)
        if changes.last_seq != since:
            place = {"since": changes.last_seq, "version": VERSION}
            try:
                await self._couch.put_local(self._database, CHECKPOINT, place)
            except ConflictError:
                # Two replicas run briefly during an update. The other's place is as good: from
                # there on, articles that are done are skipped.
                log.info("another replica saved its place")

    def _count(self, batch: Batch, written: list[Written]) -> None:
        counts = {"analysed": 0, "conflict": 0, "refused": 0}
        for result in written:
            if result.error is None:
                counts["analysed"] += 1
            elif result.error == _CONFLICT:
                counts["conflict"] += 1
            elif result.error == _FORBIDDEN:
                counts["refused"] += 1
                log.error("analysis refused", article=result.id, reason=result.error)
            else:
                # The batch is repeated; what was written of it will be skipped.
                raise UnavailableError(f"writing {result.id}: CouchDB answered {result.error}")
        for article, reason in batch.poison.items():
            log.error("article skipped", article=article, reason=reason)
        counts |= {"done": batch.done, "poison": len(batch.poison)}
        for outcome, times in counts.items():
            if times:
                _ARTICLES.labels(outcome).inc(times)
        if counts["analysed"] or counts["conflict"]:
            log.info("articles analysed", **counts)


def _start(stored: Document | None) -> Place:
    """The saved place; the beginning if an older version saved it."""
    if stored is None or is_older(str(stored.get("version", ""))):
        return 0
    since = stored.get("since", 0)
    return since if isinstance(since, (int, str)) else 0
