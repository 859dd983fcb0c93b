"""EventBridge tells of every state on the way, though moto leaps over some."""

import pytest

from lab.aws.market import passed
from lab.machines.record import Stage


@pytest.mark.parametrize(
    ("told", "state", "stage", "news"),
    [
        (None, "running", None, ("pending",)),
        ("pending", "running", Stage.LAUNCHED, ()),
        ("pending", "running", Stage.BOOTED, ("running",)),
        (None, "running", Stage.ENGINE, ("pending", "running")),
        ("running", "stopped", Stage.ENGINE, ("stopping",)),
        ("stopping", "stopped", Stage.STOPPED, ("stopped",)),
        ("running", "stopped", Stage.STOPPED, ("stopping", "stopped")),
        ("stopped", "running", Stage.STOPPED, ("pending",)),
        ("stopping", "running", Stage.STOPPED, ("stopped", "pending")),
        ("running", "terminated", Stage.ENGINE, ("shutting-down",)),
        ("shutting-down", "terminated", None, ("terminated",)),
        ("running", "terminated", None, ("shutting-down", "terminated")),
        ("terminated", "terminated", None, ()),
    ],
)
def test_the_states_since_the_one_told_last(
    told: str | None, state: str, stage: Stage | None, news: tuple[str, ...]
) -> None:
    assert passed(told, state, stage) == news


def test_a_reboot_and_a_cut_power_are_no_change_of_state() -> None:
    assert passed("running", "running", Stage.STOPPED) == ()
    assert passed("running", "running", Stage.DEAD) == ()
