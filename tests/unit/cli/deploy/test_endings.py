"""Every end of a deployment names what is in neither state, and the command that fixes it."""

import os
import signal
from datetime import UTC, datetime
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from randomness import at_most

from cli.deploy.recovery import records
from cli.deploy.recovery.record import Before, Record, name_of
from cli.deploy.recovery.records import Stored
from cli.deploy.recovery.restoring import Step
from cli.deploy.recovery.rollback import Rollback
from cli.deploy.recovery.rollback_report import rollback_report
from cli.deploy.result import reason_of
from cli.deploy.rollout import Look, Rollout
from cli.deploy.unfinished import named, unfinished
from cli.progress.services import ServiceProgress
from cli.terminal.exits import Exit
from runtime.errors import RefusedError, UnavailableError
from wire.labels import LABEL_APPLIED, LABEL_DEPLOYMENT

SPEC = {"Name": "shop_web", "TaskTemplate": {"ContainerSpec": {"Image": "web:1"}}}
RECORD = Record("shop", datetime(2026, 11, 30, tzinfo=UTC), "root@m1", {})


def rollout(*services: ServiceProgress) -> Rollout:
    look = Look(list(services), "under way") if services else None
    names = ["shop_web", "shop_db"]
    return Rollout(Stored("c1", RECORD, is_applied=False), frozenset(), names, last=look)


def progress(name: str, state: Any = "waiting") -> ServiceProgress:
    return ServiceProgress(name, "web:1", state, running=1, wanted=2, update="updating")


ENDINGS = [
    (KeyboardInterrupt(), Exit.INTERRUPTED),
    (UnavailableError("the engine is away"), Exit.UNREACHABLE),
    (RefusedError("this node is not a swarm manager"), Exit.INCOMPLETE),
]


@pytest.mark.parametrize(("error", "code"), ENDINGS)
def test_an_early_end_names_what_is_not_seen_as_requested(error, code, capsys) -> None:
    steady, waiting = progress("shop_db", "steady"), progress("shop_web")
    with pytest.raises(typer.Exit) as ended, named(rollout(steady, waiting), Rollback()):
        raise error
    assert ended.value.exit_code == code
    text = capsys.readouterr().err
    assert "shop_web (1 of 2 running, updating)" in text
    assert "shop_db" not in text
    assert "`spotswarm deploy shop --undo`" in text


def test_a_bug_of_ours_names_them_before_its_traceback(capsys) -> None:
    with pytest.raises(ZeroDivisionError), named(rollout(progress("shop_web")), Rollback()):
        raise ZeroDivisionError
    text = capsys.readouterr().err
    assert "shop_web (1 of 2 running, updating)" in text
    assert "`spotswarm deploy shop --undo`" in text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_command_as_ctrl_c_does(number, capsys) -> None:
    earlier = signal.getsignal(number)
    with pytest.raises(typer.Exit) as ended, named(rollout(), Rollback()):
        os.kill(os.getpid(), number)
    assert ended.value.exit_code == Exit.INTERRUPTED
    assert "shop_web, shop_db" in capsys.readouterr().err
    assert signal.getsignal(number) == earlier


def test_a_report_that_ends_the_command_is_not_repeated(capsys) -> None:
    with pytest.raises(typer.Exit), named(rollout(), Rollback()):
        raise typer.Exit(8)
    assert capsys.readouterr().err == ""


STEPS = st.builds(
    Step, st.sampled_from(["restored", "write", "wait", "removed", "job"]), st.just("why")
)


@at_most(60)
@given(st.dictionaries(st.sampled_from("abcdef"), STEPS), st.sets(st.sampled_from("xyz")))
def test_each_service_is_called_restored_or_named_with_a_command(steps, created) -> None:
    begun, rollback = rollout(progress("shop_web")), Rollback(dict(steps))
    begun.created = sorted(created)
    rest = rollback_report(begun, rollback, ["a"])
    fields = rest.fields
    parts = [fields["rolled_back"], fields["not_rolled_back"], fields["left"]]
    assert sorted(name for part in parts for name in part) == sorted([*steps, *created])
    assert set(fields["rolled_back"]) == {
        n for n, step in steps.items() if step.doing == "restored"
    }
    assert set(fields["rolled_back_by_swarm"]) <= set(fields["rolled_back"])
    assert ("spotswarm deploy shop --undo" in " ".join(rest.next_steps)) is not rollback.is_over
    if fields["not_rolled_back"]:
        assert rest.next_steps
        assert set(fields["not_rolled_back"]) == set(rollback.not_restored)
        assert all(f"{n} (why)" in unfinished(begun, rollback) for n in fields["not_rolled_back"])
    if created:
        assert f"docker service rm {' '.join(sorted(created))}" in " ".join(rest.next_steps)


def test_services_are_compared_once_with_what_they_were() -> None:
    befores = {
        name: Before(name, SPEC | {"Name": name}, 1)
        for name in ("same", "new", "label", "swarm", "removed")
    }
    stored = Stored("c1", Record("shop", RECORD.begun, "root@m1", befores), is_applied=False)
    begun = Rollout(stored, frozenset(), list(befores))
    rows = [
        {"ID": name, "Spec": SPEC | {"Name": name}, "Version": {"Index": 7}}
        for name in befores
        if name != "removed"
    ]
    rows[1]["ID"] = "another"
    rows[2]["Spec"] |= {"Labels": {"a": "b"}}
    begun.versions = {"same": 7, "swarm": 6}
    undone = [progress("same"), progress("swarm")]
    for service in undone:
        service.update = "rollback_completed"
    begun.compare(rows, undone)
    assert (begun.created, begun.updated) == (["new"], ["label", "swarm", "removed"])
    assert begun.change_of("same") == "unchanged"


def test_a_deployment_that_continues_another_restores_what_that_one_changed_too() -> None:
    befores = {name: Before(name, SPEC | {"Name": name}, 1) for name in ("kept", "dropped")}
    stored = Stored("c1", Record("shop", RECORD.begun, "root@m1", befores), is_applied=False)
    rows = [
        {"ID": name, "Spec": SPEC | {"Name": name, "Labels": {"a": "b"}}, "Version": {"Index": 7}}
        for name in (*befores, "new")
    ]
    for is_continued, updated in ((True, ["kept", "dropped"]), (False, ["kept"])):
        begun = Rollout(stored, frozenset(), ["kept"], is_continued=is_continued)
        begun.compare(rows, [])
        assert begun.updated == updated
        assert begun.created == (["new"] if is_continued else [])


class Labelled:
    """An engine with one config, which is labelled."""

    def __init__(self) -> None:
        self.labels = {LABEL_DEPLOYMENT: "shop", LABEL_APPLIED: "true"}
        self.api = self

    def get(self, _path: str, **_filters: Any) -> Any:
        spec = {"Name": name_of("shop"), "Labels": self.labels, "Data": "e30="}
        return [{"ID": "c1", "Version": {"Index": 7}, "Spec": spec}]

    def post(self, _path: str, body: Any, **_query: str) -> None:
        self.labels = body["Labels"]


def test_a_record_that_is_taken_over_is_not_applied_until_docker_has_applied_it_again() -> None:
    engine, stored = Labelled(), Stored("c1", RECORD, is_applied=True)
    records.take_over(engine, stored)  # type: ignore[arg-type]
    assert engine.labels == {LABEL_DEPLOYMENT: "shop"}
    records.mark_applied(engine, stored)  # type: ignore[arg-type]
    assert engine.labels == {LABEL_DEPLOYMENT: "shop", LABEL_APPLIED: "true"}


def test_a_signal_after_the_stack_runs_does_not_say_that_it_does_not(capsys) -> None:
    begun = rollout()
    begun.last = Look([progress("shop_web", "steady")], "converged")
    with pytest.raises(typer.Exit), named(begun, Rollback()):
        raise KeyboardInterrupt
    assert "every service was seen as requested\n" in capsys.readouterr().err


def test_a_failure_that_no_service_is_to_blame_for_has_a_reason_too() -> None:
    steady, waiting = progress("shop_db", "steady"), progress("shop_web")
    assert reason_of("shop", Look([steady], "timeout"), "") == "shop: time ran out"
    assert reason_of("shop", Look([steady, waiting], "timeout"), "") == "shop_web: time ran out"
    assert reason_of("shop", Look([waiting], "failed"), "no") == "shop: Docker rejected the stack"
