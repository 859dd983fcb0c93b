from datetime import UTC, datetime

import pytest
from nacl.public import PrivateKey

from agent.model import AwsNotice, StandingNotice
from agent.reports import report_notice, sealed_farewell
from cli.founding.secrets import create, user_data_text
from runtime.errors import RefusedError
from wire import user_data
from wire.instance import InstanceFacts
from wire.messages import Farewell, Leave, Notice
from wire.sealing import open_request, private_key, seal_reply

NOW = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
AT = datetime(2026, 11, 23, 20, 2, tzinfo=UTC)
MADE = create(cluster="demo", names=[], addresses=["10.99.0.10"], port=6380, days=10, at=NOW)
USER_DATA = user_data.parse(user_data_text(MADE.agent))
LEADER = private_key(MADE.leader.leader_key.get_secret_value())
KEY = PrivateKey.generate()
FACTS = InstanceFacts(
    instance="i-1", region="eu-central-1", zone="a", type="t3", lifecycle="spot", address="10.0.0.1"
)
STANDING = StandingNotice(AwsNotice("maintenance", AT, "stop", "instance-event-1", "x"), NOW)


def order(**changed):
    return Leave(**({"cluster": "demo", "instance": "i-1", "reason": "empty", "at": AT} | changed))


async def report_to(answer, *, by=LEADER):
    """Report to a leader that answers `answer(notice)` boxed by `by`; → (reason, requests)."""
    requests = []

    async def send(_user_data, reply, sealed, _within):
        opened = open_request(sealed, leaders=[LEADER])
        requests.append((reply, opened))
        return seal_reply(answer(opened.message), leader=by, asker=opened.sender)

    return await report_notice(USER_DATA, FACTS, STANDING, key=KEY, send=send), requests


async def test_a_report_is_boxed_with_the_join_key_and_holds_the_whole_notice():
    reason, ((reply, opened),) = await report_to(lambda _: order())

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


async def test_each_report_waits_on_its_own_reply_list():
    names = {(await report_to(lambda _: order()))[1][0][0] for _ in range(5)}

    assert len(names) == 5


@pytest.mark.parametrize("changed", [{"cluster": "prod"}, {"instance": "i-2"}])
async def test_an_order_for_another_cluster_or_instance_is_refused(changed):
    with pytest.raises(RefusedError, match="not for us"):
        await report_to(lambda _: order(**changed))


async def test_an_order_from_anyone_but_our_leader_is_refused():
    with pytest.raises(RefusedError, match="not from our leader"):
        await report_to(lambda _: order(), by=PrivateKey.generate())


async def test_our_own_report_sent_back_to_us_is_no_order():
    async def send(_user_data, _reply, sealed, _within):
        return sealed[:1] + sealed[33:]

    with pytest.raises(RefusedError, match="is a notice"):
        await report_notice(USER_DATA, FACTS, STANDING, key=KEY, send=send)


def test_a_farewell_is_boxed_with_the_join_key_and_its_reason_is_cut_to_fit():
    sealed = sealed_farewell(USER_DATA, FACTS, node="node-1", reason="x" * 500, key=KEY)
    opened = open_request(sealed, leaders=[LEADER])

    assert opened.sender == KEY.public_key
    assert isinstance(opened.message, Farewell)
    assert (opened.message.node, opened.message.reason) == ("node-1", "x" * 200)
