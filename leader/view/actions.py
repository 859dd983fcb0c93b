"""Actions that the leader can take, each with a `reason` for the operator.

Rule: `subject` identifies what an action changes. Two actions with the same subject are never in
flight at the same time.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from leader.view.ids import InstanceId, NodeId, ServiceId, node_subject, service_subject
from leader.view.model import Asker, Denied, Instance, NodeBasis
from leader.view.notices import Listener
from leader.view.pools import Pool
from wire.messages import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class _Decided:
    reason: str
    cause: str = ""
    """The id of the event that led to this action; `decide` sets this field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _OnNode(_Decided):
    node: NodeId
    instance: InstanceId | None
    basis: NodeBasis | None = None
    """The node as it was when the action was decided on; `decide` sets this field. The action fails
    if the node differs from it by then."""

    @property
    def subject(self) -> str:
        """The node that the action changes."""
        return node_subject(self.node)


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantJoin(_Decided):
    """Send an encrypted join token to the sender of a join request."""

    asker: Asker
    instance: Instance
    managers: tuple[str, ...]
    expires: datetime

    @property
    def subject(self) -> str:
        """The join request that the action answers."""
        return f"ask {self.asker.nonce}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DenyJoin:
    """Deny a join request, with a code and a reason."""

    asker: Asker
    denied: Denied
    cause: str = ""

    @property
    def reason(self) -> str:
        """The reason for the denial."""
        return self.denied.reason

    @property
    def subject(self) -> str:
        """The join request that the action answers."""
        return f"ask {self.asker.nonce}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelNode(_OnNode):
    """Add labels that bind a node to its instance, and keep the node's other labels."""

    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeNode(_OnNode):
    """Check that a new node's gossip port is reachable."""

    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivateNode(_OnNode):
    """Let a node take tasks, and remove its phase labels."""

    is_drained: bool = False
    """Whether an operator has drained the node, so that it stays drained."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseNode(_OnNode):
    """Keep new tasks off a node, and record in its labels why and how the node will leave."""

    labels: Mapping[str, str]
    is_drained: bool = False
    """Whether the node is already drained, and therefore stays drained."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainNode(_OnNode):
    """Drain a node, so that Swarm stops all tasks that are still running on the node."""

    unmoved: tuple[str, ...] = ()
    """The tasks that were not moved in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoteNode(_OnNode):
    """Demote a manager to a worker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromoteNode(_OnNode):
    """Promote a node that was a manager before it was drained."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleNode(_OnNode):
    """Mark a node as drained; the node stays in the swarm."""

    labels: Mapping[str, str]
    cut_off: tuple[str, ...] = ()
    is_work_known: bool = True
    """Whether the leader knows which tasks still run on the node."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLeave(_OnNode):
    """Tell a waiting agent that it may leave the swarm now."""

    listener: Listener
    cut_off: tuple[str, ...] = ()
    is_work_known: bool = True
    """Whether the leader knows which tasks still run on the node."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveNode(_OnNode):
    """Remove a worker from the swarm; `by_force` allows the removal of a Ready worker."""

    by_force: bool = False
    is_departed: bool = False
    """Whether the node left in the normal way, so that the removal limit does not apply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminateInstance(_Decided):
    """Terminate an instance whose node is leaving, Down or missing."""

    instance: InstanceId
    keeps_console: bool = False
    """Whether to save the instance's console output first."""
    cut_off: tuple[str, ...] = ()
    is_work_known: bool = True
    """Whether the leader knows which tasks still run on the node."""

    @property
    def subject(self) -> str:
        """The instance that the action changes."""
        return f"instance {self.instance}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeService(_Decided):
    """Change a service's spec temporarily, or undo such a change.

    The action fails if the service no longer has this `version`.
    """

    service: ServiceId
    name: str
    version: int
    constraints: tuple[str, ...]
    update: Mapping[str, Any] | None
    replicas: int
    label: str | None
    """The new value of the loan label, or None to remove the label."""
    nodes: tuple[NodeId, ...] = ()
    """The nodes that the service's tasks leave, or may return to."""
    is_failure: bool = False
    """Whether this change undoes a failed move."""

    @property
    def subject(self) -> str:
        """The service that the action changes."""
        return service_subject(self.service)


@dataclass(frozen=True, slots=True, kw_only=True)
class RotateToken(_Decided):
    """Replace a role's join token. Nodes that have already joined are not affected."""

    role: Role

    @property
    def subject(self) -> str:
        """The swarm's spec, which the action changes."""
        return "swarm"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetHeartbeat(_Decided):
    """Set the heartbeat period. A node that misses three heartbeats is marked as Down."""

    period: timedelta

    @property
    def subject(self) -> str:
        """The swarm's spec, which the action changes."""
        return "swarm"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListInstances(_Decided):
    """List the cluster's instances in EC2."""

    missing: tuple[InstanceId, ...] = ()
    """Instances to list by their ids, too, because EC2 removes the tags of a terminated instance
    before it stops listing the instance."""

    @property
    def subject(self) -> str:
        """The list of instances that the action fetches."""
        return "instances"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceInstance(_Decided):
    """Request a replacement instance from the fleet, preferably outside the pools in `avoid`."""

    instance: InstanceId
    avoid: tuple[Pool, ...] = ()

    @property
    def subject(self) -> str:
        """The replacement that the action requests."""
        return f"replacement {self.instance}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteNotices(_Decided):
    """Delete messages from the SQS queue after they have been handled."""

    receipts: tuple[str, ...]

    @property
    def subject(self) -> str:
        """The messages to delete; the last 16 characters of the first receipt identify them."""
        return f"notices {self.receipts[0][-16:]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse(_Decided):
    """Change nothing, and log an error that an operator must look into."""

    about: str
    nodes: tuple[NodeId, ...] = ()
    instances: tuple[InstanceId, ...] = ()
    """The nodes and instances that the refusal concerns."""

    @property
    def subject(self) -> str:
        """The problem that the operator must look into."""
        return f"refusal {self.about}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFault(_Decided):
    """Count and log an exception that one part of a decision raised."""

    about: str
    error: Exception = field(compare=False, repr=False)

    @property
    def subject(self) -> str:
        """What could not be decided."""
        return f"fault {self.about}"


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
    | ReportFault
)


def tasks_left_behind(action: Action) -> tuple[str, ...]:
    """Return the tasks that an action stops before they can move or finish."""
    match action:
        case DrainNode(unmoved=tasks):
            return tasks
        case (
            OrderLeave(cut_off=tasks) | SettleNode(cut_off=tasks) | TerminateInstance(cut_off=tasks)
        ):
            return tasks
    return ()
