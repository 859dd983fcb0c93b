"""Spotswarm's labels on nodes and services, and its tags on EC2 instances.

Rule: no other module contains these names as literals, and the meaning of a value never changes.
The labels store the cluster's state for the next leader, which may run a different version.
"""

from datetime import datetime
from typing import Final

from wire.times import EARLIEST, plausible

# Node labels about the node's instance.
LABEL_INSTANCE: Final = "spotswarm.instance"
LABEL_LIFECYCLE: Final = "spotswarm.lifecycle"
LABEL_ZONE: Final = "spotswarm.zone"
LABEL_TYPE: Final = "spotswarm.type"
LABEL_KEY: Final = "spotswarm.key"
"""The public key of the request with which the node joined."""

# Node labels about the node's life cycle.
LABEL_PHASE: Final = "spotswarm.phase"
"""The node's phase, one of the values below; a node in normal operation does not have this label.
Never use this label in a placement constraint: if the label changes, the swarm stops the service's
tasks immediately (moby #34139)."""
JOINING: Final = "joining"
"""The node has labels but is not active yet. This phase distinguishes a new node, which joins with
availability drain, from a node that the operator drained."""
LEAVING: Final = "leaving"
"""The node is being evacuated. The labels below contain the reason, the deadline, and what happens
to the node afterwards."""
HINTED: Final = "hinted"
"""The node is paused because of a rebalance recommendation; AWS may still not interrupt it."""
DRAINED: Final = "drained"
"""The operator drained the node, which stays empty until the operator returns it."""
RETURNING: Final = "returning"
"""The node becomes active as soon as none of our constraints excludes it."""
LABEL_WHY: Final = "spotswarm.why"
LABEL_SINCE: Final = "spotswarm.since"
LABEL_DEADLINE: Final = "spotswarm.deadline"
LABEL_THEN: Final = "spotswarm.then"
LABEL_WAS: Final = "spotswarm.was"
"""The value is `manager` on a node that was demoted before its drain."""
LABEL_OTHERS: Final = "spotswarm.others"
"""On a hinted node, the number of other active workers when the node was paused."""
PHASE_LABELS: Final = (
    LABEL_PHASE, LABEL_WHY, LABEL_SINCE, LABEL_DEADLINE, LABEL_THEN, LABEL_WAS, LABEL_OTHERS,
)  # fmt: skip
"""The labels that are removed from a node when it becomes active again."""

OWN_NODE_LABELS: Final = frozenset(
    {
        *(LABEL_INSTANCE, LABEL_LIFECYCLE, LABEL_ZONE, LABEL_TYPE, LABEL_KEY),
        *PHASE_LABELS,
    }
)
"""The labels that only the leader sets on nodes; all others belong to the operator."""

# Service labels.
LABEL_EVACUATE: Final = "spotswarm.evacuate"
"""Set by the service's owner to choose how the service's tasks leave a node."""
LABEL_REBALANCE: Final = "spotswarm.rebalance"
"""Set to `false` by the service's owner to keep the service's tasks where they are."""
LABEL_LOAN: Final = "spotswarm.loan"
"""Set by us to record temporary changes to the service's spec, in JSON, until we undo them."""
LABEL_JOB: Final = "spotswarm.job"
"""Set by `spotswarm deploy` on a job: the digest of its part of the stack file. A job runs again
whenever its spec is written, so a job with the same digest is not written."""

# Labels of configs.
LABEL_DEPLOYMENT: Final = "spotswarm.deployment"
"""The config is the record of a deployment of the stack that the value names."""
LABEL_APPLIED: Final = "spotswarm.applied"
"""The value is `true` if Docker has accepted every service of the recorded deployment."""

# EC2 tags, set at launch.
TAG_CLUSTER: Final = "spotswarm:cluster"
TAG_ROLE: Final = "spotswarm:role"

_OFF: Final = frozenset({"false", "no", "off", "0"})


def is_off(value: str) -> bool:
    """Return whether a label's value means off: `false`, `no`, `off` or `0`, ignoring case."""
    return value.lower() in _OFF


def time_text(at: datetime) -> str:
    """Return a time in the ISO 8601 format that our labels use."""
    return at.isoformat(timespec="milliseconds")


def read_time(text: str | None) -> datetime:
    """Parse a time written by `time_text`. Return 1970-01-01 if the text is missing or invalid."""
    try:
        return plausible(datetime.fromisoformat(text or ""))
    except ValueError:
        return EARLIEST
