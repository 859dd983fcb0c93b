"""What to do, as imperative values: each with a `reason` a person understands and a `cause`.

Rule: `subject` names what an action works on; no two actions on one subject are ever in
flight together.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from leader.model import Asker, Denied, Instance, InstanceId, NodeId
from wire.messages import Role


@dataclass(frozen=True, slots=True)
class GrantJoin:
    """Send a join token to an asker, boxed to its key."""

    asker: Asker
    instance: Instance
    managers: tuple[str, ...]
    expires: datetime
    reason: str
    cause: str

    @property
    def subject(self) -> str:  # noqa: D102  see the module's docstring
        return f"ask {self.asker.nonce}"


@dataclass(frozen=True, slots=True)
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
    def subject(self) -> str:  # noqa: D102
        return f"ask {self.asker.nonce}"


@dataclass(frozen=True, slots=True)
class LabelNode:
    """Bind a node to its instance by our labels; the node's other labels stay."""

    node: NodeId
    instance: InstanceId
    labels: Mapping[str, str]
    reason: str
    cause: str

    @property
    def subject(self) -> str:  # noqa: D102
        return f"node {self.node}"


@dataclass(frozen=True, slots=True)
class ProbeNode:
    """See whether the swarm's gossip port of a new node can be reached."""

    node: NodeId
    instance: InstanceId
    address: str
    reason: str
    cause: str

    @property
    def subject(self) -> str:  # noqa: D102
        return f"node {self.node}"


@dataclass(frozen=True, slots=True)
class ActivateNode:
    """Let a new node take tasks, and end its joining phase."""

    node: NodeId
    instance: InstanceId
    reason: str
    cause: str

    @property
    def subject(self) -> str:  # noqa: D102
        return f"node {self.node}"


@dataclass(frozen=True, slots=True)
class RemoveNode:
    """Remove a worker's entry that is Down and whose instance has joined anew."""

    node: NodeId
    instance: InstanceId
    reason: str
    cause: str

    @property
    def subject(self) -> str:  # noqa: D102
        return f"node {self.node}"


@dataclass(frozen=True, slots=True)
class RotateToken:
    """Make a role's join token worthless and have a new one; joined nodes are not affected."""

    role: Role
    reason: str
    cause: str

    @property
    def subject(self) -> str:  # noqa: D102
        # One at a time: both change the one swarm spec.
        return "tokens"


@dataclass(frozen=True, slots=True)
class ListInstances:
    """Ask EC2 for the cluster's instances."""

    reason: str
    cause: str

    @property
    def subject(self) -> str:  # noqa: D102
        return "instances"


Action = (
    GrantJoin
    | DenyJoin
    | LabelNode
    | ProbeNode
    | ActivateNode
    | RemoveNode
    | RotateToken
    | ListInstances
)
