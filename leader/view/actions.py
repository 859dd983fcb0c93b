"""What to do, as imperative values, each with the `reason` that operators read.

Rule: `subject` names what an action works on; two actions on one subject are never in flight at the
same time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from leader.view.ids import InstanceId, NodeId, ServiceId, node_subject, service_subject
from leader.view.model import Asker, Denied, Instance
from leader.view.notices import Listener
from leader.view.pools import Pool
from wire.messages import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class _Decided:
    reason: str
    cause: str = ""
    """The id of the event that it answers; `decide` sets it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _OnNode(_Decided):
    node: NodeId
    instance: InstanceId | None

    @property
    def subject(self) -> str:
        """The node."""
        return node_subject(self.node)


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantJoin(_Decided):
    """Send a join token to an asker, sealed to its key."""

    asker: Asker
    instance: Instance
    managers: tuple[str, ...]
    expires: datetime

    @property
    def subject(self) -> str:
        """The request."""
        return f"ask {self.asker.nonce}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DenyJoin:
    """Refuse a join request, with the code of the denial."""

    asker: Asker
    denied: Denied
    cause: str = ""

    @property
    def reason(self) -> str:
        """The denial's sentence."""
        return self.denied.reason

    @property
    def subject(self) -> str:
        """The request."""
        return f"ask {self.asker.nonce}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelNode(_OnNode):
    """Bind a node to its instance by our labels, and keep its other labels."""

    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeNode(_OnNode):
    """Check that a new node's gossip port can be reached."""

    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivateNode(_OnNode):
    """Let a node take tasks, and end its phase."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseNode(_OnNode):
    """Give a node no more tasks; the labels say why and how it leaves."""

    labels: Mapping[str, str]
    is_drained: bool = False
    """It is drained already, and stays drained."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainNode(_OnNode):
    """Have the swarm stop what still runs on a node."""

    unmoved: tuple[str, ...] = ()
    """The tasks that were not moved in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoteNode(_OnNode):
    """Make a manager a worker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromoteNode(_OnNode):
    """Make a node a manager again that was one before it was drained."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleNode(_OnNode):
    """Note on a node that it is drained and stays in the swarm."""

    labels: Mapping[str, str]
    cut_off: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLeave(_OnNode):
    """Tell a waiting agent that it may leave the swarm now."""

    listener: Listener
    cut_off: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveNode(_OnNode):
    """Remove a worker's entry; `by_force` even while it is still Ready."""

    by_force: bool = False
    is_departed: bool = False
    """It left in order, so this does not count as one of the round's removals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminateInstance(_Decided):
    """Terminate an instance that we emptied or that is of no use."""

    instance: InstanceId
    keeps_console: bool = False
    """Save its console output first."""
    cut_off: tuple[str, ...] = ()

    @property
    def subject(self) -> str:
        """The instance."""
        return f"instance {self.instance}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeService(_Decided):
    """Change our part of a service's spec, if the spec is still at this version."""

    service: ServiceId
    name: str
    version: int
    constraints: tuple[str, ...]
    update: Mapping[str, Any] | None
    replicas: int
    label: str | None
    """The new value of our loan label; None removes the label."""
    nodes: tuple[NodeId, ...] = ()
    """The nodes because of which it is made: the service's tasks leave them, or may return."""
    is_failure: bool = False
    """This undoes a move that failed."""

    @property
    def subject(self) -> str:
        """The service."""
        return service_subject(self.service)


@dataclass(frozen=True, slots=True, kw_only=True)
class RotateToken(_Decided):
    """Replace a role's join token; nodes that have joined are not affected."""

    role: Role

    @property
    def subject(self) -> str:
        """The swarm spec, of which there is one."""
        return "swarm"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetHeartbeat(_Decided):
    """Set how often nodes send a heartbeat; a node that misses three is Down."""

    period: timedelta

    @property
    def subject(self) -> str:
        """The swarm spec, of which there is one."""
        return "swarm"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListInstances(_Decided):
    """Ask EC2 for the cluster's instances."""

    @property
    def subject(self) -> str:
        """EC2's list."""
        return "instances"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceInstance(_Decided):
    """Ask the fleet for one more instance, if possible from other pools than these."""

    instance: InstanceId
    avoid: tuple[Pool, ...] = ()

    @property
    def subject(self) -> str:
        """The fleet, for one instance."""
        return f"replacement {self.instance}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteNotices(_Decided):
    """Delete messages from the queue that have been acted on."""

    receipts: tuple[str, ...]

    @property
    def subject(self) -> str:
        """The messages, by the end of the first receipt."""
        return f"notices {self.receipts[0][-16:]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse(_Decided):
    """Do nothing, and log an error: a person must look at it."""

    about: str

    @property
    def subject(self) -> str:
        """What is refused."""
        return f"refusal {self.about}"


NodeAction = (
    LabelNode
    | ProbeNode
    | ActivateNode
    | PauseNode
    | DrainNode
    | DemoteNode
    | PromoteNode
    | SettleNode
    | OrderLeave
    | RemoveNode
)
Action = (
    GrantJoin
    | DenyJoin
    | NodeAction
    | TerminateInstance
    | ChangeService
    | RotateToken
    | SetHeartbeat
    | ListInstances
    | ReplaceInstance
    | DeleteNotices
    | Refuse
)


def tasks_left_behind(action: Action) -> tuple[str, ...]:
    """The tasks that an action stops although they were to be moved or to end by themselves."""
    match action:
        case DrainNode(unmoved=tasks):
            return tasks
        case (
            OrderLeave(cut_off=tasks) | SettleNode(cut_off=tasks) | TerminateInstance(cut_off=tasks)
        ):
            return tasks
    return ()
