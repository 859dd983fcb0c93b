"""Encrypts messages as boxes (PyNaCl `Box`) that the broker can neither read nor forge.

A request is `version ‖ agent's public key ‖ box for the leader`; a reply is `version ‖ box for the
agent's key`. The agent generates a new key for each join request. The key of the successful request
becomes the join key, and the leader stores its public half. Later messages from the agent must be
encrypted with the join key.

Rule: encrypt replies with the leader's static key, and never use a PyNaCl `SealedBox`. If replies
were anonymous, anyone who controls the broker could send an agent another swarm's token.
"""

from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Final, NamedTuple

from nacl.exceptions import CryptoError
from nacl.public import Box, PrivateKey, PublicKey

from wire.messages import MAX_BYTES, AnyMessage, MalformedMessage, dump, parse

_VERSION: Final = b"\x01"
_KEY_BYTES: Final = PublicKey.SIZE
_HEAD_BYTES: Final = len(_VERSION) + _KEY_BYTES
MAX_SEALED_BYTES: Final = _HEAD_BYTES + Box.NONCE_SIZE + 16 + MAX_BYTES
_LEAST_SEALED_BYTES: Final = _HEAD_BYTES + Box.NONCE_SIZE + 16 + 80
"""No message has fewer than 80 bytes of JSON."""


class Unopenable(MalformedMessage):
    """Raised if no key can decrypt a message, or if the message was altered."""


class Envelope(NamedTuple):
    """The parts of a sealed request that can be read without a key."""

    sender: bytes
    """The sender's public key, which is not proven before the box is opened."""
    nonce: bytes

    @property
    def sender_text(self) -> str:
        """The sender's public key in base64, as in a node's label."""
        return b64encode(self.sender).decode()


def seal_request(
    message: AnyMessage, *, sender: PrivateKey, leader: PublicKey, nonce: bytes | None = None
) -> bytes:
    """Encrypt a message for the leader.

    For a join request, `sender` is a new key, and `nonce` may be a stamp. For any other message,
    `sender` is the join key, and the nonce is random.
    """
    box = bytes(Box(sender, leader).encrypt(dump(message), nonce))
    return _VERSION + bytes(sender.public_key) + box


def read_envelope(data: bytes) -> Envelope | None:
    """Return the readable parts of a sealed request, or None if the data cannot be one.

    This takes less than a microsecond, opening the box about forty.
    """
    if not _LEAST_SEALED_BYTES <= len(data) <= MAX_SEALED_BYTES or data[:1] != _VERSION:
        return None
    # The last bit of a real public key is zero. Half of all random bytes fail this check.
    if data[_HEAD_BYTES - 1] & 0x80:
        return None
    return Envelope(data[1:_HEAD_BYTES], data[_HEAD_BYTES : _HEAD_BYTES + Box.NONCE_SIZE])


class Opened(NamedTuple):
    """A decrypted message, its sender's key, and the index of the leader key that decrypted it."""

    message: AnyMessage
    sender: PublicKey
    by: int


def open_request(data: bytes, *, leaders: Sequence[PrivateKey]) -> Opened:
    """Decrypt a request with the leader's current or previous key.

    Raises:
        Unopenable: if no key can decrypt the data, or the data was altered.
        MalformedMessage: if the decrypted data is not a valid message.
    """
    if len(data) > MAX_SEALED_BYTES or len(data) <= _HEAD_BYTES or data[:1] != _VERSION:
        raise Unopenable("the data is not a sealed request of this version")
    sender = PublicKey(data[len(_VERSION) : _HEAD_BYTES])
    message, by = _decrypt([(key, sender) for key in leaders], data[_HEAD_BYTES:])
    return Opened(message, sender, by)


def seal_reply(message: AnyMessage, *, leader: PrivateKey, asker: PublicKey) -> bytes:
    """Encrypt a reply with the public key of the agent that sent the request."""
    return _VERSION + bytes(Box(leader, asker).encrypt(dump(message)))


def open_reply(data: bytes, *, asker: PrivateKey, leaders: Sequence[PublicKey]) -> AnyMessage:
    """Decrypt a reply that was encrypted with one of the leader's keys.

    Raises:
        Unopenable: if no key can decrypt the data, or the data was altered.
        MalformedMessage: if the decrypted data is not a valid message.
    """
    if len(data) > MAX_SEALED_BYTES or data[:1] != _VERSION:
        raise Unopenable("the data is not a sealed reply of this version")
    return _decrypt([(asker, key) for key in leaders], data[1:])[0]


def public_text(key: PublicKey) -> str:
    """Return a public key in base64, as used in user data and in signed headers."""
    return b64encode(bytes(key)).decode()


def public_key(text: str) -> PublicKey:
    """Parse a public key in base64. Raise MalformedMessage if the text is not a key."""
    return PublicKey(_key_bytes(text))


def private_text(key: PrivateKey) -> str:
    """Return a private key in base64, as stored in the cluster's secrets. Keep the text secret."""
    return b64encode(bytes(key)).decode()


def private_key(text: str) -> PrivateKey:
    """Parse a private key in base64. Raise MalformedMessage if the text is not a key."""
    return PrivateKey(_key_bytes(text))


def _key_bytes(text: str) -> bytes:
    try:
        raw = b64decode(text, validate=True)
    except ValueError:
        raise MalformedMessage("a key must be 32 bytes in base64") from None
    if len(raw) != _KEY_BYTES:
        raise MalformedMessage("a key must be 32 bytes in base64")
    return raw


def _decrypt(pairs: Sequence[tuple[PrivateKey, PublicKey]], box: bytes) -> tuple[AnyMessage, int]:
    for number, (own, other) in enumerate(pairs):
        try:
            plain = Box(own, other).decrypt(box)
        # libsodium rejects a degenerate public key with a RuntimeError.
        except (CryptoError, RuntimeError, ValueError):
            continue
        return parse(plain), number
    raise Unopenable("no key opens this box")
