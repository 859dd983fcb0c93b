"""How tracking ends."""

import asyncio
from typing import Any

import pytest

from runtime import streams
from runtime.errors import UnavailableError
from services.stores.tracking import UsageTracker


class Swallowing:
    """A store whose time-out turns the first cancellation into an outage, as a library may."""

    def __init__(self) -> None:
        self.is_writing = asyncio.Event()
        self.has_swallowed = False

    async def write(self, _calls: Any) -> None:
        self.is_writing.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if self.has_swallowed:
                raise
            self.has_swallowed = True
            raise UnavailableError("writing usage: InfluxDB did not respond") from None


async def test_a_writer_that_swallows_a_cancellation_does_not_delay_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streams, "_CANCEL_AGAIN_SECONDS", 0.01)
    store: Any = Swallowing()

    async def track() -> None:
        async with UsageTracker(store, every_seconds=0.01, flush_seconds=0.05):
            await store.is_writing.wait()

    tracking = asyncio.create_task(track())
    done, _ = await asyncio.wait({tracking}, timeout=5)
    assert done, "the end waits for a writer that nobody cancels again"
    assert store.has_swallowed
