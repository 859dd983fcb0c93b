"""A real InfluxDB that stores only a part of a batch, because a tag has too many values."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
import structlog
from ports import free_port
from pydantic import SecretStr

from lab.site import host_stores
from services.stores.tracking import UsageTracker
from services.stores.usage import Usage

HOUR = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
MOST = 5


@pytest.fixture
def small(tmp_path: Path) -> Iterator[host_stores.Influx]:
    store = host_stores.Influx(
        tmp_path / "influx", free_port(), inner_port=free_port(), values_per_tag=MOST
    )
    store.start()
    yield store
    store.stop()


def track(tracker: UsageTracker, token: str) -> None:
    tracker.track(
        at=HOUR,
        token=token,
        account="a1",
        route="/v1/news",
        method="GET",
        status=200,
        latency_ms=1.5,
    )


async def test_what_was_stored_stays_and_the_rest_is_counted(
    small: host_stores.Influx, session: aiohttp.ClientSession
) -> None:
    usage = Usage(session, small.url, host_stores.USER, SecretStr(small.password))
    tracker = UsageTracker(usage)
    with structlog.testing.capture_logs() as logs:
        for number in range(MOST):
            track(tracker, f"t{number}")
        await tracker._write_some()
        for number in range(MOST + 3):
            track(tracker, f"t{number}")
        await tracker._write_some()
        for number in range(2):
            track(tracker, f"t{number}")
        await tracker._write_some()

    stored = await usage.by_hour(
        "a1", since=HOUR - timedelta(days=1), until=HOUR + timedelta(days=1)
    )
    # InfluxDB 1.6 says that it dropped three points, and loses three points of known tokens too.
    # What it says is all that a client can count.
    assert sum(hour.calls for hour in stored) >= MOST + 2 + 2
    assert (tracker.written, tracker.dropped) == (MOST + MOST + 2, 3)
    (warning,) = [line for line in logs if line["log_level"] == "warning"]
    assert "max-values-per-tag" in warning["reason"]
    assert "the tag token" in warning["reason"]
