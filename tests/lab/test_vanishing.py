"""Workers die, are cut off, or never come: without a word before."""

import re
import time

from farm import SERVICES
from scenario import eventually

from lab.load import ingress

CONSOLES = "/var/lib/spotswarm-leader/consoles"
DOWN_WITHIN = 10.0
"""With the engine's own heartbeat period it takes 10.3 s at least (docs/benchmarks.md)."""
UNHURRIED = {"down_seconds": 600}
"""The leader terminates no worker that is Down, however slowly the host runs the scenario."""


def test_a_worker_without_power_is_down_in_seconds_and_its_tasks_run_elsewhere(farm):
    """EC2 says that it runs, until the leader gives it up."""
    lost = farm.runs("single")
    node = farm.node(lost)["node"]
    with farm.under_load(loses_nothing=False) as reports:
        farm.lab.kill(lost)
        began = time.monotonic()
        farm.shows(lost, within=20, status="down")
        took = time.monotonic() - began
        eventually(lambda: is_off(farm, node), within=30, every=0.5, what="tasks elsewhere")
        # The ingress looks every second.
        time.sleep(1)
        ingress.wait_served(farm.lab, *SERVICES)
        back = time.monotonic()
        farm.lab.launch()
        farm.goes(lost, within=90)

    assert took < DOWN_WITHIN
    assert reports[0].between(back, reports[0].ended).lost == 0, f"{reports[0]}"
    assert "although its instance is running" in dict(farm.decided(lost))["TerminateInstance"]
    times = re.search(r"(\d+) times in a row", dict(farm.decided(lost))["RemoveNode"])
    assert int(times[1]) >= 3
    assert farm.leader_said("cat", f"{CONSOLES}/{lost}.txt")


def is_off(farm, node):
    """Whether all tasks are up, none of them on a node."""
    tasks = [task for one in SERVICES for task in farm.tasks(one.name).values()]
    return all(task["state"] == "running" and task["node"] != node for task in tasks) and (
        farm.is_whole(*(one.name for one in SERVICES))
    )


def test_a_worker_that_ec2_ended_without_notice_is_removed(farm):
    lost = farm.runs("single")
    with farm.under_load(loses_nothing=False):
        farm.lab.kill(lost)
        farm.lab.terminate(lost)
        farm.lab.launch()
        farm.goes(lost)

    assert "RemoveNode" in dict(farm.decided(lost))


def test_workers_that_ec2_ended_at_once_are_removed_a_round_at_a_time(farm):
    """More than may be removed at once: what EC2 itself calls terminated is not in doubt."""
    lost = farm.workers()[:2]
    with farm.leader_settings(removals_at_once=1):
        with farm.under_load(loses_nothing=False):
            for instance in lost:
                farm.lab.kill(instance)
            farm.lab.terminate(*lost)
            farm.lab.launch(count=2)
            farm.goes(*lost, within=120)

        for instance in lost:
            assert (
                f"EC2 says that {instance} is terminated"
                in dict(farm.decided(instance))["RemoveNode"]
            )
        assert farm.ask_leader("status")["refusals"] == []


def test_a_worker_cut_off_for_seconds_is_kept(farm):
    cut = farm.runs("single")
    node = farm.node(cut)["node"]
    with farm.leader_settings(**UNHURRIED):
        with farm.under_load(loses_nothing=False):
            farm.lab.partition(cut)
            try:
                farm.shows(cut, within=20, status="down")
            finally:
                farm.lab.heal(cut)
            row = farm.shows(cut, status="ready", availability="active")

        assert row["node"] == node
        assert farm.state(cut) == "running"
        assert not {"RemoveNode", "TerminateInstance"} & set(dict(farm.decided(cut)))


def test_a_worker_whose_entry_was_removed_while_it_was_cut_off_is_ended(farm):
    """Swarm has no word for it on the worker: its engine calls itself active for ever."""
    cut = farm.runs("single")
    old = farm.node(cut)["node"]
    with farm.leader_settings(orphan_seconds=10):
        with farm.under_load(loses_nothing=False):
            farm.lab.partition(cut)
            try:
                farm.shows(cut, within=20, status="down")
                assert farm.leader_said("docker", "node", "rm", old) is not None
            finally:
                farm.lab.heal(cut)
            farm.lab.launch()
            farm.goes(cut, within=90)

        # Before the leader starts again: it remembers no decisions then.
        assert "without being a node" in dict(farm.decided(cut))["TerminateInstance"]
        assert farm.leader_said("cat", f"{CONSOLES}/{cut}.txt")


def test_a_worker_cut_off_for_good_ends_itself(farm):
    with farm.leader_settings(**UNHURRIED):
        cut = farm.launch(user_data=farm.user_data(deadman_seconds=5))
        farm.serves(cut)
        with farm.under_load():
            farm.lab.partition(cut.instance)
            farm.goes(cut.instance)

        # EC2 saw the instance shut down; the leader had not asked for it.
        assert "TerminateInstance" not in dict(farm.decided(cut.instance))


def test_an_instance_that_never_joins_is_ended_and_its_console_kept(farm):
    orphan = farm.launch_idle().instance
    with farm.leader_settings(orphan_seconds=10):
        eventually(lambda: farm.state(orphan) == "terminated", within=90, every=0.5, what="an end")

        assert "without being a node" in dict(farm.decided(orphan))["TerminateInstance"]
        assert "systemd" in (farm.leader_said("cat", f"{CONSOLES}/{orphan}.txt") or "")
