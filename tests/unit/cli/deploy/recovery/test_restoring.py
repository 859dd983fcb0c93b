"""A service gets back to what it was, wherever the command or Swarm stops on the way."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from randomness import at_most

from cli.deploy.recovery.record import Before
from cli.deploy.recovery.restoring import Restoration, Step
from wire.labels import LABEL_LOAN

NO_ROOM = "no suitable node (max replicas per node limit exceed)"
WANTED = {"ready", "running"}


def spec_of(image: str, order: str = "", *, action: str = "pause", **parts: Any) -> dict[str, Any]:
    spec = {
        "Name": "shop_web",
        "Labels": {},
        "Mode": {"Replicated": {"Replicas": 2}},
        "TaskTemplate": {"ContainerSpec": {"Image": image}},
    }
    if order:
        spec["UpdateConfig"] = {"Order": order, "FailureAction": action}
    return spec | parts


@dataclass
class Swarm:
    """One service of two tasks, of which each node takes one, as swarmkit updates it."""

    spec: dict[str, Any]
    nodes: int
    broken: frozenset[str] = frozenset({"bad"})
    """The images that do not start."""
    previous: dict[str, Any] | None = None
    state: str = ""
    tasks: list[dict[str, Any]] = field(default_factory=list)
    made: int = 0
    calm: int = 0

    def row(self) -> dict[str, Any]:
        return {"ID": "s", "Spec": self.spec, "UpdateStatus": {"State": self.state}}

    def write(self, spec: Any) -> None:
        self.previous, self.spec = self.spec, dict(spec)
        self.state, self.calm = "updating", 0

    def make(self, slot: int) -> dict[str, Any]:
        self.made += 1
        task = {
            "ID": f"t{self.made}",
            "ServiceID": "s",
            "Slot": slot,
            "CreatedAt": f"{self.made:04}",
            "DesiredState": "running",
            "Status": {"State": "pending"},
            "Spec": self.spec["TaskTemplate"],
        }
        self.tasks.append(task)
        return task

    def wanted(self, slot: int | None = None) -> list[dict[str, Any]]:
        return [
            task
            for task in self.tasks
            if task["DesiredState"] in WANTED and slot in {None, task["Slot"]}
        ]

    def settle(self) -> None:
        """Start the service's first tasks."""
        for slot in (1, 2):
            self.make(slot)["Status"] = {"State": "running"}

    def tick(self) -> None:
        if self.state in {"updating", "rollback_started"}:
            for slot in (1, 2):
                self._update(slot)
        for task in self.wanted():
            self._place(task)
        if self.state in {"updating", "rollback_started"} and self._is_even():
            self.calm += 1
            if self.calm >= 2:
                ended = {"updating": "completed", "rollback_started": "rollback_completed"}
                self.state = ended[self.state]

    def roll_back_itself(self) -> None:
        """What Swarm's failure action does; it goes to the spec before the last one."""
        if self.previous is not None and self.state == "updating":
            self.spec, self.previous = self.previous, self.spec
            self.state = "rollback_started"

    def _is_even(self) -> bool:
        return all(
            [(task["Status"]["State"], task["Spec"]) for task in self.wanted(slot)]
            == [("running", self.spec["TaskTemplate"])]
            for slot in (1, 2)
        )

    def _update(self, slot: int) -> None:
        wanted = self.wanted(slot)
        clean = [task for task in wanted if task["Spec"] == self.spec["TaskTemplate"]]
        running = [task for task in clean if task["Status"]["State"] == "running"]
        is_start_first = (self.spec.get("UpdateConfig") or {}).get("Order") == "start-first"
        if running or (clean and not is_start_first):
            keep = (running or clean)[0]
            for task in wanted:
                if task is not keep:
                    task["DesiredState"] = "shutdown"
        elif not clean:
            if not is_start_first:
                for task in wanted:
                    task["DesiredState"] = "shutdown"
            self.make(slot)

    def _place(self, task: dict[str, Any]) -> None:
        if task["Status"]["State"] == "running":
            return
        if sum(other["Status"]["State"] == "running" for other in self.wanted()) >= self.nodes:
            task["Status"] = {"State": "pending", "Err": NO_ROOM}
        elif task["Spec"]["ContainerSpec"]["Image"] in self.broken:
            task["Status"] = {"State": "failed", "Err": "task: non-zero exit (1)"}
            task["DesiredState"] = "shutdown"
            action = (self.spec.get("UpdateConfig") or {}).get("FailureAction", "pause")
            if self.state == "updating" and action == "rollback":
                self.roll_back_itself()
            elif self.state in {"updating", "rollback_started"}:
                self.state = {"updating": "paused"}.get(self.state, "rollback_paused")
        else:
            task["Status"] = {"State": "running"}


def step(restoration: Restoration, swarm: Swarm, at: float, *, is_refused: bool = False) -> Step:
    decided = restoration.step(swarm.row(), swarm.tasks, at)
    if decided.spec is not None and not is_refused:
        swarm.write(decided.spec)
    return decided


def is_as_before(swarm: Swarm, before: Before) -> bool:
    running = [task for task in swarm.wanted() if task["Status"]["State"] == "running"]
    return (
        swarm.spec == before.spec
        and swarm.state in {"", "completed", "rollback_completed"}
        and len(swarm.wanted()) == len(running) == 2
        and all(task["Spec"] == before.spec["TaskTemplate"] for task in running)
    )


def deployed(order: str, new_order: str, image: str, nodes: int, action: str = "pause") -> Any:
    """A service of version `old` to which `image` has been deployed."""
    old = spec_of("old", order)
    swarm = Swarm(old, nodes)
    swarm.settle()
    before = Before("s", old, running=2)
    swarm.write(spec_of(image, new_order, action=action))
    return swarm, before


ORDERS = st.sampled_from(["", "start-first", "stop-first"])
EVENTS = st.sampled_from(["look", "killed", "refused", "away", "swarm"])


@at_most(40)
@given(
    ORDERS,
    ORDERS,
    st.sampled_from(["bad", "good"]),
    st.sampled_from([2, 3]),
    st.sampled_from(["pause", "rollback"]),
    st.integers(0, 6),
    st.lists(EVENTS, max_size=20),
)
@example("start-first", "start-first", "good", 2, "pause", 5, [])  # cases 19 and 23
@example("start-first", "stop-first", "bad", 2, "pause", 5, [])
@example("start-first", "stop-first", "good", 2, "pause", 6, ["look", "killed"] * 6)
@example("start-first", "start-first", "bad", 3, "rollback", 2, ["swarm", "refused"])
def test_whatever_happens_on_the_way_it_is_restored_and_only_then_said_to_be(
    order, new_order, image, nodes, action, head_start, events
):
    swarm, before = deployed(order, new_order, image, nodes, action)
    for _ in range(head_start):
        swarm.tick()
    restoration, quiet = Restoration(before), 0
    for at, event in enumerate([*events, *["look"] * 90]):
        swarm.tick()
        quiet = quiet + 1 if is_as_before(swarm, before) else 0
        if event == "away":
            continue
        if event == "swarm":
            swarm.roll_back_itself()
        if event == "killed":
            restoration = Restoration(before)
        decided = step(restoration, swarm, float(at), is_refused=event == "refused")
        if decided.doing == "restored":
            assert is_as_before(swarm, before)
            assert quiet >= 3
            break
    else:
        pytest.fail(f"not restored: {decided}, {swarm}")


@at_most(20)
@given(ORDERS, ORDERS, st.sampled_from([2, 3]), st.lists(EVENTS, max_size=20))
def test_a_service_whose_earlier_version_does_not_start_any_more_is_never_called_restored(
    order, new_order, nodes, events
):
    swarm, before = deployed(order, new_order, "good", nodes)
    swarm.broken = frozenset({"old"})
    for task in swarm.wanted():
        task["DesiredState"] = "shutdown"
    restoration = Restoration(before)
    for at, event in enumerate([*events, *["look"] * 40]):
        swarm.tick()
        if event == "killed":
            restoration = Restoration(before)
        decided = step(restoration, swarm, float(at), is_refused=event == "refused")
        assert decided.doing in {"write", "wait"}
        assert decided.reason


def test_an_update_that_had_no_room_is_undone_without_stopping_a_task() -> None:
    """The old tasks still run, so the earlier spec needs no new task (cases 19 and 23)."""
    swarm, before = deployed("start-first", "start-first", "good", 2)
    for _ in range(5):
        swarm.tick()
    assert [task["Status"].get("Err", "") for task in swarm.wanted()].count(NO_ROOM) == 2
    restoration, first = Restoration(before), {"t1", "t2"}
    for at in range(12):
        if step(restoration, swarm, float(at)).doing == "restored":
            break
        swarm.tick()
    assert {task["ID"] for task in swarm.wanted()} == first
    assert is_as_before(swarm, before)


def quiet_swarm(**parts: Any) -> Swarm:
    swarm = Swarm(spec_of("old", "start-first", **parts), 2)
    swarm.settle()
    return swarm


def test_a_pending_task_that_is_left_over_keeps_the_service_from_being_restored() -> None:
    swarm = quiet_swarm()
    before = Before("s", swarm.spec, running=2)
    swarm.make(1)["Status"] = {"State": "pending", "Err": NO_ROOM}
    restoration = Restoration(before)
    assert restoration.step(swarm.row(), swarm.tasks, 0.0).doing == "wait"
    assert restoration.step(swarm.row(), swarm.tasks, 4.0).doing == "wait"
    stopped_first = restoration.step(swarm.row(), swarm.tasks, 5.0)
    assert stopped_first.spec is not None
    assert stopped_first.spec["UpdateConfig"]["Order"] == "stop-first"


@pytest.mark.parametrize(
    "change",
    [
        {"Labels": {"traefik.enable": "true"}},
        {"Mode": {"Replicated": {"Replicas": 3}}},
        {"EndpointSpec": {"Ports": [{"PublishedPort": 80}]}},
    ],
)
def test_a_part_of_the_spec_that_no_task_sees_is_restored_too(change) -> None:
    swarm = quiet_swarm(**change)
    before = Before("s", spec_of("old", "start-first"), running=2)
    decided = Restoration(before).step(swarm.row(), swarm.tasks, 0.0)
    assert (decided.doing, decided.spec) == ("write", before.spec)


def test_fewer_tasks_than_before_are_not_restored_and_more_need_not_run_than_before() -> None:
    swarm = quiet_swarm()
    swarm.tasks.pop()
    for running, doing in ((2, "wait"), (1, "restored")):
        restoration = Restoration(Before("s", swarm.spec, running))
        restoration.step(swarm.row(), swarm.tasks, 0.0)
        assert restoration.step(swarm.row(), swarm.tasks, 3.0).doing == doing


def test_tasks_that_are_meant_to_end_do_not_run_again() -> None:
    job = spec_of("old", Mode={"ReplicatedJob": {"TotalCompletions": 1}})
    once = spec_of("old")
    once["TaskTemplate"] = once["TaskTemplate"] | {"RestartPolicy": {"Condition": "none"}}
    for spec in (job, once):
        restoration = Restoration(Before("s", spec, running=0))
        changed = {"ID": "s", "Spec": spec | {"Labels": {"a": "b"}}}
        assert restoration.step(changed, [], 0.0).doing == "job"
        assert restoration.step({"ID": "s", "Spec": spec}, [], 0.0).doing == "restored"


def test_a_service_that_was_removed_cannot_be_restored() -> None:
    assert Restoration(Before("s", spec_of("old"), 2)).step(None, [], 0.0).doing == "removed"


def test_the_leaders_loan_is_not_undone_while_its_tasks_come_up() -> None:
    swarm = quiet_swarm()
    before = Before("s", swarm.spec, running=2)
    swarm.spec = swarm.spec | {
        "Labels": {LABEL_LOAN: "{}"},
        "UpdateConfig": {"Order": "start-first"},
    }
    swarm.state = "updating"
    swarm.make(1)["Status"] = {"State": "pending", "Err": NO_ROOM}
    restoration = Restoration(before)
    for at in range(20):
        assert restoration.step(swarm.row(), swarm.tasks, float(at)).doing == "wait"
    swarm.state = "paused"
    assert restoration.step(swarm.row(), swarm.tasks, 21.0).doing == "write"


def test_a_service_of_whose_spec_nothing_ran_is_not_made_worse() -> None:
    """Tasks of a still earlier version may serve beside an update that has failed."""
    swarm = quiet_swarm()
    before = Before("s", spec_of("broken", "start-first"), running=0)
    swarm.write(before.spec)
    for state, doing in [("updating", "wait"), ("paused", "restored")]:
        swarm.state = state
        restoration = Restoration(before)
        restoration.step(swarm.row(), swarm.tasks, 0.0)
        assert restoration.step(swarm.row(), swarm.tasks, 20.0).doing == doing


def test_swarms_own_rollback_that_cannot_start_first_is_helped_too() -> None:
    first = {"RollbackConfig": {"Order": "start-first"}}
    swarm = quiet_swarm(**first)
    before = Before("s", swarm.spec, running=2)
    swarm.state = "rollback_started"
    swarm.make(1)["Status"] = {"State": "pending", "Err": NO_ROOM}
    restoration = Restoration(before)
    assert restoration.step(swarm.row(), swarm.tasks, 0.0).doing == "wait"
    helped = restoration.step(swarm.row(), swarm.tasks, 5.0)
    assert helped.spec is not None
    swarm.write(helped.spec)
    for at in range(6, 30):
        assert restoration.step(swarm.row(), swarm.tasks, float(at)).doing == "wait"
