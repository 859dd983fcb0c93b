from datetime import UTC, datetime

import pytest
from nacl.public import PrivateKey

from agent.model import Announcement, Standing
from agent.telling import farewell, tell
from cli.founding.making import document, make
from runtime.errors import RefusedError
from wire import user_data
from wire.instance import InstanceFacts
from wire.messages import Farewell, Leave, Notice
from wire.sealing import open_request, private_key, seal_reply

NOW = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
AT = datetime(2026, 11, 23, 20, 2, tzinfo=UTC)
MADE = make(cluster="demo", names=[], addresses=["10.99.0.10"], port=6380, days=10, at=NOW)
TOLD = user_data.parse(document(MADE.agent))
LEADER = private_key(MADE.secrets.leader_key.get_secret_value())
KEY = PrivateKey.generate()
FACTS = InstanceFacts(
    instance="i-1", region="eu-central-1", zone="a", type="t3", lifecycle="spot", address="10.0.0.1"
)
STANDING = Standing(Announcement("maintenance", AT, "stop", "instance-event-1", "x"), NOW)


def order(**changed):
    return Leave(**({"cluster": "demo", "instance": "i-1", "reason": "empty", "at": AT} | changed))


async def told(answer, *, by=LEADER):
    """Tell once a leader that answers `answer(notice)` boxed by `by`; → (order, requests)."""
    requests = []

    async def send(_told, reply, sealed, _within):
        opened = open_request(sealed, leaders=[LEADER])
        requests.append((reply, opened))
        return seal_reply(answer(opened.message), leader=by, asker=opened.sender)

    return await tell(TOLD, FACTS, STANDING, key=KEY, send=send), requests


async def test_a_notice_is_boxed_with_the_join_key_and_says_all_we_know():
    reason, ((reply, opened),) = await told(lambda _: order())

    assert reason == "empty"
    assert opened.sender == KEY.public_key
    assert opened.message == Notice(
        cluster="demo",
        instance="i-1",
        notice="maintenance",
        action="stop",
        effective=AT,
        seen=NOW,
        reply=reply,
        event="instance-event-1",
    )


async def test_each_notice_waits_on_a_list_of_its_own():
    names = {(await told(lambda _: order()))[1][0][0] for _ in range(5)}

    assert len(names) == 5


@pytest.mark.parametrize("changed", [{"cluster": "prod"}, {"instance": "i-2"}])
async def test_an_order_for_somebody_else_is_none(changed):
    with pytest.raises(RefusedError, match="not for us"):
        await told(lambda _: order(**changed))


async def test_an_order_by_anybody_but_our_leader_is_none():
    with pytest.raises(RefusedError, match="not from our leader"):
        await told(lambda _: order(), by=PrivateKey.generate())


async def test_our_own_notice_thrown_back_at_us_is_no_order():
    async def send(_told, _reply, sealed, _within):
        return sealed[:1] + sealed[33:]

    with pytest.raises(RefusedError, match="is a notice"):
        await tell(TOLD, FACTS, STANDING, key=KEY, send=send)


def test_a_farewell_is_boxed_with_the_join_key_and_its_reason_fits():
    sealed = farewell(TOLD, FACTS, node="node-1", reason="x" * 500, key=KEY)
    opened = open_request(sealed, leaders=[LEADER])

    assert opened.sender == KEY.public_key
    assert isinstance(opened.message, Farewell)
    assert (opened.message.node, opened.message.reason) == ("node-1", "x" * 200)
