"""Whatever arrives at the broker or on the queue, the next honest message is handled."""

import asyncio
import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from builders import NOW, POLICY, instance
from hypothesis import example, given
from hypothesis import strategies as st
from nacl.public import Box, PrivateKey
from randomness import at_most
from strange import DATES, VALUES, mutated, text_of
from swarm_model import worker

import wire
from leader.decide import decide
from leader.edges.broker.connection import Mail
from leader.joining.intake import IntakePolicy
from leader.leaving.parsing import excerpt
from leader.leaving.parsing import parse as parse_notice
from leader.report.record import Record
from leader.term.inbox import Inbox
from leader.term.mailbox import Mailbox
from leader.term.metrics import Metrics
from leader.term.queue_reader import read_queue
from leader.term.reception import Reception
from leader.view.events import JoinUnproven, LeftSwarm, Noticed, Ticked
from leader.view.model import Denied, View
from runtime import clock
from runtime.errors import UnavailableError
from runtime.faults import Faults
from wire.labels import LABEL_KEY
from wire.messages import DenialCode, MalformedMessage, parse
from wire.sealing import public_text

LEADER = PrivateKey(bytes(range(32)))
AGENT = PrivateKey(bytes(range(1, 33)))
EXAMPLES = {
    path.stem: json.loads(path.read_text())
    for path in (Path(wire.__file__).parent / "examples").glob("*.json")
}
A1 = EXAMPLES["join-request-aws"] | {
    "identity": EXAMPLES["join-request-aws"]["identity"] | {"date": "20269999T999999Z"}
}
A2 = EXAMPLES["notice"] | {"instance": "i-1", "seen": "9999-12-31T23:59:59Z"}
HONEST = EXAMPLES["farewell"] | {"instance": "i-1"}
QUEUE_NOTICE = {
    "source": "aws.ec2",
    "detail-type": "EC2 Spot Instance Interruption Warning",
    "time": "2026-11-23T20:00:00Z",
    "detail": {"instance-id": "i-0123456789abcdef0", "instance-action": "terminate"},
}
HEALTH = {
    "source": "aws.health",
    "detail-type": "AWS Health Event",
    "time": "2026-11-23T20:00:00Z",
    "detail": {
        "service": "EC2",
        "eventTypeCategory": "scheduledChange",
        "eventTypeCode": "AWS_EC2_INSTANCE_STOP_SCHEDULED",
        "startTime": "Thu, 26 Nov 2026 15:10:09 GMT",
        "affectedEntities": [{"entityValue": "i-0123456789abcdef0"}],
    },
}
HOOK = {
    "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
    "Time": "2026-11-23T20:00:00.000Z",
    "EC2InstanceId": "i-0123456789abcdef0",
}
ENVELOPE = {"Type": "Notification", "Message": json.dumps(QUEUE_NOTICE)}


def encoded(value):
    return text_of(value).encode()


class Prover:
    async def prove(self, _request, _key):
        return Denied(DenialCode.PROOF_REFUSED, "no", 1)


class Requests:
    """A broker that has these requests, and then none."""

    def __init__(self, *plain, name="requests"):
        self.name = name
        self.waiting = [
            b"\x01" + bytes(AGENT.public_key) + bytes(Box(AGENT, LEADER.public_key).encrypt(text))
            for text in plain
        ]

    async def receive(self):
        if not self.waiting:
            await asyncio.sleep(0)
            raise EndError
        waiting, self.waiting = self.waiting, []
        return Mail(**{self.name: waiting})


class EndError(Exception):
    """Ends a test's input."""


def member():
    node = worker(1, labels={LABEL_KEY: public_text(AGENT.public_key)})
    return View(nodes={node.id: node}, nodes_at=NOW, instances={"i-1": instance("i-1")})


async def received(*plain, prover=None, mailbox=None, name="requests"):
    """The events, the faults and the metrics after these messages in the list of this name."""
    inbox, faults, metrics, view = Inbox(), Faults(), Metrics(), member()
    policy = IntakePolicy(
        cluster="demo",
        identity="aws",
        regions=frozenset({"eu-central-1"}),
        skew=timedelta(days=3650),
    )
    reception = Reception(
        policy,
        prover=prover or Prover(),
        mailbox=mailbox or Mailbox((LEADER,)),
        inbox=inbox,
        view=lambda: view,
        metrics=metrics,
        record=Record(),
        faults=faults,
    )
    with suppress(EndError, ExceptionGroup):
        await reception.take(Requests(*plain, name=name))
    events = []
    while len(inbox):
        events.append(await inbox.next())
    return events, faults.recent(), metrics


def dropped(metrics):
    return metrics.registry.get_sample_value(
        "spotswarm_joins_total", {"answer": "dropped", "code": "unopenable"}
    )


async def test_a_date_that_is_no_date_drops_only_its_message():
    events, faults, metrics = await received(json.dumps(A1).encode(), json.dumps(HONEST).encode())

    assert [type(event) for event in events] == [LeftSwarm]
    assert dropped(metrics) == 1
    assert faults == []


async def test_a_notice_of_the_year_9999_drops_only_its_message():
    events, faults, metrics = await received(json.dumps(A2).encode(), json.dumps(HONEST).encode())

    assert [type(event) for event in events] == [LeftSwarm]
    assert dropped(metrics) == 1
    assert faults == []


async def test_what_a_check_raises_ends_only_the_check_and_is_counted():
    class Broken:
        async def prove(self, _request, _key):
            raise KeyError("example-secret")

    now = datetime.now(UTC)
    fresh = {"issued": now.isoformat()}
    proof = EXAMPLES["join-request-aws"]["identity"] | {"date": f"{now:%Y%m%dT%H%M%SZ}"}
    request = EXAMPLES["join-request-aws"] | fresh | {"identity": proof}
    texts = json.dumps(request).encode(), json.dumps(HONEST).encode()
    events, faults, _ = await received(*texts, prover=Broken())

    assert [type(event) for event in events] == [LeftSwarm]
    (fault,) = faults
    assert fault["path"] == "agents' messages"
    assert fault["cause"].startswith("KeyError")
    assert "example-secret" not in str(faults)


@pytest.mark.parametrize("name", ["requests", "reports"])
async def test_what_opening_a_message_raises_ends_only_this_message(name):
    class Broken(Mailbox):
        def open(self, data):
            opened = super().open(data)
            if opened.message.kind == "notice":
                raise LookupError("example-secret")
            return opened

    notice = EXAMPLES["notice"] | {"instance": "i-1"}
    texts = json.dumps(notice).encode(), json.dumps(HONEST).encode()
    events, faults, _ = await received(*texts, mailbox=Broken((LEADER,)), name=name)

    assert [type(event) for event in events] == [LeftSwarm]
    assert [(row["path"], row["count"]) for row in faults] == [("agents' messages", 1)]


@example(A1)
@example(A2)
@given(st.one_of([mutated(document) for document in EXAMPLES.values()]))
@at_most(40)
def test_no_message_raises_or_hides_the_next(document):
    text = text_of(document | {"instance": document.get("instance") and "i-1"}).encode()
    events, faults, metrics = asyncio.run(received(text, json.dumps(HONEST).encode()))

    assert faults == []
    assert isinstance(events[-1], LeftSwarm) or isinstance(events[0], LeftSwarm)
    handled = [event for event in events if isinstance(event, JoinUnproven | Noticed | LeftSwarm)]
    assert len(handled) + int(dropped(metrics) or 0) == 2
    view = member()
    for event in events:
        view, _ = decide(view, event, POLICY)
    decide(view, Ticked("t-1", NOW), POLICY)


@given(st.binary(max_size=200) | DATES.map(str.encode) | VALUES.map(encoded))
@at_most(40)
def test_no_bytes_are_a_message_by_chance_and_the_error_quotes_none(data):
    with pytest.raises(MalformedMessage) as caught:
        parse(data)

    assert caught.value.__cause__ is None


class Queue:
    """A queue that has these bodies once."""

    def __init__(self, *bodies):
        self.batches = [tuple((body, f"r-{number}") for number, body in enumerate(bodies))]
        self.deleted = []

    async def receive(self):
        if not self.batches:
            raise UnavailableError("empty")
        return self.batches.pop()

    async def delete(self, receipts):
        self.deleted += receipts


async def queued(*bodies):
    queue, inbox, faults, metrics = Queue(*bodies), Inbox(), Faults(), Metrics()
    with suppress(UnavailableError):
        await read_queue(queue, inbox, metrics, faults)
    events = []
    while len(inbox):
        events.append(await inbox.next())
    return queue, events, faults.recent()


async def test_what_a_message_of_the_queue_raises_ends_only_this_message(monkeypatch):
    def breaks(body):
        if body == "strange":
            raise LookupError("example-secret")
        return parse_notice(body)

    monkeypatch.setattr("leader.term.queue_reader.parse", breaks)
    queue, events, faults = await queued("strange", json.dumps(QUEUE_NOTICE))

    assert [event.receipt for event in events] == ["r-1"]
    assert queue.deleted == ["r-0"]
    assert [row["path"] for row in faults] == ["the queue's messages"]


@example(QUEUE_NOTICE | {"time": "9999-12-31T23:59:59Z"})
@example(ENVELOPE | {"Message": "[" * 5000})
@given(
    st.one_of([mutated(document) for document in (QUEUE_NOTICE, HEALTH, HOOK, ENVELOPE)]) | VALUES
)
@at_most(60)
def test_no_body_on_the_queue_raises_or_hides_the_next(document):
    body = text_of(document)
    queue, events, faults = asyncio.run(queued(body, json.dumps(QUEUE_NOTICE)))

    assert faults == []
    assert events[-1].receipt == "r-1"
    assert queue.deleted in ([], ["r-0"])
    assert bool(queue.deleted) is (len(events) == 1)
    assert len(excerpt(body)) <= 200
    view = member()
    for event in events:
        view, _ = decide(view, event, POLICY)
    decide(view, Ticked("t-1", clock.now()), POLICY)
