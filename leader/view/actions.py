"""What to do, as imperative values: each with a `reason` a person understands and a `cause`.

Rule: `subject` names what an action works on; no two actions on one subject are ever in
flight together.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from leader.view.ids import InstanceId, NodeId, ServiceId
from leader.view.model import Asker, Denied, Instance
from leader.view.notices import Listener, Pool
from wire.messages import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class _Decided:
    reason: str
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _OnNode(_Decided):
    node: NodeId
    instance: InstanceId | None

    @property
    def subject(self) -> str:
        """The node."""
        return f"node {self.node}"


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantJoin(_Decided):
    """Send a join token to an asker, boxed to its key."""

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
    """Tell an asker no, with the code of its denial."""

    asker: Asker
    denied: Denied
    cause: str

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
    """Bind a node to its instance by our labels; the node's other labels stay."""

    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeNode(_OnNode):
    """See whether the swarm's gossip port of a new node can be reached."""

    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivateNode(_OnNode):
    """Let a node take tasks, and end whatever phase it was in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseNode(_OnNode):
    """Give a node no more tasks, and write down why: the labels say how it is to leave."""

    labels: Mapping[str, str]
    is_drained: bool = False
    """It was drained already, and stays so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainNode(_OnNode):
    """Have the swarm stop what still runs on a node; `left` names the tasks that did not move."""

    left: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoteNode(_OnNode):
    """Make a manager a worker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromoteNode(_OnNode):
    """Make a manager again of a node that was one when it was drained."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleNode(_OnNode):
    """Write down that a node is drained and empty, and stays."""

    labels: Mapping[str, str]
    cut_off: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLeave(_OnNode):
    """Tell an agent that waits for it that it may leave the swarm now."""

    listener: Listener
    cut_off: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveNode(_OnNode):
    """Remove a worker's entry; `by_force` also while the swarm still hears it."""

    by_force: bool = False
    is_departed: bool = False
    """It left in order: no removal to be careful about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminateInstance(_Decided):
    """End an instance we emptied, or one that is of no use; the console is kept if asked."""

    instance: InstanceId
    keeps_console: bool = False
    cut_off: tuple[str, ...] = ()

    @property
    def subject(self) -> str:
        """The instance."""
        return f"instance {self.instance}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeService(_Decided):
    """Change a service's spec in what we borrow, if it is still at this version."""

    service: ServiceId
    name: str
    version: int
    constraints: tuple[str, ...]
    update: Mapping[str, Any] | None
    replicas: int
    label: str | None
    """Our loan label's value; None takes it away."""
    is_failure: bool = False
    """What was borrowed for did not work out."""

    @property
    def subject(self) -> str:
        """The service."""
        return f"service {self.service}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RotateToken(_Decided):
    """Make a role's join token worthless and have a new one; joined nodes are not affected."""

    role: Role

    @property
    def subject(self) -> str:
        """One at a time: they change the one swarm spec."""
        return "swarm"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetHeartbeat(_Decided):
    """Set how often nodes say that they live; three missed ones make a node Down."""

    period: timedelta

    @property
    def subject(self) -> str:
        """One at a time: they change the one swarm spec."""
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
    """Ask the fleet for one instance more, in other pools than these if it can."""

    instance: InstanceId
    avoid: tuple[Pool, ...] = ()

    @property
    def subject(self) -> str:
        """The fleet, for one instance."""
        return f"replacement {self.instance}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteNotices(_Decided):
    """Take notices off the queue: what they called for is done."""

    receipts: tuple[str, ...]

    @property
    def subject(self) -> str:
        """The messages, by the end of the first one's receipt."""
        return f"notices {self.receipts[0][-16:]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse(_Decided):
    """Do nothing, and say so loudly: a person must look."""

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
