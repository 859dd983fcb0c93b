"""Why a deployment does not come up, and when services are done whose tasks end."""

from typing import Any

import pytest

from cli.progress.addresses import exhaustion
from cli.progress.nodes import Member
from cli.progress.services import Convergence, ServiceProgress, service_progress

NODES = [
    Member(
        name,
        f"worker-{name}",
        "worker",
        is_ready=True,
        is_active=True,
        status_address=f"10.0.0.{number}",
        platform=("linux", machine),
    )
    for number, (name, machine) in enumerate([("w1", "x86_64"), ("w2", "aarch64")], 1)
]
NO_ROOM = "no suitable node (host-mode port already in use on 2 nodes)"


def template(image: str = "site:1", **parts: Any) -> dict[str, Any]:
    return {"ContainerSpec": {"Image": image}} | parts


def service(mode: str = "Replicated", settings: Any = None, **parts: Any) -> dict[str, Any]:
    state, status = parts.pop("update", ""), parts.pop("job", {})
    spec = {"Name": "site", "Mode": {mode: settings or {}}, "TaskTemplate": template()} | parts
    return {"ID": "s", "Spec": spec, "UpdateStatus": {"State": state}, "JobStatus": status}


def task(name: str, state: str = "running", desired: str = "running", **parts: Any) -> Any:
    status = {"State": state, "Err": parts.pop("error", "")}
    spec = template(parts.pop("image", "site:1"), **parts.pop("template", {}))
    return {
        "ID": name,
        "ServiceID": "s",
        "NodeID": "w1",
        "Slot": 1,
        "CreatedAt": name,
        "DesiredState": desired,
        "Status": status,
        "Spec": spec,
    } | parts


def look(row: Any, *tasks: Any, **parts: Any) -> ServiceProgress:
    return service_progress(row, tasks, NODES, before=frozenset(parts.pop("before", ())), **parts)


# C1: what was deployed, and who rolled it back


def test_tasks_that_swarm_has_rolled_back_already_are_named() -> None:
    """The current spec is the old one again; the failed task is of the deployed one."""
    old = service()["Spec"]
    row = service(update="rollback_completed")
    bad = task("b", "failed", "shutdown", image="site:2", error="non-zero exit (3)")
    progress = look(row, task("a"), bad, before={"a"}, old=old)
    assert [(failure.task, failure.node, failure.error) for failure in progress.failures] == [
        ("b", "worker-w1", "non-zero exit (3)")
    ]
    assert (progress.state, progress.is_rolled_back_by_swarm) == ("failed", True)


def test_an_old_task_that_ends_during_the_deployment_is_no_failure_of_it() -> None:
    old = service()["Spec"] | {"TaskTemplate": template("site:0")}
    ended = task("x", "failed", "shutdown", image="site:0")
    assert look(service(update="updating"), task("a"), ended, old=old).failures == []


def test_a_task_that_no_node_takes_is_shown_with_swarms_reason() -> None:
    waiting = task("b", "pending", error="no suitable node (insufficient resources)", NodeID="")
    progress = look(service(), waiting)
    assert progress.waits[0].node == "no node"
    assert "1 waiting: no suitable node (insufficient resources)" in progress.sentence


# A16: a program that ends with 0 when Swarm stops it because of its health check


@pytest.mark.parametrize("policy", [{}, {"RestartPolicy": {"Condition": "any"}}])
def test_a_task_that_ends_although_it_should_run_on_has_failed(policy: Any) -> None:
    row = service(TaskTemplate=template(**policy))
    ended = [task(f"b{n}", "complete", "shutdown", template=policy) for n in range(4)]
    progress = look(row, *ended, task("c", "starting", template=policy))
    assert progress.state == "failed"
    assert "4 failed: it ended with exit code 0" in progress.sentence
    few = look(row, *ended[:3], task("c", template=policy))
    assert (few.state, len(few.failures)) == ("steady", 3)
    assert look(row, *ended, task("c"), before={each["ID"] for each in ended}).failures == []


@pytest.mark.parametrize("condition", ["none", "on-failure"])
def test_a_task_that_may_end_has_not_failed_when_it_ends(condition: str) -> None:
    policy = {"RestartPolicy": {"Condition": condition}}
    row = service(TaskTemplate=template(**policy))
    assert look(row, task("b", "complete", "shutdown", template=policy)).failures == []
    assert look(JOB, job("complete")).failures == []


# Cases 19 and 23: start-first without room


def test_an_update_that_has_no_room_to_start_first_ends_before_the_time_is_over() -> None:
    row = service(update="updating", UpdateConfig={"Order": "start-first"})
    stuck = look(row, task("a", image="site:0"), task("b", "pending", error=NO_ROOM))
    assert stuck.is_stuck
    convergence = Convergence(timeout_seconds=300)
    assert [convergence.update([stuck], at) for at in (0, 9.9)] == ["under way", "under way"]
    assert convergence.update([look(row, task("b"))], 9.95) == "under way"
    assert convergence.update([stuck], 10) == "under way"
    assert convergence.update([stuck], 20) == "failed"


def test_a_stop_first_update_waits_for_the_port_that_it_frees_itself() -> None:
    row = service(update="updating")
    assert not look(row, task("b", "pending", error=NO_ROOM)).is_stuck


def test_time_does_not_run_out_while_a_deployment_that_has_come_up_is_watched() -> None:
    convergence = Convergence(timeout_seconds=10)
    steady, waiting = [look(service(), task("a"))], [look(service())]
    assert convergence.update(waiting, 0) == "under way"
    verdicts = [convergence.update(steady, at) for at in (9, 11.9, 12)]
    assert verdicts == ["under way", "under way", "converged"]
    assert convergence.update(waiting, 13) == "timeout"


# Case 12: jobs and one-shots


def job(state: str, desired: str = "complete", iteration: int = 4, **parts: Any) -> Any:
    return task(f"j{iteration}{state}", state, desired, JobIteration={"Index": iteration}, **parts)


JOB = service("ReplicatedJob", {"TotalCompletions": 1}, job={"JobIteration": {"Index": 4}})


def test_a_job_is_steady_when_it_is_complete() -> None:
    progress = look(JOB, job("complete"))
    assert (progress.state, progress.sentence) == ("steady", "1 of 1 complete")
    assert look(JOB, job("running")).state == "waiting"
    assert look(JOB, job("complete", "remove", 3), job("running")).state == "waiting"


def test_a_job_that_is_not_tried_again_has_failed_and_its_task_is_named() -> None:
    failed = job("failed", "shutdown", error="task: non-zero exit (1)")
    progress = look(JOB, failed)
    assert (progress.state, progress.failures[0].error) == ("failed", "task: non-zero exit (1)")
    assert look(JOB, failed, job("preparing")).state == "waiting"


def test_a_job_without_settings_runs_once_and_a_global_job_once_per_node() -> None:
    assert look(service("ReplicatedJob"), job("complete", iteration=0)).state == "steady"
    assert look(service("GlobalJob")).wanted == 2
    assert look(service("ReplicatedJob", {"MaxConcurrent": 3})).wanted == 3


NEVER = {"RestartPolicy": {"Condition": "none"}}
ONCE = service(TaskTemplate=template(**NEVER))


def test_a_one_shot_is_steady_when_it_has_completed() -> None:
    progress = look(ONCE, task("a", "complete", "shutdown", template=NEVER))
    assert (progress.state, progress.sentence) == ("steady", "1 of 1 complete")
    old = task("a", "complete", "shutdown", image="site:0", template=NEVER)
    assert look(ONCE, old).state == "waiting"
    assert look(service(), task("a", "complete", "shutdown")).state == "waiting"


def test_a_one_shot_that_fails_once_has_failed() -> None:
    failed = task("a", "failed", "shutdown", template=NEVER)
    assert look(ONCE, failed).state == "failed"
    assert look(ONCE, failed, before={"a"}).state == "failed"
    assert look(ONCE, failed, task("b", "preparing", template=NEVER)).state == "waiting"


def test_a_failed_task_of_a_slot_that_was_scaled_away_does_not_count() -> None:
    left_over = task("a", "failed", "shutdown", Slot=5)
    assert look(service(), left_over, task("b"), before={"a"}).state == "steady"


# Case 21: global services on some nodes


@pytest.mark.parametrize(
    ("placement", "wanted"),
    [
        ({"Platforms": [{"OS": "linux", "Architecture": "amd64"}]}, 1),
        ({"Platforms": [{"OS": "linux", "Architecture": "arm64"}]}, 1),
        ({"Platforms": [{"OS": "linux"}, {"OS": "windows"}]}, 2),
        ({"Platforms": [{"OS": "windows"}]}, 0),
        ({"Constraints": ["node.ip == 10.0.0.2"]}, 1),
        ({"Constraints": ["node.ip != 10.0.0.0/24"]}, 0),
        ({}, 2),
    ],
)
def test_a_global_service_is_wanted_only_where_it_can_run(placement: Any, wanted: int) -> None:
    row = service("Global", TaskTemplate=template(Placement=placement))
    assert look(row).wanted == wanted


def test_a_pending_task_on_a_node_of_another_platform_does_not_keep_the_service_waiting() -> None:
    placement = {"Platforms": [{"OS": "linux", "Architecture": "amd64"}]}
    row = service("Global", TaskTemplate=template(Placement=placement))
    parts = {"Placement": placement}
    unfit = task("b", "pending", NodeID="w2", template=parts, error="unsupported platform")
    assert look(row, task("a", template=parts), unfit).state == "steady"


# Case 16: a network without addresses

NETWORK = {"Id": "n1", "Name": "full", "IPAM": {"Config": [{"Subnet": "10.0.9.0/24"}]}}


def attached(number: int, state: str = "pending", network: str = "n1") -> Any:
    attachment = {"Network": {"ID": network}, "Addresses": [f"10.0.9.{number}/24"]}
    return task(f"t{number}", state, NetworksAttachments=[attachment])


def test_a_full_network_is_named_with_its_figures() -> None:
    tasks = [attached(number) for number in range(2, 255)]
    assert exhaustion(NETWORK, tasks, [], 2) == ("network full has no address left (253 of 253)")
    services = [{"Endpoint": {"VirtualIPs": [{"NetworkID": "n1", "Addr": "10.0.9.254/24"}]}}]
    sentence = exhaustion(NETWORK, tasks[:-2], services, 2)
    assert sentence.endswith("(252 of 253, and the nodes use up to 2)")


@pytest.mark.parametrize("state", ["complete", "shutdown", "failed"])
def test_a_task_that_has_ended_and_another_network_use_no_address(state: str) -> None:
    tasks = [attached(number, state) for number in range(2, 255)]
    others = [attached(number, network="n2") for number in range(2, 255)]
    assert exhaustion(NETWORK, [*tasks, *others], [], 2) == ""


@pytest.mark.parametrize("ipam", [None, {}, {"Config": None}, {"Config": [{"Subnet": "what"}]}])
def test_a_network_of_unknown_size_is_not_called_full(ipam: Any) -> None:
    assert exhaustion(NETWORK | {"IPAM": ipam}, [attached(2)], [], 9) == ""
