"""Sealing messages in boxes (PyNaCl `Box`), which the broker can neither read nor forge.

A request is `version ‖ agent's public key ‖ box to the leader`; a reply is `version ‖ box to
that key`. The agent makes a new key for each join request. The key of the request that it joined
with is its join key: the leader stores the public half and recognizes notices and farewells by it.

Rule: box replies with the leader's static key, and never use a sealed box: with anonymous replies
whoever controls the broker could hand an agent the token of another swarm.
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
    """No key opens the box, or it was altered."""


def seal_request(message: AnyMessage, *, sender: PrivateKey, leader: PublicKey) -> bytes:
    """Box a message to the leader; `sender` is a new key, or the join key."""
    return _VERSION + bytes(sender.public_key) + bytes(_encrypt(sender, leader, message))


class Opened(NamedTuple):
    """An opened request: the message, its sender, and the index of the leader's key that fits."""

    message: AnyMessage
    sender: PublicKey
    by: int


def open_request(data: bytes, *, leaders: Sequence[PrivateKey]) -> Opened:
    """Open a request with whichever of the leader's keys fits, current or previous.

    Raises:
        Unopenable: no key fits, or the data was altered.
        MalformedMessage: the box opens, but does not contain a message.
    """
    head = len(_VERSION) + _KEY_BYTES
    if len(data) > MAX_SEALED_BYTES or len(data) <= head or data[:1] != _VERSION:
        raise Unopenable("not a sealed request of this version")
    sender = PublicKey(data[len(_VERSION) : head])
    message, by = _decrypt([(key, sender) for key in leaders], data[head:])
    return Opened(message, sender, by)


def seal_reply(message: AnyMessage, *, leader: PrivateKey, asker: PublicKey) -> bytes:
    """Box a reply to the key of its request."""
    return _VERSION + bytes(_encrypt(leader, asker, message))


def open_reply(data: bytes, *, asker: PrivateKey, leaders: Sequence[PublicKey]) -> AnyMessage:
    """Open a reply boxed with one of the leader's keys; raises as `open_request` does."""
    if len(data) > MAX_SEALED_BYTES or data[:1] != _VERSION:
        raise Unopenable("not a sealed reply of this version")
    return _decrypt([(asker, key) for key in leaders], data[1:])[0]


def public_text(key: PublicKey) -> str:
    """A public key as text, as in user data and the signed header."""
    return b64encode(bytes(key)).decode()


def public_key(text: str) -> PublicKey:
    """The inverse of `public_text`; raises MalformedMessage."""
    return PublicKey(_key_bytes(text))


def private_text(key: PrivateKey) -> str:
    """A private key as text, as in the cluster's secrets; a secret itself."""
    return b64encode(bytes(key)).decode()


def private_key(text: str) -> PrivateKey:
    """The inverse of `private_text`; raises MalformedMessage."""
    return PrivateKey(_key_bytes(text))


def _key_bytes(text: str) -> bytes:
    try:
        raw = b64decode(text, validate=True)
    except ValueError:
        raise MalformedMessage("a key must be 32 bytes in base64") from None
    if len(raw) != _KEY_BYTES:
        raise MalformedMessage("a key must be 32 bytes in base64")
    return raw


def _encrypt(sender: PrivateKey, receiver: PublicKey, message: AnyMessage) -> bytes:
    return bytes(Box(sender, receiver).encrypt(dump(message)))


def _decrypt(pairs: Sequence[tuple[PrivateKey, PublicKey]], box: bytes) -> tuple[AnyMessage, int]:
    for number, (own, other) in enumerate(pairs):
        try:
            plain = Box(own, other).decrypt(box)
        # libsodium rejects a degenerate public key with a RuntimeError.
        except (CryptoError, RuntimeError, ValueError):
            continue
        return parse(plain), number
    raise Unopenable("no key opens this box")
