"""InfluxDB rejects a part of a batch: only that part counts as dropped, with the reason."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import aiohttp
import pytest
import structlog
from aiohttp import web
from memory_connections import Connector

from runtime.errors import UnavailableError
from services.stores.tracking import UsageTracker
from services.stores.usage import PartialWriteError, RejectedError, Usage
from services.stores.usage_errors import rejection

AT = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
FULL = (
    "partial write: max-values-per-tag limit exceeded (5/5):"
    ' measurement="call" tag="token" value="t6" dropped=3'
)


class Influx:
    """An InfluxDB whose answers to writes are given."""

    def __init__(self, *answers: tuple[int, str]) -> None:
        self._answers = list(answers)
        self.bodies: list[str] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.bodies.append((await request.read()).decode())
        status, error = self._answers.pop(0) if self._answers else (204, "")
        if status == 204:
            return web.Response(status=204)
        return web.json_response({"error": error}, status=status)


@asynccontextmanager
async def usage_of(influx: Influx) -> AsyncIterator[Usage]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", influx.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    async with aiohttp.ClientSession(connector=Connector({"influxdb": runner.server})) as session:
        yield Usage(session, "http://influxdb:8086")
    await runner.cleanup()


def track(tracker: UsageTracker, token: str) -> None:
    tracker.track(
        at=AT, token=token, account="a", route="/v1/news", method="GET", status=200, latency_ms=1.0
    )


async def test_only_what_was_not_stored_counts_as_dropped() -> None:
    influx = Influx((400, FULL), (400, FULL))
    async with usage_of(influx) as usage:
        tracker = UsageTracker(usage)
        with structlog.testing.capture_logs() as logs:
            for _ in range(2):
                for number in range(8):
                    track(tracker, f"t{number}")
                await tracker._write_some()
            track(tracker, "t1")
            await tracker._write_some()

    assert (tracker.written, tracker.dropped, tracker.waiting) == (5 + 5 + 1, 3 + 3, 0)
    assert [body.count("\n") + 1 for body in influx.bodies] == [8, 8, 1]
    (warning,) = logs
    assert "max-values-per-tag" in warning["reason"]
    assert "the tag token" in warning["reason"]
    assert "t6" not in str(warning)


@pytest.mark.parametrize(
    ("text", "dropped", "words"),
    [
        (FULL, 3, "max-values-per-tag"),
        ("partial write: points beyond retention policy dropped=2", 2, "older than InfluxDB keeps"),
        ("partial write: max-series-per-database limit exceeded: (9) dropped=4", 4, "max-series"),
        ("partial write: unable to parse 'a': x\nunable to parse 'b': y dropped=0", 2, "a part"),
        ('{"error":"partial write: x dropped=1"}', 1, "only a part"),
    ],
)
def test_each_reason_is_explained_without_the_values(text: str, dropped: int, words: str) -> None:
    error = rejection("writing usage", 400, text)

    assert isinstance(error, PartialWriteError)
    assert error.dropped == dropped
    assert words in str(error)


def test_a_batch_that_is_rejected_as_a_whole_is_lost_as_a_whole() -> None:
    error = rejection("writing usage", 400, '{"error":"unable to parse \'call\'"}')

    assert isinstance(error, RejectedError)
    assert not isinstance(error, PartialWriteError)


@pytest.mark.parametrize(
    "text",
    [
        '{"results":[{"error":"timeout"}]}',
        '{"error":"timeout"}',
        '{"results":[{"series":[{}]}]}',
        '{"results":[{"series":[{"values":[[1]]}]}]}',
        '{"results":[{"series":[{"values":[[1e99,1,1,1,1]]}]}]}',
        '{"results":[7]}',
        "[",
    ],
)
async def test_an_answer_that_is_none_is_an_outage(text: str) -> None:
    async def answer(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(text=text)

    influx = Influx()
    influx.answer = answer  # type: ignore[method-assign]
    async with usage_of(influx) as usage:
        with pytest.raises(UnavailableError):
            await usage.by_hour("a", since=AT, until=AT)
