"""When a deployment is over, and how it ended, judged from what Docker says."""

from typing import Any

import pytest

from cli.progress.nodes import Member, fits
from cli.progress.services import Convergence, ServiceProgress, is_changed, service_progress

NODES = [
    Member("m1", "manager-1", "manager", is_ready=True, is_active=True, labels={"zone": "a"}),
    Member("w1", "worker-1", "worker", is_ready=True, is_active=True, labels={"zone": "a"}),
    Member("w2", "worker-2", "worker", is_ready=True, is_active=True, labels={"zone": "b"}),
    Member("w3", "worker-3", "worker", is_ready=True, is_active=False),
]


def template(image: str = "site:1", **container: Any) -> dict[str, Any]:
    return {"ContainerSpec": {"Image": image} | container, "ForceUpdate": 0, "Runtime": "container"}


def service(mode: dict[str, Any], *, update: str = "", **spec: Any) -> dict[str, Any]:
    row = {"ID": "s", "Spec": {"Name": "site", "Mode": mode, "TaskTemplate": template()} | spec}
    return row | ({"UpdateStatus": {"State": update}} if update else {})


def task(
    name: str, state: str = "running", *, image: str = "site:1", **fields: Any
) -> dict[str, Any]:
    return {
        "ID": name,
        "ServiceID": "s",
        "NodeID": "w1",
        "CreatedAt": name,
        "DesiredState": "running",
        "Status": {"State": state, "Message": ""},
        "Spec": {"ContainerSpec": {"Image": image}},
    } | fields


def failed(name: str, error: str = "no such image") -> dict[str, Any]:
    status = {"State": "rejected", "Err": error}
    return task(name, DesiredState="shutdown", Status=status)


TOO_MANY_FAILURES = 4
TWO = {"Replicated": {"Replicas": 2}}


def look(
    row: dict[str, Any], *tasks: dict[str, Any], before: set[str] | None = None
) -> ServiceProgress:
    return service_progress(row, tasks, NODES, before=frozenset(before or ()))


def test_a_service_is_steady_when_all_its_tasks_run() -> None:
    assert look(service(TWO), task("a"), task("b")).state == "steady"
    assert look(service(TWO), task("a"), task("b", "starting")).state == "waiting"


def test_a_task_of_the_old_image_does_not_count() -> None:
    progress = look(service(TWO), task("a"), task("b", image="site:0"))
    assert (progress.state, progress.running) == ("waiting", 1)


def test_empty_values_that_a_newer_client_writes_do_not_replace_tasks() -> None:
    empty = template(Privileges={"NoNewPrivileges": False}, DNSConfig={}, StopGracePeriod=10**10)
    row = service(TWO, TaskTemplate=empty)
    assert look(row, task("a"), task("b")).state == "steady"
    assert not is_changed(service(TWO), row)


def test_a_default_restart_policy_that_the_engine_adds_does_not_replace_tasks() -> None:
    default = {"Condition": "any", "Delay": 5 * 10**9, "MaxAttempts": 0}
    row = service(TWO, TaskTemplate=template() | {"RestartPolicy": default})
    assert look(row, task("a"), task("b")).state == "steady"

    other = service(TWO, TaskTemplate=template() | {"RestartPolicy": default | {"Delay": 10**9}})
    assert look(other, task("a"), task("b")).state == "waiting"


def test_a_changed_placement_does_not_replace_tasks() -> None:
    moved = template() | {"Placement": {"Constraints": ["node.id!=w3"]}}
    assert look(service(TWO, TaskTemplate=moved), task("a"), task("b")).state == "steady"


def test_an_update_in_progress_is_waited_for_and_a_rolled_back_one_has_failed() -> None:
    tasks = task("a"), task("b")
    assert look(service(TWO, update="updating"), *tasks).state == "waiting"
    assert look(service(TWO, update="completed"), *tasks).state == "steady"
    for undone in ("rollback_completed", "paused"):
        assert look(service(TWO, update=undone), *tasks).state == "failed"


def test_a_global_service_is_wanted_on_nodes_that_take_tasks() -> None:
    assert look(service({"Global": {}}), task("a")).wanted == 3
    on_workers = template() | {"Placement": {"Constraints": ["node.role == worker"]}}
    row = service({"Global": {}}, TaskTemplate=on_workers)
    assert look(row, task("a"), task("b")).state == "steady"


def test_failures_are_named_with_their_node_and_too_many_fail_the_service() -> None:
    few = [failed(f"f{number}") for number in range(TOO_MANY_FAILURES - 1)]
    progress = look(service(TWO), *few, task("a"))
    assert (progress.state, len(progress.failures)) == ("waiting", TOO_MANY_FAILURES - 1)
    assert (progress.failures[0].node, progress.failures[0].error) == ("worker-1", "no such image")
    assert look(service(TWO), *few, failed("last"), task("a")).state == "failed"


def test_tasks_that_failed_before_the_deployment_do_not_count() -> None:
    old = [failed(f"f{number}") for number in range(TOO_MANY_FAILURES)]
    progress = look(service(TWO), *old, task("a"), task("b"), before={row["ID"] for row in old})
    assert (progress.state, progress.failures) == ("steady", [])


def test_a_stack_has_converged_only_when_it_stays_steady() -> None:
    convergence = Convergence(timeout_seconds=60, steady_seconds=3)
    steady = [look(service(TWO), task("a"), task("b"))]
    waiting = [look(service(TWO), task("a"))]
    assert convergence.update(steady, 0) == "under way"
    assert convergence.update(waiting, 2) == "under way"
    assert convergence.update(steady, 4) == "under way"
    assert convergence.update(steady, 6.9) == "under way"
    assert convergence.update(steady, 7) == "converged"


def test_a_deployment_ends_at_the_time_limit_or_at_the_first_failure() -> None:
    waiting = [look(service(TWO), task("a"))]
    convergence = Convergence(timeout_seconds=10)
    assert [convergence.update(waiting, at) for at in (0, 9.9, 10)] == [
        "under way",
        "under way",
        "timeout",
    ]
    assert Convergence(10).update([*waiting, look(service(TWO, update="paused"))], 0) == "failed"


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
    assert {node.id for node in NODES if fits(node, constraints)} == nodes


def test_a_global_service_is_wanted_only_where_its_image_runs_and_its_addresses_are() -> None:
    def on(**placement: Any) -> dict[str, Any]:
        return service({"Global": {}}, TaskTemplate=template() | {"Placement": placement})

    nodes = [
        Member(
            name,
            name,
            "worker",
            is_ready=True,
            is_active=True,
            status_address=address,
            platform=("linux", architecture),
        )
        for name, architecture, address in (
            ("a", "x86_64", "10.0.1.17"),
            ("b", "aarch64", "10.0.2.17"),
        )
    ]
    for row in (
        on(Platforms=[{"Architecture": "amd64", "OS": "linux"}]),
        on(Constraints=["node.ip == 10.0.1.0/24"]),
        on(Constraints=["Node.IP==10.0.1.17"]),
    ):
        assert service_progress(row, [], nodes, before=frozenset()).wanted == 1
