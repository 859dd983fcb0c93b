import secrets
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.public import Box, PrivateKey

from wire.messages import MAX_BYTES, JoinRequest, PasswordClaim, Role
from wire.sealing import (
    MAX_SEALED_BYTES,
    open_request,
    public_text,
    read_envelope,
    seal_request,
)
from wire.stamps import VALID_FOR, is_stamp, stamped_nonce

NOW = datetime(2026, 11, 30, 20, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
LEADER, AGENT, STRANGER = (PrivateKey.generate() for _ in range(3))
SENDER = bytes(AGENT.public_key)
NONCE = stamped_nonce(AGENT.public_key, NOW)
REQUEST = JoinRequest(
    cluster="a",
    nonce="a" * 32,
    reply="b" * 32,
    role=Role.WORKER,
    issued=NOW,
    identity=PasswordClaim(name="x", address="1.1.1.1"),
)


def test_what_an_agent_searched_for_is_a_stamp_for_its_key_alone():
    assert is_stamp(SENDER, NONCE, NOW)
    assert not is_stamp(bytes(STRANGER.public_key), NONCE, NOW)
    assert not is_stamp(SENDER, NONCE[:-1] + bytes([NONCE[-1] ^ 1]), NOW)


@pytest.mark.parametrize("off", [-VALID_FOR - 2 * SECOND, VALID_FOR + 2 * SECOND])
def test_a_stamp_of_another_time_is_none(off):
    assert is_stamp(SENDER, NONCE, NOW + VALID_FOR - 2 * SECOND)
    assert not is_stamp(SENDER, NONCE, NOW + off)


def test_random_nonces_are_hardly_ever_stamps():
    head = NONCE[:4]
    stamps = sum(is_stamp(SENDER, head + secrets.token_bytes(20), NOW) for _ in range(2000))

    assert stamps < 10


@given(st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)))
def test_any_time_can_be_stamped_and_checked(at):
    at = at.replace(tzinfo=UTC)

    assert is_stamp(SENDER, NONCE, at) == (
        abs(at - NOW) <= VALID_FOR and is_stamp(SENDER, NONCE, NOW)
    )


@pytest.mark.parametrize("at", [datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)])
def test_an_agent_with_an_absurd_clock_still_gets_a_nonce(at):
    assert len(stamped_nonce(AGENT.public_key, at)) == Box.NONCE_SIZE


def test_a_stamped_box_opens_like_any_other():
    sealed = seal_request(REQUEST, sender=AGENT, leader=LEADER.public_key, nonce=NONCE)

    assert open_request(sealed, leaders=[LEADER]).message == REQUEST
    envelope = read_envelope(sealed)
    assert envelope is not None
    assert (envelope.sender, envelope.nonce) == (SENDER, NONCE)
    assert envelope.sender_text == public_text(AGENT.public_key)


def test_every_real_message_has_a_readable_envelope():
    for _ in range(50):
        sealed = seal_request(REQUEST, sender=PrivateKey.generate(), leader=LEADER.public_key)
        assert read_envelope(sealed) is not None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x01",
        b"\x01" + b"x" * 100,
        b"\x02" + b"\x00" * 500,
        b"\x01" + b"\x00" * (MAX_SEALED_BYTES + 1),
        b"\x01" + b"\xff" * 500,
        b"x" * MAX_BYTES,
    ],
)
def test_what_cannot_be_a_sealed_message_has_no_envelope(data):
    assert read_envelope(data) is None


@given(st.binary(max_size=400))
def test_no_data_makes_the_reader_raise(data):
    envelope = read_envelope(data)

    assert envelope is None or len(envelope.sender) == 32
