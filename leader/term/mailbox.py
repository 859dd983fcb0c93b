"""Opens messages from agents and sends sealed replies through the broker.

Rule: only this module seals and opens messages. Redis may restart during a term; until Redis is
back, there is no connection and sending a reply fails.
"""

from collections.abc import Sequence

from nacl.public import PrivateKey

from leader.edges.broker.connection import Broker
from runtime.errors import UnavailableError
from wire.messages import AnyMessage
from wire.sealing import Opened, open_request, public_key, seal_reply


class Mailbox:
    """Opens agents' messages, and sends replies while the broker is connected."""

    def __init__(self, leader_keys: Sequence[PrivateKey]) -> None:
        """Store the leader's private keys: the current key, and the previous key if one exists."""
        self._keys = tuple(leader_keys)
        self._broker: Broker | None = None

    @property
    def is_connected(self) -> bool:
        """Whether replies can be sent."""
        return self._broker is not None

    def connect(self, broker: Broker) -> None:
        """Send replies through this connection from now on."""
        self._broker = broker

    def disconnect(self) -> None:
        """Send no replies until a new connection is set."""
        self._broker = None

    def open(self, data: bytes) -> Opened:
        """Open a sealed message; raise MalformedMessage if no key opens it or its form is wrong."""
        return open_request(data, leaders=self._keys)

    async def reply(self, name: str, message: AnyMessage, *, key: str, opened_by: int) -> None:
        """Seal a reply for the agent's public key and push it to the reply list `name`.

        An agent may know only one of our public keys, so use the key pair that opened its request:
        `opened_by` is the key's position in the list of keys.
        """
        if self._broker is None:
            raise UnavailableError("could not send a reply: the broker is restarting")
        sealed = seal_reply(message, leader=self._keys[opened_by], asker=public_key(key))
        await self._broker.answer(name, sealed)
