"""Decrypts messages from agents, and sends encrypted replies through the broker.

Rule: no other leader module encrypts or decrypts messages. If Redis restarts during a term, replies
fail until the leader has reconnected.
"""

from collections.abc import Sequence

from nacl.public import PrivateKey

from leader.edges.broker.connection import Broker
from runtime.errors import UnavailableError
from wire.messages import AnyMessage
from wire.sealing import Opened, open_request, public_key, seal_reply


class Mailbox:
    """Decrypts agents' messages, and sends replies while the broker is connected."""

    def __init__(self, leader_keys: Sequence[PrivateKey]) -> None:
        """Store the leader's private keys: the current key, and the previous key if one exists."""
        self._keys = tuple(leader_keys)
        self._broker: Broker | None = None

    @property
    def is_connected(self) -> bool:
        """Whether replies can be sent."""
        return self._broker is not None

    def connect(self, broker: Broker) -> None:
        """Use this broker connection to send replies."""
        self._broker = broker

    def disconnect(self) -> None:
        """Stop sending replies until a new connection is set."""
        self._broker = None

    def open(self, data: bytes) -> Opened:
        """Decrypt and parse a message.

        Raises:
            MalformedMessage: if no key can decrypt the message, or if its format is wrong.
        """
        return open_request(data, leaders=self._keys)

    async def reply(self, name: str, message: AnyMessage, *, key: str, opened_by: int) -> None:
        """Encrypt a reply for the agent's public key and push it to the Redis list `name`.

        The agent may have only one of our public keys, so encrypt the reply with the key pair that
        decrypted the agent's request. `opened_by` is the index of this key pair.
        """
        if self._broker is None:
            raise UnavailableError("could not send a reply: the broker is restarting")
        sealed = seal_reply(message, leader=self._keys[opened_by], asker=public_key(key))
        await self._broker.answer(name, sealed)
