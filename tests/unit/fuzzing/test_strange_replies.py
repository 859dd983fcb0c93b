"""Whatever the broker, the leader, the engine or STS replies, it becomes an event or a denial."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from nacl.public import Box, PrivateKey
from pydantic import SecretStr
from randomness import at_most
from strange import VALUES, mutated, text_of

import wire
from agent.decide import decide
from agent.edges.engine import Membership, _membership
from agent.events import Denied, EngineInspected, Granted, RequestFailed
from agent.join_request import request_token
from agent.model import AwsNotice, Policy, StandingNotice, View
from agent.reports import report_notice
from agent.signing import Credentials
from leader.joining.caller import read_answer
from leader.view.model import Denied as Denial
from runtime import clock
from runtime.errors import RefusedError, UnavailableError
from wire import user_data
from wire.instance import InstanceFacts
from wire.messages import Role
from wire.sealing import open_request, public_text

LEADER, AGENT = PrivateKey(bytes(range(32))), PrivateKey(bytes(range(1, 33)))
USER_DATA = user_data.parse(f"""#spotswarm
cluster = "demo"
broker = "rediss://10.0.0.1:6380"
password = "example-password"
leader_keys = ["{public_text(LEADER.public_key)}"]
ca = "example-ca"
""")
FACTS = InstanceFacts(
    instance="i-1", region="r", zone="a", type="t", lifecycle="spot", address="10.0.0.1"
)
EXAMPLES = {
    name: json.loads((Path(wire.__file__).parent / f"examples/{name}.json").read_text())
    for name in ("grant", "denial", "leave", "heartbeat")
}
GRANT = EXAMPLES["grant"] | {"instance": "i-1", "expires": "2199-01-01T00:00:00Z"}
SWARM = {
    "LocalNodeState": "active",
    "NodeID": "n-1",
    "Error": "",
    "ControlAvailable": False,
    "RemoteManagers": [{"NodeID": "n-2", "Addr": "10.0.0.1:2377"}],
}
ANSWER = b"""<?xml version="1.0" encoding="%s"?>
<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
</GetCallerIdentityResponse>"""


async def credentials():
    return Credentials("ASIAEXAMPLEEXAMPLE00", SecretStr("s"), SecretStr("t"), clock.now())


def replying(document):
    """A broker behind which the leader replies with this document, about our request."""

    async def send(_user_data, _reply, sealed, _within):
        opened = open_request(sealed, leaders=[LEADER])
        ours = {"nonce": getattr(opened.message, "nonce", None), "role": "worker"}
        text = text_of(document | ours).encode()
        return b"\x01" + bytes(Box(LEADER, opened.sender).encrypt(text))

    return send


def requested(document):
    return asyncio.run(
        request_token(
            USER_DATA,
            FACTS,
            role=Role.WORKER,
            offset=timedelta(),
            credentials=credentials,
            send=replying(document),
        )
    )


def test_the_grant_that_is_changed_below_is_accepted_as_such():
    assert isinstance(requested(GRANT), Granted)


@example(GRANT | {"expires": "9999-12-31T23:59:59-23:59"})
@example(EXAMPLES["denial"] | {"leader_time": "0001-01-01T00:00:00+23:59"})
@given(st.one_of(mutated(GRANT), mutated(EXAMPLES["denial"]), mutated(EXAMPLES["leave"])))
@at_most(40)
def test_no_reply_to_a_request_is_more_than_an_event(document):
    event = requested(document)

    assert isinstance(event, Granted | Denied | RequestFailed)
    assert "example-join-token" not in str(getattr(event, "reason", ""))
    policy = Policy(Role.WORKER)
    view, _ = decide(View(), event, policy)
    decide(view, EngineInspected(clock.now(), "inactive"), policy)


@given(st.one_of(mutated(EXAMPLES["leave"] | {"instance": "i-1"}), mutated(GRANT)))
@at_most(40)
def test_no_reply_to_a_notice_is_more_than_refused(document):
    standing = StandingNotice(AwsNotice("interruption", clock.now(), "terminate"), clock.now())
    try:
        reason = asyncio.run(
            report_notice(USER_DATA, FACTS, standing, key=AGENT, send=replying(document))
        )
    except RefusedError:
        return
    assert isinstance(reason, str)


@given(mutated(SWARM) | VALUES)
@at_most(60)
def test_no_state_of_the_engine_is_more_than_unavailable(swarm):
    try:
        membership = _membership(swarm)
    except UnavailableError:
        return
    assert isinstance(membership, Membership)
    assert all(isinstance(address, str) for address in membership.managers)
    event = EngineInspected(datetime(2026, 11, 23, tzinfo=UTC), membership.state, membership.error)
    decide(View(), event, Policy(Role.WORKER))


@pytest.mark.parametrize("encoding", [b"utf-8", b"utf-7", b"utf-16", b"no-such", b"idna"])
def test_no_encoding_of_an_answer_of_sts_is_more_than_a_denial(encoding):
    for status in (200, 403):
        answer = read_answer(status, "text/xml", ANSWER % encoding, account="1", roles=())
        assert isinstance(answer, Denial)


@given(st.binary(max_size=80))
@at_most(20)
def test_no_answer_of_sts_is_more_than_a_denial(body):
    assert isinstance(read_answer(200, "text/xml", body, account="1", roles=()), Denial)
