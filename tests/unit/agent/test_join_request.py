from datetime import UTC, datetime, timedelta

import pytest
from nacl.public import PrivateKey
from pydantic import SecretStr

from agent.events import Denied, Granted, RequestFailed
from agent.join_request import request_token
from agent.signing import Credentials
from cli.founding.secrets import create, user_data_text
from runtime.errors import RefusedError, UnavailableError
from wire import user_data
from wire.instance import InstanceFacts
from wire.messages import Availability, AwsProof, Denial, DenialCode, Grant, PasswordClaim, Role
from wire.sealing import open_request, private_key, public_text, seal_reply

MADE = create(
    cluster="demo",
    names=[],
    addresses=["10.99.0.10"],
    port=6380,
    days=10,
    at=datetime(2026, 11, 23, tzinfo=UTC),
)
LEADER = private_key(MADE.leader.leader_key.get_secret_value())
STRANGER = PrivateKey.generate()
FACTS = InstanceFacts(
    instance="i-1", region="eu-central-1", zone="a", type="t3", lifecycle="spot", address="10.0.0.1"
)
FAR = datetime(2099, 1, 1, tzinfo=UTC)


def agent_data(**changed):
    return user_data.parse(user_data_text(MADE.agent | changed))


async def credentials():
    return Credentials("ASIAEXAMPLEEXAMPLE00", SecretStr("s"), SecretStr("t"), FAR)


def grant(request, **changed):
    fields = {
        "cluster": request.cluster,
        "nonce": request.nonce,
        "instance": "i-1",
        "role": request.role,
        "expires": FAR,
        "token": SecretStr("the-join-token"),
        "managers": ("10.0.0.9:2377",),
        "availability": Availability.DRAIN,
    }
    return Grant(**(fields | changed))


def leader(answer, *, key=LEADER, opens=LEADER):
    """A broker with a leader behind it that answers `answer(request)`, boxed by `key`."""
    requests = []

    async def send(_user_data, reply, sealed, _within):
        opened = open_request(sealed, leaders=[opens])
        assert opened.message.reply == reply
        requests.append(opened.message)
        return seal_reply(answer(opened.message), leader=key, asker=opened.sender)

    send.requests = requests
    return send


async def answer_to_request(send, *, role=Role.WORKER, offset=timedelta(), data=None):
    return await request_token(
        data or agent_data(), FACTS, role=role, offset=offset, credentials=credentials, send=send
    )


async def test_a_grant_for_us_becomes_a_ticket():
    event = await answer_to_request(leader(grant))

    assert isinstance(event, Granted)
    assert event.ticket.token == "the-join-token"
    assert event.ticket.managers == ("10.0.0.9:2377",)
    assert "the-join-token" not in repr(event)


async def test_a_ticket_has_the_key_of_its_request_and_does_not_show_it():
    askers = []

    async def send(_user_data, _reply, sealed, _within):
        opened = open_request(sealed, leaders=[LEADER])
        askers.append(opened.sender)
        return seal_reply(grant(opened.message), leader=LEADER, asker=opened.sender)

    event = await answer_to_request(send)

    assert private_key(event.ticket.key).public_key == askers[0]
    assert event.ticket.key not in repr(event)


@pytest.mark.parametrize(
    "changed",
    [
        {"nonce": "f" * 32},
        {"cluster": "prod"},
        {"instance": "i-2"},
        {"role": Role.MANAGER},
        {"expires": datetime(2020, 1, 1, tzinfo=UTC)},
    ],
)
async def test_a_grant_for_anything_else_counts_as_no_answer(changed):
    assert isinstance(
        await answer_to_request(leader(lambda request: grant(request, **changed))), RequestFailed
    )


async def test_a_token_in_place_of_an_instance_id_is_not_shown():
    token = "SWMTKN-1-" + "0" * 50 + "-" + "a" * 25
    event = await answer_to_request(leader(lambda request: grant(request, instance=token)))

    assert isinstance(event, RequestFailed)
    assert "another instance" in event.reason
    assert "SWMTKN" not in event.reason
    assert "0" * 10 not in event.reason


async def test_a_grant_from_anyone_but_our_leader_counts_as_no_answer():
    event = await answer_to_request(leader(grant, key=STRANGER))

    assert isinstance(event, RequestFailed)
    assert "not from our leader" in event.reason


async def test_a_denial_brings_its_code_and_the_leaders_clock():
    def deny(request):
        return Denial(
            cluster=request.cluster,
            nonce=request.nonce,
            code=DenialCode.STALE,
            leader_time=datetime.now(UTC) + timedelta(minutes=10),
            retry_after_seconds=1,
        )

    event = await answer_to_request(leader(deny))

    assert isinstance(event, Denied)
    assert event.code == DenialCode.STALE
    assert timedelta(minutes=9, seconds=58) < event.leader_offset < timedelta(minutes=10, seconds=2)


async def test_a_request_is_signed_with_the_clock_offset():
    send = leader(grant)
    await answer_to_request(send, offset=timedelta(minutes=10), role=Role.MANAGER)

    (request,) = send.requests
    assert request.role is Role.MANAGER
    assert request.issued - datetime.now(UTC) > timedelta(minutes=9)
    assert isinstance(request.identity, AwsProof)


async def test_outside_aws_a_machine_states_its_name_and_address():
    send = leader(grant)
    await answer_to_request(send, data=agent_data(identity="password"))

    assert send.requests[0].identity == PasswordClaim(name="i-1", address="10.0.0.1")


async def test_during_a_change_of_keys_both_of_the_leaders_keys_are_accepted():
    both = [MADE.agent["leader_keys"][0], public_text(STRANGER.public_key)]

    assert isinstance(
        await answer_to_request(leader(grant), data=agent_data(leader_keys=both)), Granted
    )
    swapped = leader(grant, key=STRANGER, opens=STRANGER)
    assert isinstance(
        await answer_to_request(swapped, data=agent_data(leader_keys=both[::-1])), Granted
    )


@pytest.mark.parametrize("error", [UnavailableError("no broker"), RefusedError("wrong CA")])
async def test_a_broker_that_is_unavailable_or_refuses_us_becomes_an_event(error):
    async def send(*_):
        raise error

    event = await answer_to_request(send)

    assert isinstance(event, RequestFailed)
    assert event.reason == str(error)
