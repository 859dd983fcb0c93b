"""What a deployment says, waits for and leaves out before it changes anything."""

from pathlib import Path
from typing import Any

import pytest

from cli.deploy.applying import is_passing
from cli.deploy.follow import is_being_moved
from cli.deploy.jobs import with_digests, without_done
from cli.deploy.removal import is_stopping
from cli.deploy.room import remarks_on_room
from cli.deploy.stackfile.stack import Stack
from cli.edges.docker_errors import translated
from cli.progress.nodes import Member
from cli.progress.services import ServiceProgress
from runtime.errors import RefusedError
from wire.labels import LABEL_JOB, LABEL_LOAN

NODES = [
    Member(name, name, role, is_ready=is_ready, is_active=True)
    for name, role, is_ready in [
        ("m1", "manager", True),
        ("w1", "worker", True),
        ("w2", "worker", True),
        ("w3", "worker", False),
    ]
]
WORKERS = {"constraints": ["node.role == worker"]}


def stack(**services: Any) -> Stack:
    return Stack("shop", {"services": services})


# Cases 19 and 23


def web(replicas: int = 2, order: str = "start-first", **parts: Any) -> dict[str, Any]:
    placement = WORKERS | parts.pop("placement", {})
    deploy = {"replicas": replicas, "update_config": {"order": order}, "placement": placement}
    return {"image": "web:1", "deploy": deploy | parts.pop("deploy", {})} | parts


ONE_EACH = {"placement": {"max_replicas_per_node": 1}}
HOST_PORT = {"ports": [{"target": 80, "published": 80, "mode": "host"}]}


@pytest.mark.parametrize(
    ("service", "remark"),
    [
        (
            web(**ONE_EACH),
            "web: start-first needs a free node: 2 replicas, 2 nodes, one each; use stop-first",
        ),
        (
            web(**HOST_PORT),
            (
                "web: start-first needs a free node: 2 replicas, 2 nodes, one each because of a"
                " host port; use stop-first"
            ),
        ),
        (
            web(4, placement={"max_replicas_per_node": "2"}),
            "web: start-first needs a free node: 4 replicas, 2 nodes, 2 each; use stop-first",
        ),
        (web(1, **ONE_EACH), ""),
        (web(3, placement={"max_replicas_per_node": 2}), ""),
        (web(order="stop-first", **ONE_EACH), ""),
        (web(), ""),
        (web(**ONE_EACH, deploy={"mode": "global"}), ""),
        (web(ports=["80:80", 81]), ""),
    ],
)
def test_an_update_without_room_to_start_first_is_announced(service: Any, remark: str) -> None:
    remarks = remarks_on_room(stack(web=service), {"shop_web"}, NODES)
    assert remarks == ([remark] if remark else [])
    assert remarks_on_room(stack(web=service), set(), NODES) == []


# C3


@pytest.mark.parametrize(
    ("labels", "state", "expected"),
    [
        ({LABEL_LOAN: "{}"}, "updating", True),
        ({LABEL_LOAN: "{}"}, "", True),
        ({LABEL_LOAN: "{}"}, "paused", False),
        ({LABEL_LOAN: "{}"}, "rollback_paused", False),
        ({}, "updating", False),
        (None, "", False),
    ],
)
def test_a_paused_update_is_not_waited_for(labels: Any, state: str, expected: bool) -> None:
    row = {"Spec": {"Name": "web", "Labels": labels}, "UpdateStatus": {"State": state}}
    assert is_being_moved(row) is expected


# Case 26


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ({"ServiceID": "gone", "NodeID": "w1", "Status": {"State": "running"}}, True),
        ({"ServiceID": "gone", "NodeID": "w1", "Status": {"State": "shutdown"}}, False),
        ({"ServiceID": "gone", "NodeID": "w3", "Status": {"State": "running"}}, False),
        ({"ServiceID": "gone", "Status": {"State": "pending"}}, False),
        ({"ServiceID": "s1", "NodeID": "w1", "Status": {"State": "running"}}, False),
    ],
)
def test_a_task_of_a_removed_service_is_waited_for(task: Any, expected: bool) -> None:
    assert is_stopping(task, [{"ID": "s1"}], NODES) is expected


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("rpc error: code = Unknown desc = update out of sequence", True),
        ("failed to create service shop_web: Error: network shop_own not found", True),
        ("invalid mount config for type bind", False),
        ("config shop_settings not found", False),
        ("only updates to Labels are allowed", False),
    ],
)
def test_docker_tries_again_only_if_the_reason_passes(message: str, expected: bool) -> None:
    assert is_passing(RefusedError(message)) is expected


# Case 12: a job runs again only if its part of the stack file has changed

JOB = {"image": "migrate:1", "deploy": {"mode": "replicated-job"}}


def rows(labelled: Stack, state: str = "steady") -> tuple[Any, list[ServiceProgress]]:
    service = labelled.document["services"]["migrate"]
    row = {"Spec": {"Name": "shop_migrate", "Labels": service["deploy"]["labels"]}}
    progress = ServiceProgress("shop_migrate", "migrate:1", "steady", 0, 1, "")
    progress.state = state  # type: ignore[assignment]
    return [row], [progress]


def test_a_job_that_has_run_is_left_out_and_everything_else_is_deployed() -> None:
    labelled = with_digests(stack(web=web(), migrate=JOB))
    assert LABEL_JOB not in str(labelled.document["services"]["web"])
    assert without_done(labelled, *rows(labelled)).services == ["web"]
    assert without_done(labelled, *rows(labelled, "waiting")).services == ["web"]
    assert without_done(labelled, [], []).services == ["web", "migrate"]


def test_a_job_that_failed_or_was_changed_runs_again() -> None:
    labelled = with_digests(stack(migrate=JOB))
    assert without_done(labelled, *rows(labelled, "failed")).services == ["migrate"]
    changed = with_digests(stack(migrate=JOB | {"image": "migrate:2"}))
    assert without_done(changed, *rows(labelled)).services == ["migrate"]


def test_a_jobs_config_of_another_content_makes_it_run_again() -> None:
    used = JOB | {"configs": ["sql"]}
    first, second = (
        with_digests(Stack("shop", {"services": {"migrate": used}, "configs": {"sql": config}}))
        for config in ({"name": "shop_sql_1"}, {"name": "shop_sql_2"})
    )
    assert without_done(second, *rows(first)).services == ["migrate"]


@pytest.mark.parametrize("labels", [None, ["a=b", "c"], {"a": "b", "c": ""}])
def test_a_jobs_own_labels_are_kept(labels: Any) -> None:
    job = JOB | {"deploy": JOB["deploy"] | {"labels": labels}}
    (deployed,) = with_digests(stack(migrate=job)).document["services"].values()
    own = {} if labels is None else {"a": "b", "c": ""}
    assert deployed["deploy"]["labels"].items() >= own.items()
    assert len(deployed["deploy"]["labels"]) == len(own) + 1


def test_a_job_of_several_files_is_labelled_in_each_and_left_out_of_each() -> None:
    """Docker gets the files, not what we have merged from them."""
    above = {"deploy": JOB["deploy"]}
    layers = [
        {"services": {"migrate": {"image": "migrate:1"}, "web": {"image": "web:1"}}},
        {"services": {"migrate": above}},
    ]
    merged = {"services": {"migrate": JOB, "web": {"image": "web:1"}}}
    labelled = with_digests(Stack("shop", merged, layers=layers))
    assert [text.count(LABEL_JOB) for text in labelled.texts({})] == [1, 1]
    left = without_done(labelled, *rows(labelled))
    assert ["migrate" in text for text in left.texts({})] == [False, False]
    assert "web:1" in left.texts({})[0]


def test_a_job_runs_again_when_its_environment_file_changes_but_not_elsewhere(
    tmp_path: Path,
) -> None:
    used = JOB | {"env_file": "job.env", "configs": ["sql"]}

    def read(place: Path, text: str) -> Stack:
        place.mkdir(exist_ok=True)
        (place / "job.env").write_text(text)
        config = {"name": "shop_sql_1", "file": str(place / "job.sql")}
        document = {"services": {"migrate": used}, "configs": {"sql": config}}
        return with_digests(Stack("shop", document, directory=place))

    first = read(tmp_path / "alice", "A=1")
    assert without_done(read(tmp_path / "bob", "A=1"), *rows(first)).services == []
    assert without_done(read(tmp_path / "alice", "A=2"), *rows(first)).services == ["migrate"]


def test_every_line_of_docker_can_say_that_it_may_be_tried_again() -> None:
    lines = "network shop_default not found\nCleaning up\n"
    assert is_passing(translated(("stack", "deploy"), lines))  # type: ignore[arg-type]
    assert not is_passing(translated(("stack", "deploy"), "bad\n"))  # type: ignore[arg-type]
