"""The leader's reception with a broker of this test: what it opens, proves, drops and tells."""

import asyncio
import secrets
from contextlib import asynccontextmanager, suppress

from builders import NOW, instance, node, view
from nacl.public import PrivateKey

from leader.edges.broker.connection import Mail
from leader.joining.intake import IntakePolicy
from leader.report.record import Record
from leader.term.inbox import Inbox
from leader.term.mailbox import Mailbox
from leader.term.metrics import Metrics
from leader.term.reception import Reception
from leader.view.events import JoinAsked, JoinUnproven, LeftSwarm, Noticed
from leader.view.model import Identity
from runtime import clock
from runtime.streams import cancel_all
from wire.labels import LABEL_INSTANCE, LABEL_KEY
from wire.messages import DenialCode, Farewell, JoinRequest, Notice, PasswordClaim, Role
from wire.sealing import public_text, seal_request
from wire.stamps import stamped_nonce

LEADER, MEMBER = PrivateKey.generate(), PrivateKey.generate()
LABELS = {LABEL_INSTANCE: "i-1", LABEL_KEY: public_text(MEMBER.public_key)}


class Post:
    """Gives the mail that the test has put in."""

    def __init__(self):
        self._mails = asyncio.Queue()

    def put(self, *, reports=(), requests=(), lost=0):
        self._mails.put_nowait(Mail(list(reports), list(requests), lost))

    async def receive(self):
        return await self._mails.get()


class Prover:
    """Believes everybody, after a moment."""

    def __init__(self):
        self.at_once = self.most_at_once = 0

    async def prove(self, request, _key):
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0.01)
        self.at_once -= 1
        return Identity("password", instance(request.identity.name))


class Desk:
    def __init__(self):
        self.post, self.inbox, self.metrics, self.prover = Post(), Inbox(), Metrics(), Prover()
        self.reception = Reception(
            IntakePolicy(cluster="demo", identity="password", regions=frozenset()),
            prover=self.prover,
            mailbox=Mailbox([LEADER]),
            inbox=self.inbox,
            view=lambda: view(node("n-1", labels=LABELS)),
            metrics=self.metrics,
            record=Record(),
        )

    async def events(self, count):
        async with asyncio.timeout(20):
            return [await self.inbox.next() for _ in range(count)]

    def dropped(self):
        return {
            sample.labels["code"]: sample.value
            for metric in self.metrics.joins.collect()
            for sample in metric.samples
            if sample.name.endswith("_total") and sample.labels["answer"] == "dropped"
        }


@asynccontextmanager
async def receiving():
    desk = Desk()
    task = asyncio.create_task(desk.reception.take(desk.post))
    try:
        yield desk
    finally:
        is_running = not task.done()
        await cancel_all((task,))
        assert is_running, "nothing that arrives ends the reception"


def request(name="i-5", *, is_stamped=True, **changed):
    sender = PrivateKey.generate()
    fields = {
        "cluster": "demo",
        "nonce": secrets.token_hex(16),
        "reply": secrets.token_hex(16),
        "role": Role.WORKER,
        "issued": clock.now(),
        "identity": PasswordClaim(name=name, address="10.0.0.5"),
    }
    nonce = stamped_nonce(sender.public_key, clock.now()) if is_stamped else None
    message = JoinRequest(**(fields | changed))
    return seal_request(message, sender=sender, leader=LEADER.public_key, nonce=nonce)


def notice(by=MEMBER, of="i-1"):
    message = Notice(cluster="demo", instance=of, notice="interruption", seen=NOW)
    return seal_request(message, sender=by, leader=LEADER.public_key)


def farewell():
    message = Farewell(cluster="demo", instance="i-1", node="n-1", reason="empty", at=NOW)
    return seal_request(message, sender=MEMBER, leader=LEADER.public_key)


def junk(count):
    return [
        b"\x01" + secrets.token_bytes(31) + b"\x00" + secrets.token_bytes(1500)
        for _ in range(count)
    ]


async def test_a_join_a_notice_and_a_farewell_become_events():
    async with receiving() as desk:
        desk.post.put(reports=[notice(), farewell()], requests=[request()])

        noticed, left, asked = await desk.events(3)

    assert isinstance(noticed, Noticed)
    assert (noticed.notice.instance, noticed.notice.source) == ("i-1", "agent")
    assert isinstance(left, LeftSwarm)
    assert isinstance(asked, JoinAsked)
    assert asked.ask.identity.instance.id == "i-5"


async def test_an_older_agent_is_served_by_the_list_of_requests():
    async with receiving() as desk:
        desk.post.put(requests=[farewell(), notice(), request(is_stamped=False)])

        events = await desk.events(3)

    assert [type(event) for event in events] == [LeftSwarm, Noticed, JoinAsked]


async def test_nobody_reports_about_another_node():
    stranger = PrivateKey.generate()
    async with receiving() as desk:
        desk.post.put(reports=[notice(by=stranger), notice(of="i-2"), b"", notice()])

        (event,) = await desk.events(1)

    assert isinstance(event, Noticed)
    assert desk.dropped() == {"stranger": 1, "unopenable": 1, "malformed": 1}


async def test_in_a_flood_stamped_joins_and_notices_are_served_and_the_flood_is_shown():
    async with receiving() as desk:
        for _ in range(20):
            desk.post.put(requests=junk(250))
        desk.post.put(reports=[notice()], requests=[*junk(100), request("i-8"), *junk(100)])
        started = clock.monotonic()

        events = await desk.events(2)

        assert {type(event) for event in events} == {Noticed, JoinAsked}
        assert clock.monotonic() - started < 10
        assert desk.reception.is_flooded
        assert desk.reception.dropped_per_second > 500
        desk.post.put()
        await asyncio.sleep(0.01)
        assert desk.metrics.flooded.collect()[0].samples[0].value == 1


async def test_a_thousand_joins_are_proven_side_by_side_and_none_is_a_flood():
    async with receiving() as desk:
        requests = [request(f"i-{number}", is_stamped=number % 50 == 0) for number in range(1000)]
        desk.post.put(requests=requests[:500])
        desk.post.put(requests=requests[500:])

        events = await desk.events(300)

        assert {type(event) for event in events} == {JoinAsked}
        assert 8 <= desk.prover.most_at_once <= 56
        assert not desk.reception.is_flooded
        assert desk.dropped() == {}


async def test_of_a_request_that_repeats_a_few_are_told_so_and_the_others_are_dropped():
    async with receiving() as desk:
        sealed = request()
        desk.post.put(requests=[sealed] * 150)

        events = await desk.events(21)

    assert sum(isinstance(event, JoinAsked) for event in events) == 1
    denied = [event.denied.code for event in events if isinstance(event, JoinUnproven)]
    assert denied == [DenialCode.REPLAYED] * 20
    assert desk.dropped()["repeated"] >= 100


async def test_denials_of_a_flood_are_limited():
    async with receiving() as desk:
        many = [
            request(f"i-{number}", is_stamped=False, cluster="another") for number in range(400)
        ]
        started = clock.monotonic()
        desk.post.put(requests=many)

        events = await desk.events(100)
        async with asyncio.timeout(20):
            while len(events) + desk.dropped().get("crowded-out", 0) < len(many):
                with suppress(TimeoutError):
                    async with asyncio.timeout(0.05):
                        events.append(await desk.inbox.next())
        took = clock.monotonic() - started

    assert {type(event) for event in events} == {JoinUnproven}
    # A hundred at once, and as many in each second that a busy host takes.
    assert len(events) <= 101 + 100 * took


async def test_messages_that_a_full_list_lost_are_counted():
    async with receiving() as desk:
        desk.post.put(lost=700, requests=[request()])

        await desk.events(1)

    assert desk.dropped() == {"crowded-out": 700}
    assert desk.reception.is_flooded
