"""What the hypervisor does, given what EC2 says and how far the machines are."""

import pytest

from lab.machines.reconcile import Act, reconcile
from lab.machines.record import Stage


@pytest.mark.parametrize(
    ("state", "stage", "act"),
    [
        ("running", None, Act.CREATE),
        ("pending", None, Act.CREATE),
        ("running", Stage.LAUNCHED, None),
        ("running", Stage.ENGINE, None),
        ("running", Stage.STOPPED, Act.BOOT),
        ("stopped", Stage.ENGINE, Act.SHUT_DOWN),
        ("stopped", Stage.BOOTED, Act.SHUT_DOWN),
        ("stopped", Stage.STOPPED, None),
        ("stopped", None, None),
        ("terminated", Stage.ENGINE, Act.DESTROY),
        ("terminated", Stage.STOPPED, Act.DESTROY),
        ("terminated", Stage.DEAD, Act.DESTROY),
        ("terminated", None, None),
    ],
)
def test_a_machine_follows_its_instance(state: str, stage: Stage | None, act: Act | None) -> None:
    stages = {} if stage is None else {"i-1": stage}

    assert reconcile({"i-1": state}, stages).get("i-1") == act


def test_a_machine_whose_power_was_cut_stays_as_it_is_while_ec2_says_running() -> None:
    assert reconcile({"i-1": "running"}, {"i-1": Stage.DEAD}) == {}


def test_after_a_stop_a_machine_whose_power_was_cut_can_be_started() -> None:
    assert reconcile({"i-1": "stopped"}, {"i-1": Stage.DEAD}) == {"i-1": Act.SETTLE}


def test_a_machine_that_ec2_has_never_heard_of_is_destroyed() -> None:
    assert reconcile({}, {"i-1": Stage.ENGINE}) == {"i-1": Act.DESTROY}
