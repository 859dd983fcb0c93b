"""What the market announces, to whom, and what it then does."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lab.aws.announced import By, Taking
from lab.aws.cloud import Instance
from lab.aws.eventbridge import Action, Code
from lab.aws.market import GRACE_SECONDS, TAKEN_GRACE_SECONDS, Market
from lab.host import LabError
from lab.machines.record import Stage

NOW = datetime(2019, 1, 21, 9, 0, 43, 700_000, tzinfo=UTC)
LATER = NOW + timedelta(minutes=2)


class Queue(list[dict[str, Any]]):
    def send(self, body: str) -> None:
        self.append(json.loads(body))


@pytest.fixture
def queue() -> Queue:
    return Queue()


@pytest.fixture
def market(queue: Queue) -> Market:
    return Market(queue.send)


def interrupt(
    market: Market, instance: Instance, action: Action = Action.TERMINATE, by: By = By.BOTH
) -> None:
    market.interrupt(instance, action=action, by=by, now=NOW, at=LATER)


def test_an_interruption_stands_in_metadata_and_queue(
    market: Market, queue: Queue, spot: Instance
) -> None:
    interrupt(market, spot)

    assert json.loads(market.text(spot, "spot/instance-action") or "") == {
        "action": "terminate",
        "time": "2019-01-21T09:02:43Z",
    }
    assert market.text(spot, "spot/termination-time") == "2019-01-21T09:02:43Z"
    assert [event["detail"]["instance-action"] for event in queue] == ["terminate"]


def test_only_a_termination_has_a_termination_time(market: Market, spot: Instance) -> None:
    interrupt(market, spot, Action.HIBERNATE)

    assert "hibernate" in (market.text(spot, "spot/instance-action") or "")
    assert market.text(spot, "spot/termination-time") is None


@pytest.mark.parametrize(
    ("by", "metadata", "events"),
    [(By.BOTH, True, 1), (By.IMDS, True, 0), (By.SQS, False, 1), (By.NEITHER, False, 0)],
)
def test_who_is_told_is_chosen_and_who_is_not_is_taken_all_the_same(
    market: Market, queue: Queue, spot: Instance, by: By, metadata: bool, events: int
) -> None:
    interrupt(market, spot, by=by)

    assert (market.text(spot, "spot/instance-action") is not None) is metadata
    assert len(queue) == events
    assert market.due({spot.id: spot}, now=LATER) == {spot.id: Taking.TERMINATE}


def test_an_instance_is_taken_once_and_not_before_its_time(market: Market, spot: Instance) -> None:
    interrupt(market, spot, Action.STOP)

    assert market.due({spot.id: spot}, now=LATER - timedelta(seconds=1)) == {}
    assert market.grace(spot.id) == GRACE_SECONDS
    assert market.due({spot.id: spot}, now=LATER) == {spot.id: Taking.STOP}
    assert market.grace(spot.id) == TAKEN_GRACE_SECONDS
    assert market.due({spot.id: spot}, now=LATER) == {}


def test_an_instance_that_left_by_itself_is_not_taken(market: Market, spot: Instance) -> None:
    interrupt(market, spot)

    assert market.due({spot.id: replace(spot, state="terminated")}, now=LATER) == {}


def test_a_hint_has_the_time_it_was_given_and_no_consequence(
    market: Market, queue: Queue, spot: Instance
) -> None:
    market.hint(spot, by=By.BOTH, now=NOW)

    told = market.text(spot, "events/recommendations/rebalance")
    assert json.loads(told or "") == {"noticeTime": "2019-01-21T09:00:43Z"}
    assert len(queue) == 1
    assert market.due({spot.id: spot}, now=LATER) == {}


def test_scheduled_maintenance_is_a_list_that_may_be_empty(market: Market, spot: Instance) -> None:
    assert market.text(spot, "events/maintenance/scheduled") == "[]"

    market.maintain(spot, code=Code.SYSTEM_REBOOT, by=By.BOTH, now=NOW, at=LATER)

    (planned,) = json.loads(market.text(spot, "events/maintenance/scheduled") or "")
    assert planned.pop("EventId").startswith("instance-event-")
    assert planned == {
        "NotBefore": "21 Jan 2019 09:02:43 GMT",
        "Code": "system-reboot",
        "Description": "scheduled reboot",
        "NotAfter": "21 Jan 2019 11:02:43 GMT",
        "State": "active",
    }


@pytest.mark.parametrize(
    ("code", "spots", "others"),
    [
        (Code.RETIREMENT, Taking.TERMINATE, Taking.STOP),
        (Code.STOP, Taking.TERMINATE, Taking.STOP),
        (Code.REBOOT, Taking.REBOOT, Taking.REBOOT),
        (Code.SYSTEM_REBOOT, Taking.REBOOT, Taking.REBOOT),
        (Code.MAINTENANCE, None, None),
    ],
)
def test_maintenance_takes_place(
    market: Market,
    spot: Instance,
    on_demand: Instance,
    code: Code,
    spots: Taking | None,
    others: Taking | None,
) -> None:
    for instance in (spot, on_demand):
        market.maintain(instance, code=code, by=By.NEITHER, now=NOW, at=LATER)

    due = market.due({spot.id: spot, on_demand.id: on_demand}, now=LATER)

    assert (due.get(spot.id), due.get(on_demand.id)) == (spots, others)
    assert market.text(spot, "events/maintenance/scheduled") == "[]"


def test_what_is_withdrawn_is_silent_and_does_not_happen(
    market: Market, queue: Queue, spot: Instance
) -> None:
    interrupt(market, spot)
    market.maintain(spot, code=Code.STOP, by=By.BOTH, now=NOW, at=LATER)
    queue.clear()

    market.withdraw(spot, now=NOW)

    assert market.text(spot, "spot/instance-action") is None
    assert market.due({spot.id: spot}, now=LATER) == {}
    assert [event["detail"]["statusCode"] for event in queue] == ["closed"]


def test_on_demand_instances_are_not_taken_back(market: Market, on_demand: Instance) -> None:
    with pytest.raises(LabError, match="on-demand"):
        interrupt(market, on_demand)
    with pytest.raises(LabError, match="on-demand"):
        market.hint(on_demand, by=By.BOTH, now=NOW)


def test_nothing_is_announced_of_what_does_not_run(market: Market, spot: Instance) -> None:
    with pytest.raises(LabError, match="is not running"):
        interrupt(market, replace(spot, state="stopped"))


def test_every_change_of_state_is_told_once(market: Market, queue: Queue, spot: Instance) -> None:
    stages = {spot.id: Stage.BOOTED}
    for _ in range(2):
        market.observe({spot.id: spot}, stages, now=NOW)
    market.observe({spot.id: replace(spot, state="terminated")}, stages, now=NOW)
    market.observe({spot.id: replace(spot, state="terminated")}, {}, now=NOW)

    told = [event["detail"]["state"] for event in queue]
    assert told == ["pending", "running", "shutting-down", "terminated"]


def test_an_instance_started_again_before_anybody_looked_can_be_taken_again(
    market: Market, spot: Instance
) -> None:
    stopped = {spot.id: replace(spot, state="stopped")}
    market.observe({spot.id: spot}, {spot.id: Stage.ENGINE}, now=NOW)
    interrupt(market, spot, Action.STOP)
    market.due({spot.id: spot}, now=LATER)
    market.observe(stopped, {spot.id: Stage.ENGINE}, now=LATER)
    market.observe({spot.id: spot}, {spot.id: Stage.STOPPED}, now=LATER)
    interrupt(market, spot)

    assert market.due({spot.id: spot}, now=LATER) == {spot.id: Taking.TERMINATE}


def test_an_instance_that_was_stopped_and_started_has_a_clean_slate(
    market: Market, spot: Instance
) -> None:
    interrupt(market, spot, Action.STOP)
    market.due({spot.id: spot}, now=LATER)
    market.observe({spot.id: replace(spot, state="stopped")}, {spot.id: Stage.STOPPED}, now=LATER)

    assert market.text(spot, "spot/instance-action") is None
    assert market.due({spot.id: spot}, now=LATER) == {}
