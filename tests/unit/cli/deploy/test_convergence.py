"""When a deployment is over, and how it ended: looks as Docker tells them."""

from typing import Any

import pytest

from cli.deploy.convergence import MOST_FAILURES, Progress, Watch, is_changed, progress
from cli.deploy.placement import Member, fits

NODES = [
    Member("m1", "manager-1", "manager", is_ready=True, is_active=True, labels={"zone": "a"}),
    Member("w1", "worker-1", "worker", is_ready=True, is_active=True, labels={"zone": "a"}),
    Member("w2", "worker-2", "worker", is_ready=True, is_active=True, labels={"zone": "b"}),
    Member("w3", "worker-3", "worker", is_ready=True, is_active=False),
]


def template(image: str = "site:1", **container: Any) -> dict[str, Any]:
    return {"ContainerSpec": {"Image": image} | container, "ForceUpdate": 0, "Runtime": "container"}


def service(mode: dict[str, Any], *, update: str = "", **spec: Any) -> dict[str, Any]:
    told = {"ID": "s", "Spec": {"Name": "site", "Mode": mode, "TaskTemplate": template()} | spec}
    return told | ({"UpdateStatus": {"State": update}} if update else {})


def task(
    name: str, state: str = "running", *, image: str = "site:1", **told: Any
) -> dict[str, Any]:
    return {
        "ID": name,
        "ServiceID": "s",
        "NodeID": "w1",
        "CreatedAt": name,
        "DesiredState": "running",
        "Status": {"State": state, "Message": ""},
        "Spec": {"ContainerSpec": {"Image": image}},
    } | told


def failed(name: str, error: str = "no such image") -> dict[str, Any]:
    status = {"State": "rejected", "Err": error}
    return task(name, DesiredState="shutdown", Status=status)


TWO = {"Replicated": {"Replicas": 2}}


def look(told: dict[str, Any], *tasks: dict[str, Any], before: set[str] | None = None) -> Progress:
    return progress(told, tasks, NODES, before=frozenset(before or ()))


def test_a_service_is_steady_when_all_its_tasks_run() -> None:
    assert look(service(TWO), task("a"), task("b")).state == "steady"
    assert look(service(TWO), task("a"), task("b", "starting")).state == "waiting"


def test_a_task_of_the_old_image_does_not_count() -> None:
    found = look(service(TWO), task("a"), task("b", image="site:0"))
    assert (found.state, found.running) == ("waiting", 1)


def test_what_a_newer_client_writes_and_means_nothing_by_makes_no_other_task() -> None:
    empty = template(Privileges={"NoNewPrivileges": False}, DNSConfig={}, StopGracePeriod=10**10)
    told = service(TWO, TaskTemplate=empty)
    assert look(told, task("a"), task("b")).state == "steady"
    assert not is_changed(service(TWO), told)


def test_a_service_without_a_restart_policy_is_told_with_one_that_its_tasks_lack() -> None:
    default = {"Condition": "any", "Delay": 5 * 10**9, "MaxAttempts": 0}
    told = service(TWO, TaskTemplate=template() | {"RestartPolicy": default})
    assert look(told, task("a"), task("b")).state == "steady"

    asked = service(TWO, TaskTemplate=template() | {"RestartPolicy": default | {"Delay": 10**9}})
    assert look(asked, task("a"), task("b")).state == "waiting"


def test_where_a_task_may_be_makes_no_other_task() -> None:
    moved = template() | {"Placement": {"Constraints": ["node.id!=w3"]}}
    assert look(service(TWO, TaskTemplate=moved), task("a"), task("b")).state == "steady"


def test_an_update_under_way_is_waited_for_and_one_rolled_back_has_failed() -> None:
    tasks = task("a"), task("b")
    assert look(service(TWO, update="updating"), *tasks).state == "waiting"
    assert look(service(TWO, update="completed"), *tasks).state == "steady"
    for undone in ("rollback_completed", "paused"):
        assert look(service(TWO, update=undone), *tasks).state == "failed"


def test_a_global_service_is_wanted_on_nodes_that_take_tasks() -> None:
    assert look(service({"Global": {}}), task("a")).wanted == 3
    on_workers = template() | {"Placement": {"Constraints": ["node.role == worker"]}}
    told = service({"Global": {}}, TaskTemplate=on_workers)
    assert look(told, task("a"), task("b")).state == "steady"


def test_failures_are_named_with_their_node_and_too_many_end_it() -> None:
    few = [failed(f"f{number}") for number in range(MOST_FAILURES - 1)]
    found = look(service(TWO), *few, task("a"))
    assert (found.state, len(found.failures)) == ("waiting", MOST_FAILURES - 1)
    assert (found.failures[0].node, found.failures[0].error) == ("worker-1", "no such image")
    assert look(service(TWO), *few, failed("last"), task("a")).state == "failed"


def test_what_failed_before_the_deployment_is_not_its_failure() -> None:
    old = [failed(f"f{number}") for number in range(MOST_FAILURES)]
    found = look(service(TWO), *old, task("a"), task("b"), before={one["ID"] for one in old})
    assert (found.state, found.failures) == ("steady", [])


def test_it_has_converged_only_when_it_stays_so() -> None:
    watch = Watch(timeout_seconds=60, steady_seconds=3)
    steady = [look(service(TWO), task("a"), task("b"))]
    waiting = [look(service(TWO), task("a"))]
    assert watch.saw(steady, 0) == "under way"
    assert watch.saw(waiting, 2) == "under way"
    assert watch.saw(steady, 4) == "under way"
    assert watch.saw(steady, 6.9) == "under way"
    assert watch.saw(steady, 7) == "converged"


def test_it_ends_at_the_time_limit_and_at_the_first_failure() -> None:
    waiting = [look(service(TWO), task("a"))]
    watch = Watch(timeout_seconds=10)
    assert [watch.saw(waiting, at) for at in (0, 9.9, 10)] == ["under way", "under way", "timeout"]
    assert Watch(10).saw([*waiting, look(service(TWO, update="paused"))], 0) == "failed"


@pytest.mark.parametrize(
    ("constraints", "nodes"),
    [
        ([], {"m1", "w1", "w2", "w3"}),
        (["node.role == manager"], {"m1"}),
        (["node.role != manager", "node.labels.zone == a"], {"w1"}),
        (["node.labels.zone!=a"], {"w2", "w3"}),
        (["node.hostname==WORKER-2"], {"w2"}),
        (["node.id != m1", "node.id!=w1"], {"w2", "w3"}),
        (["Node.Role==Worker"], {"w1", "w2", "w3"}),
        (["node.label.zone==a"], set()),
        (["what is this"], {"m1", "w1", "w2", "w3"}),
    ],
)
def test_constraints_are_read_as_swarm_reads_them(constraints: list[str], nodes: set[str]) -> None:
    assert {one.id for one in NODES if fits(one, constraints)} == nodes
