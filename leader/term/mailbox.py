"""The leader's keys and its connection to the broker, for all that receives or replies.

Rule: only this module seals and opens messages. Redis may restart during a term; while it does,
there is no connection and replying fails.
"""

from collections.abc import Sequence

from nacl.public import PrivateKey

from leader.edges.broker.connection import Broker
from runtime.errors import UnavailableError
from wire.messages import AnyMessage
from wire.sealing import Opened, open_request, public_key, seal_reply


class Mailbox:
    """Opens requests, and sends replies while there is a connection to the broker."""

    def __init__(self, leader_keys: Sequence[PrivateKey]) -> None:
        """Take the leader's current key, followed by the previous one if there is one."""
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
        """Send no replies until there is a new connection."""
        self._broker = None

    def open(self, data: bytes) -> Opened:
        """Open a request; raises MalformedMessage."""
        return open_request(data, leaders=self._keys)

    async def reply(self, name: str, message: AnyMessage, *, key: str, opened_by: int) -> None:
        """Seal a reply to the asker's key and push it on the reply list of this name.

        An asker may know only one of our keys, so the reply uses the one that opened its request.
        """
        if self._broker is None:
            raise UnavailableError("sending a reply: the broker is restarting")
        sealed = seal_reply(message, leader=self._keys[opened_by], asker=public_key(key))
        await self._broker.answer(name, sealed)
