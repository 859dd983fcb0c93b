"""Boxes (PyNaCl `Box`) around messages: what the broker carries and cannot read or forge.

A request is `version ‖ agent's public key ‖ box to the leader`; a reply is `version ‖ box to
that key`. The agent makes a key for each ask. That of the ask it joined with is its join key:
the leader keeps the public half, so notices and farewells are known by it.

Rule: the reply is boxed with the leader's static key, never a sealed box: an anonymous reply
would let whoever holds the broker hand an agent a token of *his* swarm.
"""

from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Final, NamedTuple

from nacl.exceptions import CryptoError
from nacl.public import Box, PrivateKey, PublicKey

from wire.messages import MAX_BYTES, AnyMessage, MalformedMessage, dump, parse

_VERSION: Final = b"\x01"
_KEY_BYTES: Final = PublicKey.SIZE
MAX_SEALED_BYTES: Final = len(_VERSION) + _KEY_BYTES + Box.NONCE_SIZE + 16 + MAX_BYTES


class Unopenable(MalformedMessage):
    """The box was not made by, or not for, any of the keys given, or was altered."""


def seal_request(message: AnyMessage, *, sender: PrivateKey, leader: PublicKey) -> bytes:
    """Box a message to the leader; `sender` is a fresh key, or the join key."""
    return _VERSION + bytes(sender.public_key) + bytes(_encrypt(sender, leader, message))


class Opened(NamedTuple):
    """An opened request: what it says, whom to answer, and with which of the leader's keys."""

    message: AnyMessage
    sender: PublicKey
    by: int


def open_request(data: bytes, *, leaders: Sequence[PrivateKey]) -> Opened:
    """Open a request with whichever of the leader's keys fits, new or old.

    Raises:
        Unopenable: no key fits, or the data was altered.
        MalformedMessage: it opened, and what is inside is no message.
    """
    head = len(_VERSION) + _KEY_BYTES
    if len(data) > MAX_SEALED_BYTES or len(data) <= head or data[:1] != _VERSION:
        raise Unopenable("not a sealed request of this version")
    sender = PublicKey(data[len(_VERSION) : head])
    message, by = _decrypt([(key, sender) for key in leaders], data[head:])
    return Opened(message, sender, by)


def seal_reply(message: AnyMessage, *, leader: PrivateKey, asker: PublicKey) -> bytes:
    """Box a reply to the key its request came from."""
    return _VERSION + bytes(_encrypt(leader, asker, message))


def open_reply(data: bytes, *, asker: PrivateKey, leaders: Sequence[PublicKey]) -> AnyMessage:
    """Open a reply made by one of the leader's keys; raises as `open_request` does."""
    if len(data) > MAX_SEALED_BYTES or data[:1] != _VERSION:
        raise Unopenable("not a sealed reply of this version")
    return _decrypt([(asker, key) for key in leaders], data[1:])[0]


def public_text(key: PublicKey) -> str:
    """A public key as it stands in user data and in the signed header."""
    return b64encode(bytes(key)).decode()


def public_key(text: str) -> PublicKey:
    """The inverse of `public_text`; raises MalformedMessage."""
    return PublicKey(_key_bytes(text))


def private_text(key: PrivateKey) -> str:
    """A private key as it stands among the cluster's secrets: a secret itself."""
    return b64encode(bytes(key)).decode()


def private_key(text: str) -> PrivateKey:
    """A private key from its base64 text; raises MalformedMessage."""
    return PrivateKey(_key_bytes(text))


def _key_bytes(text: str) -> bytes:
    try:
        raw = b64decode(text, validate=True)
    except ValueError:
        raise MalformedMessage("a key is 32 bytes in base64") from None
    if len(raw) != _KEY_BYTES:
        raise MalformedMessage("a key is 32 bytes in base64")
    return raw


def _encrypt(sender: PrivateKey, receiver: PublicKey, message: AnyMessage) -> bytes:
    return bytes(Box(sender, receiver).encrypt(dump(message)))


def _decrypt(pairs: Sequence[tuple[PrivateKey, PublicKey]], box: bytes) -> tuple[AnyMessage, int]:
    for number, (own, other) in enumerate(pairs):
        try:
            plain = Box(own, other).decrypt(box)
        # libsodium refuses a degenerate public key with a RuntimeError.
        except (CryptoError, RuntimeError, ValueError):
            continue
        return parse(plain), number
    raise Unopenable("no key opens this box")
