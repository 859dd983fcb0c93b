"""Which running services are not deployed any more."""

from typing import Any

import pytest
import typer

from cli.deploy.leftovers import Leftovers, among, settle, withdrawn_on_failure
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


def test_an_interrupted_deployment_keeps_both_alternatives() -> None:
    """The next command finishes or undoes it, so nothing is removed meanwhile."""
    left, created = Leftovers(replaced=("services_simulator",)), ["services_gateway"]
    with (
        pytest.raises(KeyboardInterrupt),
        withdrawn_on_failure(Rejecting(), STACK, left, created),  # type: ignore[arg-type]
    ):
        raise KeyboardInterrupt
