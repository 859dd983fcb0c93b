"""Which running services are not deployed any more."""

from cli.deploy.leftovers import Leftovers, among
from cli.deploy.stackfile.stack import Stack

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
