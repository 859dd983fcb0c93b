"""Carries out actions by calling the modules in `leader.edges`.

Each action ends with a `Done` or `Failed` event. Rule: whatever an action raises fails only this
action. An exception that is not a `ClusterError` is a bug, which is also counted and logged.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from functools import partial

import structlog
from pydantic import SecretStr

from leader.edges import consoles, probe
from leader.edges.aws.fleet import Fleet
from leader.edges.aws.instances import Instances
from leader.edges.aws.queue import NoticeQueue
from leader.edges.docker.swarm import SWARM_PORT, Swarm
from leader.term.mailbox import Mailbox
from leader.view.actions import (
    Action,
    ActivateNode,
    ChangeService,
    DeleteNotices,
    DemoteNode,
    DenyJoin,
    DrainNode,
    GrantJoin,
    LabelNode,
    ListInstances,
    NodeAction,
    OrderLeave,
    PauseNode,
    ProbeNode,
    PromoteNode,
    Refuse,
    RemoveNode,
    ReplaceInstance,
    ReportFault,
    RotateToken,
    SetHeartbeat,
    SettleNode,
    TerminateInstance,
)
from leader.view.events import Done, Event, Failed, InstancesListed
from leader.view.ids import InstanceId
from runtime import clock
from runtime.batching import Batcher
from runtime.errors import ClusterError, GoneError, RefusedError
from runtime.faults import Faults
from wire import messages
from wire.labels import PHASE_LABELS
from wire.messages import Availability, Role

log = structlog.get_logger("leader")


@dataclass(slots=True)
class Performer:
    """Carries out actions while this daemon is the active leader."""

    cluster: str
    mailbox: Mailbox
    swarm: Swarm
    instances: Instances | None
    """The cluster's EC2 instances, or None outside AWS."""
    fleet: Fleet
    queue: NoticeQueue | None = None
    faults: Faults = field(default_factory=Faults)
    _tokens: Batcher[Role, str] = field(init=False)

    def __post_init__(self) -> None:
        self._tokens = Batcher(self._read_tokens, most=1000)

    async def perform(self, action: Action, event_id: str) -> tuple[Event, ...]:
        """Carry out an action and return its events. The last event is `Done` or `Failed`."""
        try:
            results = await self._carry_out(action, event_id)
        except GoneError as exc:
            if isinstance(action, RemoveNode):
                return (Done(event_id, clock.steady(), action),)
            reason = f"{action.subject} no longer exists: {exc}"
            return (Failed(event_id, clock.steady(), action, reason),)
        except ClusterError as exc:
            return (Failed(event_id, clock.steady(), action, str(exc)),)
        except Exception as exc:  # noqa: BLE001  this action fails, and the fault is noted
            cause = self.faults.note("actions", exc)
            reason = f"the leader has a fault: {cause}; the journal has its traceback"
            return (Failed(event_id, clock.steady(), action, reason),)
        return (*results, Done(event_id, clock.steady(), action))

    async def _carry_out(self, action: Action, event_id: str) -> tuple[Event, ...]:
        match action:
            case ListInstances(missing=missing):
                return await self._list(missing, event_id)
            case GrantJoin():
                await self._grant(action)
            case DenyJoin():
                await self._deny(action)
            case OrderLeave():
                await self._order(action)
            case TerminateInstance():
                await self._terminate(action)
            case ReplaceInstance(instance=instance, avoid=avoid):
                await self.fleet.replace(instance, avoid=avoid)
            case DeleteNotices(receipts=receipts):
                if self.queue is not None:
                    await self.queue.delete(receipts)
            case ReportFault(error=error):
                self.faults.note("decisions", error)
            case Refuse():
                # The journal has already logged the refusal, and there is nothing else to do.
                return ()
            case RotateToken() | SetHeartbeat() | ChangeService():
                await self._on_swarm(action)
            case _:
                await self._on_node(action)
        return ()

    def _on_node(self, action: NodeAction) -> Awaitable[None]:
        change = partial(self.swarm.change_node, action.node, basis=action.basis)
        match action:
            case LabelNode(labels=labels) | SettleNode(labels=labels):
                return change(labels=labels)
            case ProbeNode(address=address):
                return probe.reach(address)
            case ActivateNode(is_drained=is_drained):
                new = None if is_drained else Availability.ACTIVE
                return change(without=PHASE_LABELS, availability=new)
            case PauseNode(labels=labels, is_drained=is_drained):
                new = None if is_drained else Availability.PAUSE
                return change(labels=labels, availability=new)
            case DrainNode():
                return change(availability=Availability.DRAIN)
            case DemoteNode():
                return change(role=Role.WORKER)
            case PromoteNode():
                return change(role=Role.MANAGER)
            case RemoveNode(node=node, by_force=by_force):
                return self.swarm.remove(node, force=by_force)
            case _:
                raise TypeError(f"no code carries out {type(action).__name__}")

    def _on_swarm(self, action: RotateToken | SetHeartbeat | ChangeService) -> Awaitable[None]:
        match action:
            case RotateToken(role=role):
                return self.swarm.rotate(role)
            case SetHeartbeat(period=period):
                return self.swarm.set_heartbeat(period)
            case ChangeService():
                return self.swarm.work.change_service(
                    action.service,
                    version=action.version,
                    constraints=action.constraints,
                    update=action.update,
                    replicas=action.replicas,
                    label=action.label,
                )

    async def _terminate(self, action: TerminateInstance) -> None:
        if self.instances is None:
            raise RefusedError("cannot terminate a machine outside AWS; shut the machine down")
        if action.keeps_console:
            try:
                console = await self.instances.console(action.instance)
                await asyncio.to_thread(consoles.save, action.instance, console)
            except ClusterError as exc:
                # Terminate the instance anyway, because it costs money.
                log.warning(
                    "could not save console output", instance=action.instance, reason=str(exc)
                )
        await self.instances.terminate(action.instance)

    async def _order(self, action: OrderLeave) -> None:
        listener = action.listener
        message = messages.Leave(
            cluster=self.cluster,
            instance=str(action.instance),
            reason=action.reason[:200],
            at=clock.now(),
        )
        await self.mailbox.reply(
            listener.reply, message, key=listener.key, opened_by=listener.opened_by
        )

    async def _grant(self, action: GrantJoin) -> None:
        asker = action.asker
        grant = messages.Grant(
            cluster=self.cluster,
            nonce=asker.nonce,
            instance=action.instance.id,
            role=asker.role,
            expires=action.expires,
            token=SecretStr(await self._tokens.submit(asker.role)),
            managers=tuple(f"{address}:{SWARM_PORT}" for address in action.managers),
            availability=Availability.DRAIN,
        )
        await self.mailbox.reply(asker.reply, grant, key=asker.key, opened_by=asker.opened_by)

    async def _read_tokens(self, roles: Sequence[Role]) -> Sequence[str]:
        """Read the token of each role once for all grants that wait for it."""
        tokens = {role: await self.swarm.token(role) for role in set(roles)}
        return [tokens[role] for role in roles]

    async def _deny(self, action: DenyJoin) -> None:
        asker, denied = action.asker, action.denied
        denial = messages.Denial(
            cluster=self.cluster,
            nonce=asker.nonce,
            code=denied.code,
            leader_time=clock.now(),
            retry_after_seconds=denied.retry_after_seconds,
        )
        await self.mailbox.reply(asker.reply, denial, key=asker.key, opened_by=asker.opened_by)

    async def _list(self, missing: tuple[InstanceId, ...], event_id: str) -> tuple[Event, ...]:
        if self.instances is None:
            return ()
        instances = await self.instances.all(missing)
        return (InstancesListed(event_id, clock.steady(), instances, instances.unread),)
