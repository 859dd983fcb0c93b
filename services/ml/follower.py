"""Follows changes to the database, analyses articles in batches, and saves its position.

Rule: the position is saved after the analyses are written. After a crash, some changes are read
again, but articles with a current analysis are skipped. If a write conflicts, it is not retried:
the article has changed, so it will appear among the changes again.
"""

import asyncio
from typing import Final

import structlog
from prometheus_client import Counter, Gauge

from runtime import clock
from runtime.backoff import backoff
from runtime.errors import ClusterError, GoneError, UnavailableError
from runtime.web.faults import counted
from services.ml.batches import Batch, prepare
from services.ml.version import VERSION, is_older
from services.stores.couch import Changes, ConflictError, Couch, Document, Place, Written
from services.stores.news import DATABASE

log = structlog.get_logger("ml")

CHECKPOINT: Final = "ml"
_ARTICLES: Final = Counter("ml_articles_total", "Changed articles, by outcome", ["outcome"])
_LAST: Final = Gauge("ml_last_batch_timestamp_seconds", "When changes were last processed")
_BEHIND: Final = Gauge("ml_is_behind", "1 while more changes are waiting")
_CHANGES: Final = "changes of the news database"
_CONFLICT: Final = "conflict"
_FORBIDDEN: Final = "forbidden"


class Follower:
    """Follows the changes to one news database. Call `run` in a background task."""

    def __init__(
        self, couch: Couch, *, batch: int, wait_seconds: float, database: str = DATABASE
    ) -> None:
        self._couch = couch
        self._database = database
        self._batch = batch
        self._wait_seconds = wait_seconds
        self._since: Place | None = None
        self._faults = counted()
        self._reason: str | None = "no changes have been read yet"

    async def check(self) -> str | None:
        """Readiness check: return None if changes can be read, otherwise the problem."""
        return self._reason

    async def run(self) -> None:
        """Follow the changes until cancelled, retrying while the database is unavailable."""
        delays = backoff(ceiling=15.0)
        while True:
            try:
                await self.step()
                delays = backoff(ceiling=15.0)
                self._reason = None
                continue
            except GoneError:
                # The saved position belonged to a database that has been deleted.
                self._since = None
                self._reason = "the news database does not exist yet"
            except ClusterError as exc:
                self._reason = str(exc)
            except Exception as exc:  # noqa: BLE001  a change may contain anything
                self._reason = f"processing changes: {self._faults.note(_CHANGES, exc)}"
            pause = next(delays)
            log.warning(
                "could not read changes; retrying",
                reason=self._reason,
                retry_in_seconds=round(pause, 1),
            )
            await asyncio.sleep(pause)

    async def step(self) -> Batch:
        """Wait up to `wait_seconds` for changes, then process the next batch."""
        since = await self._place()
        changes = await self._couch.changes(
            self._database,
            since,
            limit=self._batch,
            wait_seconds=self._wait_seconds,
            include_docs=True,
        )
        # Run in a thread because analysing fifty long articles would delay health checks.
        batch = await asyncio.to_thread(prepare, changes.rows, at=clock.now())
        self._count(batch, await self._couch.bulk(self._database, batch.writes))
        await self._save_place(since, changes)
        return batch

    async def _place(self) -> Place:
        """Return the position to continue from.

        The stored position is read every time, in case the database was replaced.
        """
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
                # During updates, two replicas run briefly. The other replica's position works
                # too, because articles that were already analysed are skipped.
                log.info("kept the position that another replica saved")

    def _count(self, batch: Batch, written: list[Written]) -> None:
        counts = {"analysed": 0, "conflict": 0, "refused": 0}
        for result in written:
            if result.error is None:
                counts["analysed"] += 1
            elif result.error == _CONFLICT:
                counts["conflict"] += 1
            elif result.error == _FORBIDDEN:
                counts["refused"] += 1
                log.error("CouchDB rejected the analysis", article=result.id, reason=result.error)
            else:
                # The batch will be retried, skipping the articles that were written.
                raise UnavailableError(f"writing {result.id}: CouchDB returned {result.error}")
        for article, reason in batch.poison.items():
            log.error("could not analyse the article; skipping it", article=article, reason=reason)
        counts |= {"done": batch.done, "poison": len(batch.poison)}
        for outcome, times in counts.items():
            if times:
                _ARTICLES.labels(outcome).inc(times)
        if counts["analysed"] or counts["conflict"]:
            log.info("analysed articles", **counts)


def _start(stored: Document | None) -> Place:
    """Return the saved position, or 0 if there is none or its version is outdated."""
    if stored is None or is_older(str(stored.get("version", ""))):
        return 0
    since = stored.get("since", 0)
    return since if isinstance(since, (int, str)) else 0
