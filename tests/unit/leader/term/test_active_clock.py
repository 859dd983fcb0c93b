"""What leaves the term is dated by the machine's clock, and the view by the leader's own time."""

from datetime import timedelta

import pytest
from builders import NOW
from swarm_model import worker

from leader.leaving.stages import start_leaving
from leader.settings import LeaderTable, Settings
from leader.term.active import Active
from leader.term.broker_service import BrokerService
from leader.term.mailbox import Mailbox
from leader.term.metrics import Metrics
from leader.view.events import Done, Failed, InstancesListed, NodesListed
from leader.view.terms import Leaving, Then, leaving_of
from wire.instance import InstanceFacts

HOUR = timedelta(hours=1)
TERMS = Leaving("operator", NOW, NOW + timedelta(seconds=90), Then.STAY)
FACTS = InstanceFacts(
    instance="i-00000000000000001",
    region="eu-central-1",
    zone="eu-central-1a",
    type="t3.small",
    lifecycle="on-demand",
    address="10.0.0.1",
)


class Notes:
    """Carries out nothing, and notes what it was to carry out."""

    def __init__(self):
        self.actions, self.fails = [], False

    async def perform(self, action, event_id):
        self.actions.append(action)
        listed = InstancesListed(event_id, NOW, ())
        if self.fails:
            return (listed, Failed(event_id, NOW, action, "no"))
        return (listed, Done(event_id, NOW, action))


def term(performer):
    broker = BrokerService(cluster="demo", leader="i-1", start=None, connect=None)
    return Active(
        Settings("demo", FACTS, LeaderTable(secrets="file:/example")),
        own_node="n-9",
        swarm=None,
        prover=None,
        performer=performer,
        mailbox=Mailbox(()),
        broker=broker,
        queue=None,
        metrics=Metrics(),
    )


@pytest.mark.parametrize("fails", [False, True])
async def test_labels_are_dated_by_the_machine_and_the_view_by_the_leader(monkeypatch, fails):
    monkeypatch.setattr("runtime.clock.step", lambda: HOUR)
    notes = Notes()
    notes.fails = fails
    active = term(notes)
    pause = start_leaving(worker(1), TERMS, reason="x")

    await active._carry_out(pause)

    (sent,) = notes.actions
    assert leaving_of(worker(1, labels=sent.labels)).deadline == TERMS.deadline + HOUR
    listed, ended = await active._inbox.next(), await active._inbox.next()
    assert isinstance(listed, InstancesListed)
    assert ended.action == pause
    on_node = worker(1, labels=sent.labels)
    seen = active._timeline.received(NodesListed("e", NOW, (on_node,)), timedelta())
    assert leaving_of(seen.nodes[0]) == TERMS
