"""Carrying actions out: each becomes calls of the edges, and comes back as an event.

Rule: `perform` returns `Done` or `Failed` for whatever the outside answers. An error that
is none of `ClusterError` is a bug: it passes, and ends the process.
"""

from collections.abc import Awaitable
from dataclasses import dataclass

from nacl.public import PrivateKey
from pydantic import SecretStr

from leader.actions import (
    Action,
    ActivateNode,
    DenyJoin,
    GrantJoin,
    LabelNode,
    ListInstances,
    ProbeNode,
    RemoveNode,
    RotateToken,
)
from leader.edges import probe
from leader.edges.broker import Broker
from leader.edges.instances import Instances
from leader.edges.swarm import SWARM_PORT, Swarm
from leader.events import Done, Event, Failed, InstancesListed
from leader.model import Asker
from runtime import clock
from runtime.errors import ClusterError, GoneError, UnavailableError
from wire import messages
from wire.messages import Availability
from wire.sealing import public_key, seal_reply


@dataclass(slots=True)
class Performer:
    """The edges one active leader acts through; `broker` comes and goes with Redis."""

    cluster: str
    leader_keys: tuple[PrivateKey, ...]
    """The leader's key, then the one before it, if any."""
    swarm: Swarm
    instances: Instances | None
    broker: Broker | None = None

    async def perform(self, action: Action, event_id: str) -> tuple[Event, ...]:
        """Carry one action out; the last event returned is its `Done` or `Failed`."""
        try:
            heard = await self._carry_out(action, event_id)
        except GoneError as exc:
            return (Failed(event_id, clock.now(), action, f"it is gone: {exc}"),)
        except ClusterError as exc:
            return (Failed(event_id, clock.now(), action, str(exc)),)
        return (*heard, Done(event_id, clock.now(), action))

    async def _carry_out(self, action: Action, event_id: str) -> tuple[Event, ...]:
        match action:
            case GrantJoin():
                await self._grant(action)
            case DenyJoin():
                await self._deny(action)
            case ListInstances():
                return await self._list(event_id)
            case _:
                await self._on_swarm(action)
        return ()

    def _on_swarm(self, action: Action) -> Awaitable[None]:
        match action:
            case LabelNode(node=node, labels=labels):
                return self.swarm.label(node, labels)
            case ProbeNode(address=address):
                return probe.reach(address)
            case ActivateNode(node=node):
                return self.swarm.activate(node)
            case RemoveNode(node=node):
                return self.swarm.remove(node)
            case RotateToken(role=role):
                return self.swarm.rotate(role)
            case _:
                raise TypeError(f"nobody carries out {type(action).__name__}")

    async def _grant(self, action: GrantJoin) -> None:
        asker = action.asker
        grant = messages.Grant(
            cluster=self.cluster,
            nonce=asker.nonce,
            instance=action.instance.instance,
            role=asker.role,
            expires=action.expires,
            token=SecretStr(await self.swarm.token(asker.role)),
            managers=tuple(f"{address}:{SWARM_PORT}" for address in action.managers),
            availability=Availability.DRAIN,
        )
        await self._answer(asker, grant)

    async def _deny(self, action: DenyJoin) -> None:
        asker, denied = action.asker, action.denied
        denial = messages.Denial(
            cluster=self.cluster,
            nonce=asker.nonce,
            code=denied.code,
            leader_time=clock.now(),
            retry_after_seconds=denied.retry_after_seconds,
        )
        await self._answer(asker, denial)

    async def _answer(self, asker: Asker, message: messages.AnyMessage) -> None:
        if self.broker is None:
            raise UnavailableError("answering: the broker is being restarted")
        # The asker may know only the key before; the one that opened its request he knows.
        own = self.leader_keys[asker.opened_by]
        sealed = seal_reply(message, leader=own, asker=public_key(asker.key))
        await self.broker.answer(asker.reply, sealed)

    async def _list(self, event_id: str) -> tuple[Event, ...]:
        if self.instances is None:
            return ()
        found = await self.instances.all()
        return (InstancesListed(event_id, clock.now(), found),)
