"""Which running services are not deployed any more."""

from dataclasses import replace
from typing import Any

import pytest
import typer

from cli.deploy.leftovers import Leftovers, among, settle, withdraw_rivals
from cli.deploy.stackfile.stack import Stack
from cli.terminal.exits import Exit
from runtime.errors import RefusedError

STACK = Stack(
    "services",
    {"services": {"web": {}, "gateway": {}}},
    unselected=frozenset({"simulator", "spare", "absent"}),
    replaced=frozenset({"simulator"}),
)


def test_services_are_told_apart_by_why_they_are_not_deployed() -> None:
    running = {f"services_{name}" for name in ("web", "old", "simulator", "spare")}

    left = among(running, STACK)

    assert left == Leftovers(
        gone=("services_old",), unselected=("services_spare",), replaced=("services_simulator",)
    )
    assert left.report() == {
        "still_there": ["services_old", "services_spare"],
        "replaced": ["services_simulator"],
    }


def test_a_stack_of_which_nothing_is_left_over_reports_nothing() -> None:
    assert among({"services_web"}, STACK).report() == {}


class Rejecting:
    """A swarm in which the simulator runs, and which removes nothing."""

    def services(self, _stack: str) -> list[dict[str, Any]]:
        return [{"Spec": {"Name": "services_simulator"}}]

    def remove_services(self, names: list[str]) -> None:
        raise RefusedError(f"not removed: {' '.join(names)}")


def test_a_stack_that_runs_is_not_called_refused_if_a_service_cannot_be_removed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    left = Leftovers(replaced=("services_simulator",))
    with pytest.raises(typer.Exit) as ended:
        settle(Rejecting(), STACK, left, prune=False)  # type: ignore[arg-type]
    assert ended.value.exit_code == Exit.INCOMPLETE
    error = " ".join(capsys.readouterr().err.split())
    assert "services is deployed, but these services could not be removed" in error
    assert "run `docker service rm services_simulator`" in error


class Removing:
    """A swarm that removes services, or in which a signal ends the removal."""

    def __init__(self, *, is_interrupted: bool = False) -> None:
        self.removed: list[str] = []
        self.is_interrupted = is_interrupted

    def services(self, _stack: str) -> list[dict[str, Any]]:
        return [{"Spec": {"Name": "services_simulator"}}]

    def remove_services(self, names: list[str]) -> None:
        if self.is_interrupted:
            raise KeyboardInterrupt
        self.removed += names


def test_an_interrupted_removal_names_what_is_perhaps_not_removed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    left, swarm = Leftovers(replaced=("services_simulator",)), Removing(is_interrupted=True)
    with pytest.raises(typer.Exit) as ended:
        settle(swarm, STACK, left, prune=False)  # type: ignore[arg-type]
    assert ended.value.exit_code == Exit.INTERRUPTED
    error = " ".join(capsys.readouterr().err.split())
    assert "services is deployed; perhaps not removed: services_simulator" in error
    assert "run `docker service rm services_simulator`" in error


@pytest.mark.parametrize(
    ("left", "created", "removed"),
    [
        (("services_simulator",), ["services_gateway", "services_web"], ["services_gateway"]),
        (("services_simulator",), ["services_web"], []),
        ((), ["services_gateway"], []),
    ],
)
def test_only_a_new_service_that_would_replace_a_running_one_is_removed(
    left: tuple[str, ...], created: list[str], removed: list[str]
) -> None:
    swarm = Removing()
    names = withdraw_rivals(
        swarm,  # type: ignore[arg-type]
        replace(STACK, rivals=frozenset({"gateway"})),
        Leftovers(replaced=left),
        created,
    )
    assert (names, swarm.removed) == (removed, removed)


def test_a_rival_that_could_not_be_removed_is_named_with_the_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    stack, left = replace(STACK, rivals=frozenset({"gateway"})), Leftovers(replaced=("a",))
    assert withdraw_rivals(Rejecting(), stack, left, ["services_gateway"]) == []  # type: ignore[arg-type]
    assert "`docker service rm services_gateway`" in capsys.readouterr().err
