"""AWS reclaims workers under load, and nothing is lost, whoever is told and whatever dies."""

import json
import re
import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from farm import SERVICES
from scenario import eventually

from lab.aws import eventbridge
from lab.load import ingress
from lab.load.web_service import WebService

CRASH = (Path(__file__).parent / "crash.py").read_text()
NAMES = {one.name for one in SERVICES}
LEFT = re.compile(r"reported that the node has left|was leaving .* and is now Down")
"""Why a node that left is removed: on a busy host it is Down before its agent's report arrives."""


@pytest.mark.engines
def test_an_interrupted_worker_with_the_only_replica_is_emptied_before_it_ends(farm):
    taken = farm.runs("single")
    before = farm.metrics()
    with farm.under_load():
        farm.lab.market.interrupt(taken)
        farm.shows(taken, within=30, phase="leaving", why="interruption", availability="pause")
        farm.lab.launch()
        farm.goes(taken)

    decided = dict(farm.decided(taken))
    assert "AWS will terminate the instance" in decided["PauseNode"]
    assert "every task that could be moved has been moved" in decided["DrainNode"]
    assert "may leave now: the node is empty" in decided["OrderLeave"]
    assert LEFT.search(decided["RemoveNode"])
    assert "has left the swarm (interruption)" in decided["TerminateInstance"]
    assert any(
        "starts elsewhere" in why or "start elsewhere" in why for _, why in farm.decided("single")
    )
    after = farm.metrics()
    for path in ("agent", "queue"):
        name = f'spotswarm_notices_total{{kind="interruption",source="{path}"}}'
        assert after[name] > before.get(name, 0)
    for name in ("spotswarm_tasks_cut_off_total", "spotswarm_tasks_unmoved_total"):
        assert after[name] == before[name]


def test_two_at_once_each_told_by_one_path_alone(farm):
    """Two of three: what is left takes everything. Hostile messages of the third end nothing."""
    first = farm.runs("single")
    second, third = [one for one in farm.workers() if one != first][:2]
    hostile = farm.lab.machine(third)
    hostile.write("/root/user-data", farm.lab.user_data("worker"))
    hostile.write("/root/crash.py", CRASH)
    term = term_of(farm)
    before = dropped_by(farm)
    with farm.under_load():
        farm.lab.market.interrupt(first, by="imds")
        sent = hostile.run("/opt/spotswarm/bin/python", "/root/crash.py", timeout=60).stdout
        farm.lab.market.interrupt(second, by="sqs")
        farm.shows(first, within=30, phase="leaving")
        farm.shows(second, within=30, phase="leaving")
        farm.lab.launch(count=2)
        farm.goes(first, second)

    assert term_of(farm) == term
    assert farm.asked("status")["faults"] == []
    assert dropped_by(farm) >= before + int(sent)
    assert "reported by the agent" in dict(farm.decided(first))["PauseNode"]
    assert "reported by the queue" in dict(farm.decided(second))["PauseNode"]
    assert "its agent is not waiting for" in dict(farm.decided(second))["TerminateInstance"]


def dropped_by(farm):
    """How many messages the leader has dropped in this term, for whatever reason."""
    name = 'spotswarm_joins_total{answer="dropped"'
    return sum(count for metric, count in farm.metrics().items() if metric.startswith(name))


def term_of(farm):
    """The leading process, and how often it has failed or stopped leading."""
    leader = farm.leader()
    journal = leader.journal("spotswarm-leader", lines=100_000)
    ends = journal.count("the leader failed"), journal.count("stopped leading")
    return leader.hostname, farm.main_pid(leader, "spotswarm-leader.service"), ends


def test_a_replacement_that_never_gets_healthy_leaves_the_old_task_on_until_the_drain(farm):
    taken = farm.runs("single")
    host = farm.node(taken)["hostname"]
    picky = WebService(
        "picky",
        replicas=1,
        # It has to end between the drain and the order to leave, also on a busy host.
        linger_seconds=1.0,
        constraint="node.role==worker",
        labels={"spotswarm.rebalance": "no"},
        has_health_check=False,
        extra=(
            "--env=NODE={{.Node.Hostname}}",
            f"--health-cmd=[ $NODE = {host} ]",
            "--health-interval=1s",
            "--health-retries=1",
            f"--constraint=node.hostname=={host}",
        ),
    )
    ingress.deploy(farm.lab, picky)
    try:
        ingress.wait_served(farm.lab, picky)
        farm.leader().docker(
            "service", "update", "-d", "--constraint-rm", f"node.hostname=={host}", "picky"
        )
        # A service in an update of its own would be left to the drain.
        state = "{{if .UpdateStatus}}{{.UpdateStatus.State}}{{end}}"
        inspect = ("service", "inspect", "--format", state, "picky")
        eventually(
            lambda: "updating" not in farm.leader().docker(*inspect),
            within=30,
            every=0.5,
            what="the end of picky's update",
        )
        before, spec = farm.metrics(), farm.specs()["picky"]
        assert farm.runs("picky") == taken
        with farm.under_load():
            # With the drain its only task stops: what is sent from then on may be lost.
            with farm.under_load(picky, loses_nothing=False, ends_whole=False) as reports:
                farm.lab.market.interrupt(taken, notice=75)
                farm.shows(taken, within=60, availability="drain")
            report, drained = reports[0], decided_at(farm, taken, "DrainNode")
            assert report.between(report.began, drained).lost == 0, f"{report}"
            assert drained - report.began > 15
            farm.lab.launch()
            farm.goes(taken)
            eventually(lambda: farm.specs()["picky"] == spec, every=0.5, what="picky as before")

            assert "no time left to move picky.1" in dict(farm.decided(taken))["DrainNode"]
            after = farm.metrics()
            unmoved = "spotswarm_tasks_unmoved_total"
            assert after[unmoved] == before[unmoved] + 1
            assert after["spotswarm_tasks_cut_off_total"] == before["spotswarm_tasks_cut_off_total"]
    finally:
        ingress.remove(farm.lab, "picky")


def decided_at(farm, name, action):
    """When the leader first decided on an action, by this process's monotonic clock."""
    rows = farm.asked(f"explain/{name}")["decisions"]
    at = next(row["at"] for row in rows if row["action"] == action)
    return time.monotonic() - (datetime.now(UTC) - datetime.fromisoformat(at)).total_seconds()


def test_a_leader_killed_in_the_middle_of_an_evacuation_is_carried_on_by_the_next(farm):
    taken = farm.runs("single")
    with farm.under_load():
        farm.lab.market.interrupt(taken)
        farm.lends()
        leader = farm.leader()
        killed = farm.kill_daemon(leader, "spotswarm-leader")
        farm.lab.launch()
        farm.goes(taken)

    assert farm.main_pid(leader, "spotswarm-leader") != killed
    assert "DrainNode" in dict(farm.decided(taken))
    assert farm.metrics()["spotswarm_tasks_cut_off_total"] == 0


def test_an_agent_killed_in_the_middle_of_leaving_leaves_all_the_same(farm):
    taken = farm.runs("single")
    with farm.under_load():
        farm.lab.market.interrupt(taken)
        farm.shows(taken, within=30, phase="leaving")
        farm.kill_daemon(farm.lab.machine(taken), "spotswarm-agent")
        farm.lab.launch()
        farm.goes(taken)

    decided = dict(farm.decided(taken))
    assert "may leave now: the node is empty" in decided["OrderLeave"]
    assert LEFT.search(decided["RemoveNode"])


def test_a_queue_that_repeats_reorders_and_babbles_does_no_harm(farm):
    (spare,) = farm.launch(count=1)
    farm.serves(spare)
    at = datetime.now(UTC)
    instance = SimpleNamespace(id=spare.instance, zone=farm.node(spare.instance)["zone"])
    warning = eventbridge.interruption(instance, eventbridge.Action.TERMINATE, at)
    stranger = SimpleNamespace(id="i-0123456789abcdef0", zone=instance.zone)
    members = {row["node"] for row in farm.nodes() if row["instance"] != spare.instance}

    with farm.under_load():
        for body in (
            eventbridge.state_change(instance, "running", at),
            "not JSON",
            "[]",
            "{}",
            json.dumps({"source": "aws.ec2", "detail-type": "x"}),
            json.dumps(json.loads(warning) | {"detail": {"instance-id": 7}}),
            eventbridge.interruption(stranger, eventbridge.Action.TERMINATE, at),
            eventbridge.state_change(stranger, "terminated", at),
            eventbridge.rebalance(stranger, at),
            warning,
            warning,
            eventbridge.rebalance(instance, at),
            warning,
        ):
            farm.lab.announce(body)
        farm.goes(spare.instance)
        for body in (warning, eventbridge.state_change(instance, "shutting-down", at)):
            farm.lab.announce(body)
        eventually(lambda: waiting(farm) == 0, within=45, every=0.5, what="an empty queue")

    rows = farm.nodes()
    assert members <= {row["node"] for row in rows}
    assert all(row["phase"] is None and row["availability"] == "active" for row in rows)


def waiting(farm):
    """Messages in the queue, those that somebody has received and not deleted included."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    told = farm.lab.aws("sqs").get_queue_attributes(
        QueueUrl=farm.lab.account.queue, AttributeNames=names
    )["Attributes"]
    return sum(int(told[name]) for name in names)


def test_a_hinted_worker_waits_for_its_replacement_and_then_goes(farm):
    spare = farm.launch_idle()
    hinted = farm.runs("single")
    # The hint must not be forgotten before the replacement has joined.
    with farm.leader_settings(hint_seconds=600):
        with farm.under_load():
            farm.lab.market.hint(hinted)
            farm.shows(hinted, within=30, phase="hinted", availability="pause")
            assert farm.runs("single") == hinted

            farm.start_agent(spare)
            farm.shows(hinted, phase="leaving", why="rebalance")
            farm.goes(hinted)

        assert "the node's replacement is taking tasks" in {why for _, why in farm.decided(hinted)}


def test_a_hint_that_nothing_follows_is_forgotten_and_moves_nothing(farm):
    hinted = farm.runs("single")
    before = {name: set(farm.tasks(name)) for name in NAMES}
    with farm.under_load():
        farm.lab.market.hint(hinted)
        farm.shows(hinted, within=30, phase="hinted", availability="pause")
        farm.shows(hinted, phase=None, availability="active")

    assert {name: set(farm.tasks(name)) for name in NAMES} == before
    assert (
        "no interruption notice followed the rebalance recommendation"
        in dict(farm.decided(hinted))["ActivateNode"]
    )
