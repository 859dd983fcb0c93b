import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.public import PrivateKey, PublicKey

from wire.messages import MalformedMessage, parse
from wire.sealing import (
    Unopenable,
    open_reply,
    open_request,
    private_key,
    private_text,
    public_key,
    public_text,
    seal_reply,
    seal_request,
)

LEADER, OLD_LEADER, AGENT, STRANGER = (PrivateKey.generate() for _ in range(4))
MESSAGE = parse(
    b'{"v":1,"kind":"heartbeat","cluster":"demo","leader":"i-1","at":"2026-11-23T20:00:00Z"}'
)


def test_a_request_opens_with_the_leaders_key_and_names_its_sender():
    sealed = seal_request(MESSAGE, sender=AGENT, leader=LEADER.public_key)

    opened = open_request(sealed, leaders=[LEADER])

    assert opened == (MESSAGE, AGENT.public_key, 0)


def test_a_request_to_the_old_key_opens_while_keys_are_changed():
    sealed = seal_request(MESSAGE, sender=AGENT, leader=OLD_LEADER.public_key)

    opened = open_request(sealed, leaders=[LEADER, OLD_LEADER])

    assert opened.message == MESSAGE
    assert opened.by == 1, "its asker knows this key, so it must box the answer"


def test_a_reply_opens_with_the_askers_key_alone():
    sealed = seal_reply(MESSAGE, leader=LEADER, asker=AGENT.public_key)

    assert open_reply(sealed, asker=AGENT, leaders=[LEADER.public_key]) == MESSAGE
    with pytest.raises(Unopenable):
        open_reply(sealed, asker=STRANGER, leaders=[LEADER.public_key])


def test_a_reply_by_anybody_but_the_leader_is_refused():
    forged = seal_reply(MESSAGE, leader=STRANGER, asker=AGENT.public_key)

    with pytest.raises(Unopenable):
        open_reply(forged, asker=AGENT, leaders=[LEADER.public_key, OLD_LEADER.public_key])


@given(st.data())
def test_any_flipped_bit_makes_a_request_unopenable(data):
    sealed = bytearray(seal_request(MESSAGE, sender=AGENT, leader=LEADER.public_key))
    # libsodium, as X25519 says, ignores the top bit of a public key: bit 7 of byte 32.
    where = data.draw(st.integers(0, len(sealed) * 8 - 1).filter(lambda bit: bit != 32 * 8 + 7))
    sealed[where // 8] ^= 1 << (where % 8)

    with pytest.raises(MalformedMessage):
        open_request(bytes(sealed), leaders=[LEADER])


@given(st.binary(max_size=200))
def test_no_bytes_crash_the_opener(data):
    with pytest.raises(MalformedMessage):
        open_request(data, leaders=[LEADER])
    with pytest.raises(MalformedMessage):
        open_reply(data, asker=AGENT, leaders=[LEADER.public_key])


def test_a_degenerate_public_key_is_unopenable_not_a_crash():
    sealed = b"\x01" + bytes(32) + bytes(80)

    with pytest.raises(Unopenable):
        open_request(sealed, leaders=[LEADER])
    with pytest.raises(Unopenable):
        open_reply(b"\x01" + bytes(80), asker=AGENT, leaders=[PublicKey(bytes(32))])


def test_keys_survive_their_text():
    assert public_key(public_text(AGENT.public_key)) == AGENT.public_key
    assert bytes(private_key(private_text(AGENT))) == bytes(AGENT)


@pytest.mark.parametrize("text", ["", "AAAA", "not base64!", "Ä" * 44])
def test_what_is_no_key_is_malformed(text):
    with pytest.raises(MalformedMessage):
        public_key(text)
