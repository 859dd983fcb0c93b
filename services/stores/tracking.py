"""Records API calls in memory, and writes them to InfluxDB in batches in the background.

Rule: `track` must never wait or fail, even if InfluxDB is unavailable, because every request calls
this method. When the queue is full, the oldest calls are dropped and counted in a metric.
"""

import asyncio
import random
from collections import deque
from contextlib import suppress
from datetime import datetime
from types import TracebackType
from typing import Final, Self

import structlog
from prometheus_client import Counter, Gauge

from runtime.backoff import backoff
from runtime.errors import ClusterError
from runtime.streams import cancel_all
from services.stores.usage import Call, PartialWriteError, RejectedError, Usage

log = structlog.get_logger("usage")

_WRITTEN: Final = Counter("usage_calls_written_total", "Calls written to InfluxDB.")
_DROPPED: Final = Counter("usage_calls_dropped_total", "Calls that were dropped.")
_WAITING: Final = Gauge("usage_calls_waiting", "Calls in the queue.")

CAPACITY: Final = 10_000
BATCH: Final = 1_000
EVERY_SECONDS: Final = 1.0
FLUSH_SECONDS: Final = 5.0
"""How long writing the remaining calls may take at shutdown."""
_PAUSE_SECONDS: Final = 10.0
"""The longest pause between attempts while InfluxDB is unavailable."""
_NANOSECONDS: Final = 1_000


class UsageTracker:
    """Writes API calls to InfluxDB in the background. On exit, writes the remaining calls."""

    def __init__(
        self,
        usage: Usage,
        *,
        capacity: int = CAPACITY,
        every_seconds: float = EVERY_SECONDS,
        flush_seconds: float = FLUSH_SECONDS,
    ) -> None:
        self._usage = usage
        self._waiting: deque[Call] = deque(maxlen=capacity)
        self._batch: list[Call] = []
        self._every = every_seconds
        self._flush = flush_seconds
        self._writer: asyncio.Task[None] | None = None
        # Distinguishes calls that two replicas receive in the same microsecond.
        self._offset = random.randrange(_NANOSECONDS)  # noqa: S311  not used for secrets
        self._last = 0
        self._reasons: set[str] = set()
        self.dropped = 0
        """The number of calls lost because the queue was full or InfluxDB rejected them."""
        self.written = 0

    @property
    def waiting(self) -> int:
        """The number of calls that have not been written yet."""
        return len(self._waiting) + len(self._batch)

    def track(
        self,
        *,
        at: datetime,
        token: str,
        account: str,
        route: str,
        method: str,
        status: int,
        latency_ms: float,
    ) -> None:
        """Add a call to the queue. This method never waits and never fails."""
        if len(self._waiting) == self._waiting.maxlen:
            self._drop(1)
        nanoseconds = int(at.timestamp() * 1e6) * _NANOSECONDS + self._offset
        self._last = max(nanoseconds, self._last + 1)
        self._waiting.append(Call(self._last, token, account, route, method, status, latency_ms))

    async def __aenter__(self) -> Self:
        self._writer = asyncio.create_task(self._write_for_ever(), name="usage writer")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._writer is not None:
            await cancel_all((self._writer,))
            with suppress(asyncio.CancelledError):
                self._writer.result()
        try:
            async with asyncio.timeout(self._flush):
                while self.waiting:
                    await self._write_some()
        except (ClusterError, TimeoutError):
            log.warning("lost usage data at shutdown", calls=self.waiting)

    async def _write_for_ever(self) -> None:
        delays = backoff(ceiling=_PAUSE_SECONDS)
        is_away = False
        while True:
            try:
                is_more = await self._write_some()
            except ClusterError as exc:
                _WAITING.set(self.waiting)
                if not is_away:
                    log.warning("could not write usage data; retrying", reason=str(exc))
                is_away = True
                await asyncio.sleep(next(delays))
                continue
            if is_away:
                log.info("resumed writing usage data", lost=self.dropped)
                is_away = False
                delays = backoff(ceiling=_PAUSE_SECONDS)
            if not is_more:
                await asyncio.sleep(self._every)

    async def _write_some(self) -> bool:
        """Write one batch of calls, and return whether another full batch is waiting."""
        while self._waiting and len(self._batch) < BATCH:
            self._batch.append(self._waiting.popleft())
        dropped = 0
        try:
            await self._usage.write(self._batch)
        except RejectedError as exc:
            # Retrying would block all later calls forever. A part may have been stored.
            dropped = len(self._batch)
            if isinstance(exc, PartialWriteError):
                dropped = min(dropped, exc.dropped)
            self._drop(dropped)
            self._warn(dropped, str(exc))
        except ClusterError:
            raise
        except Exception:
            # One call that cannot be written must not end the writing of all later calls.
            dropped = len(self._batch)
            self._drop(dropped)
            log.exception("dropped usage data because of a bug", calls=dropped)
        written = len(self._batch) - dropped
        self.written += written
        _WRITTEN.inc(written)
        self._batch = []
        _WAITING.set(self.waiting)
        return len(self._waiting) >= BATCH

    def _warn(self, calls: int, reason: str) -> None:
        """Log a reason for dropping calls once; the metric counts what it costs."""
        if reason not in self._reasons:
            self._reasons.add(reason)
            log.warning(
                "dropped usage data because InfluxDB rejected it", calls=calls, reason=reason
            )

    def _drop(self, calls: int) -> None:
        self.dropped += calls
        _DROPPED.inc(calls)
