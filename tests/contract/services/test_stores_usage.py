"""Usage in a real InfluxDB: nothing is counted twice or lost during an outage."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from pydantic import SecretStr
from waiting import PATIENCE

from runtime.errors import RefusedError, UnavailableError
from services.stores.tracking import UsageTracker
from services.stores.usage import Call, RejectedError, Usage, UsageHour

Eventually = Callable[..., Awaitable[Any]]
HOUR = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
WHOLE = {"since": HOUR - timedelta(days=1), "until": HOUR + timedelta(days=1)}


@pytest.fixture
def usage(session: aiohttp.ClientSession, influx_url: str, influx_password: SecretStr) -> Usage:
    return Usage(session, influx_url, "spotswarm", influx_password)


def call(number: int = 0, **changes: Any) -> Call:
    told: dict[str, Any] = {
        "at_nanoseconds": int(HOUR.timestamp()) * 10**9 + number,
        "token": "t1",
        "account": "a1",
        "route": "/v1/news/{id}",
        "method": "GET",
        "status": 200,
        "latency_ms": 10.0 + number,
    }
    return Call(**(told | changes))


def track(tracker: UsageTracker, *, at: datetime = HOUR) -> None:
    tracker.track(
        at=at,
        token="t1",
        account="a1",
        route="/v1/news",
        method="GET",
        status=200,
        latency_ms=1.5,
    )


async def calls(usage: Usage) -> int:
    return sum(hour.calls for hour in await usage.by_hour("a1", **WHOLE))


async def test_calls_are_read_by_hour_with_errors_and_percentiles(usage: Usage) -> None:
    later = int((HOUR + timedelta(hours=2)).timestamp()) * 10**9
    await usage.write(
        [call(number) for number in range(100)]
        + [call(at_nanoseconds=later, status=429), call(at_nanoseconds=later + 1, status=503)]
    )
    first, second = await usage.by_hour("a1", **WHOLE)
    assert (first.at, first.calls, first.errors) == (HOUR, 100, 0)
    assert first.p50_ms == pytest.approx(59, abs=2)
    assert first.p95_ms == pytest.approx(104, abs=2)
    assert (second.at, second.calls, second.errors) == (HOUR + timedelta(hours=2), 2, 2)


async def test_writing_again_counts_nothing_twice(usage: Usage) -> None:
    batch = [call(number) for number in range(10)]
    await usage.write(batch)
    await usage.write(batch)
    assert await calls(usage) == 10


async def test_accounts_and_tokens_see_their_own_calls(usage: Usage) -> None:
    await usage.write([call(0), call(1, token="t2"), call(2, account="a2")])

    async def seen(account: str, token: str | None = None) -> int:
        hours: list[UsageHour] = await usage.by_hour(account, token, **WHOLE)
        return sum(hour.calls for hour in hours)

    assert [await seen("a1"), await seen("a1", "t2"), await seen("a2")] == [2, 1, 1]
    assert await seen("a1' OR 'a'='a") == 0


async def test_any_text_can_be_a_tag(usage: Usage) -> None:
    odd = 'a b,c=d"e\\'
    await usage.write([call(account=odd, token="")])
    assert len(await usage.by_hour(odd.replace("\\", "/"), **WHOLE)) == 1


async def test_without_calls_the_usage_is_empty(usage: Usage) -> None:
    assert await usage.by_hour("a1", **WHOLE) == []


async def test_a_wrong_password_is_refused(session: aiohttp.ClientSession, influx_url: str) -> None:
    usage = Usage(session, influx_url, "spotswarm", SecretStr("wrong"))
    with pytest.raises(RefusedError) as told:
        await usage.write([call()])
    assert not isinstance(told.value, RejectedError)
    assert "wrong" not in str(told.value)


async def test_an_invalid_point_is_rejected_without_blocking_others(usage: Usage) -> None:
    with pytest.raises(RejectedError):
        await usage.write([call(at_nanoseconds=2**70)])
    tracker = UsageTracker(usage)
    tracker._waiting.append(call(at_nanoseconds=2**70))
    async with tracker:
        pass
    assert (tracker.dropped, tracker.waiting) == (1, 0)


async def test_calls_are_written_in_the_background_and_the_rest_at_the_end(
    usage: Usage, eventually: Eventually
) -> None:
    tracker = UsageTracker(usage, every_seconds=0.01, flush_seconds=5 * PATIENCE)
    async with tracker:
        track(tracker)

        async def is_written() -> bool:
            return await calls(usage) == 1

        assert await eventually(is_written)
        for _ in range(2500):
            track(tracker)
    assert await calls(usage) == 2501
    assert (tracker.written, tracker.waiting, tracker.dropped) == (2501, 0, 0)


async def test_calls_during_an_outage_are_written_afterwards(
    usage: Usage, stores: Any, eventually: Eventually
) -> None:
    async with UsageTracker(usage, every_seconds=0.01) as tracker:
        track(tracker)
        await stores.stop("influx")
        assert await usage.check() is not None
        with pytest.raises(UnavailableError):
            await usage.by_hour("a1", **WHOLE)
        for _ in range(50):
            track(tracker)
        await asyncio.sleep(0)
        assert tracker.waiting >= 50
        await stores.start("influx")

        async def are_written() -> bool:
            return tracker.waiting == 0

        assert await eventually(are_written, within=60)
    assert await calls(usage) == 51
    assert tracker.dropped == 0


async def test_when_the_queue_is_full_the_oldest_calls_are_dropped_and_counted(
    usage: Usage,
) -> None:
    tracker = UsageTracker(usage, capacity=10)
    for minute in range(15):
        track(tracker, at=HOUR + timedelta(hours=minute))
    assert (tracker.waiting, tracker.dropped) == (10, 5)
    async with tracker:
        pass
    kept = await usage.by_hour("a1", **WHOLE)
    assert kept[0].at == HOUR + timedelta(hours=5)


async def test_leaving_during_an_outage_takes_no_longer_than_allowed(
    usage: Usage, stores: Any
) -> None:
    await stores.stop("influx")
    tracker = UsageTracker(usage, flush_seconds=0.2)
    async with asyncio.timeout(30):
        async with tracker:
            track(tracker)
    assert tracker.waiting == 1
