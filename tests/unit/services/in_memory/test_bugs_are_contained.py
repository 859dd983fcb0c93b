"""What one item raises, even because of a bug of ours, ends only the handling of that item."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog

from runtime.errors import GoneError, UnavailableError
from services.cp_api.batching import Batcher
from services.cp_api.paced_gateway import PacedGateway
from services.cp_api.pacing import Pace, Pacer
from services.cp_api_tickle.daemon import Tickler
from services.cp_api_tickle.decide import Policy
from services.stores.tracking import UsageTracker
from services.webservice.panels import panel

AT = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)


async def bug(*_: Any) -> Any:
    raise KeyError("a bug of ours")


@pytest.fixture
def logs() -> Any:
    with structlog.testing.capture_logs() as lines:
        yield lines


async def test_a_panel_that_cannot_be_shown_costs_only_itself(logs: Any) -> None:
    shown = await panel("news", bug(), seconds=1, away="not now")

    assert shown.problem == "not now"
    assert logs[0]["log_level"] == "error"


async def test_what_is_gone_is_still_for_the_page_to_decide() -> None:
    async def gone() -> None:
        raise GoneError("no such article")

    with pytest.raises(GoneError):
        await panel("article", gone(), seconds=1, away="not now")


async def test_usage_that_cannot_be_written_does_not_end_the_writer(logs: Any) -> None:
    class Store:
        written = 0

        async def write(self, calls: Any) -> None:
            if any(call.token == "odd" for call in calls):
                await bug()
            self.written += len(calls)

    store: Any = Store()
    tracker = UsageTracker(store)
    for token in ("odd", "t1"):
        tracker.track(
            at=AT, token=token, account="a", route="/", method="GET", status=200, latency_ms=1
        )
        await tracker._write_some()

    assert (store.written, tracker.written, tracker.dropped) == (1, 1, 1)
    assert logs[0]["event"] == "dropped usage data because of a bug"


async def test_a_response_that_is_misread_does_not_end_later_requests(logs: Any) -> None:
    async def ask(due: Any) -> Any:
        keys = due()
        return await bug() if "odd" in keys else dict.fromkeys(keys, 1)

    batcher: Batcher[str, int] = Batcher("quotes", ask, most=5, patience_seconds=1)
    running = asyncio.create_task(batcher.run())
    with pytest.raises(UnavailableError):
        await batcher.get("odd")
    assert await batcher.get("good") == 1
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert logs[0]["requests"] == "quotes"


async def test_a_session_check_that_fails_is_repeated(logs: Any) -> None:
    class Gateway:
        tickle = auth_status = bug

    gateway: Any = Gateway()
    tickler = Tickler(gateway, None, policy=Policy(300), every_seconds=60)  # type: ignore[arg-type]
    assert (await tickler._tickle()).state == "away"
    pacer = Pacer({"*": Pace(1000.0, burst=100)})
    paced = PacedGateway(gateway, pacer, queue_seconds=5, penalty_seconds=1, status_seconds=1)
    # The check calls the client's method by its class, which this stand-in is not.
    assert not (await paced._check_session()).reachable
    assert {line["log_level"] for line in logs} == {"error"}
