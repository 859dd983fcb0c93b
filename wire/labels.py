"""Our labels on nodes and services, and our tags on instances.

Rule: no other module spells one of these names, and their values never change meaning: labels
are the cluster's memory, and the next leader, which may be of another version, reads them.
"""

from datetime import UTC, datetime
from typing import Final

# Nodes: which instance this is.
LABEL_INSTANCE: Final = "spotswarm.instance"
LABEL_LIFECYCLE: Final = "spotswarm.lifecycle"
LABEL_ZONE: Final = "spotswarm.zone"
LABEL_TYPE: Final = "spotswarm.type"
LABEL_KEY: Final = "spotswarm.key"
"""The public key that the node joined with."""

# Nodes: where the node is between joining and leaving.
LABEL_PHASE: Final = "spotswarm.phase"
"""One of the phases below; absent on a node that serves normally. Never use it in a placement
constraint: when a label under a constraint changes, the swarm stops tasks at once (moby #34139)."""
JOINING: Final = "joining"
"""Labelled, and not activated yet: tells a new node's drain from an operator's."""
LEAVING: Final = "leaving"
"""To be emptied; the labels below say why, until when, and what happens then."""
HINTED: Final = "hinted"
"""Paused for a rebalance recommendation, which AWS may not act on."""
DRAINED: Final = "drained"
"""Empty, as the operator asked; stays so until it is returned."""
RETURNING: Final = "returning"
"""Takes tasks again as soon as no constraint of ours names it."""
LABEL_WHY: Final = "spotswarm.why"
LABEL_SINCE: Final = "spotswarm.since"
LABEL_DEADLINE: Final = "spotswarm.deadline"
LABEL_THEN: Final = "spotswarm.then"
LABEL_WAS: Final = "spotswarm.was"
"""`manager` on a node that was demoted before its drain."""
LABEL_OTHERS: Final = "spotswarm.others"
"""On a hinted node: how many other workers took tasks when it was paused."""
PHASE_LABELS: Final = (
    LABEL_PHASE, LABEL_WHY, LABEL_SINCE, LABEL_DEADLINE, LABEL_THEN, LABEL_WAS, LABEL_OTHERS,
)  # fmt: skip
"""What a node loses when it takes tasks again."""

# Services.
LABEL_EVACUATE: Final = "spotswarm.evacuate"
"""Set by the service's owner: how its tasks leave a node."""
LABEL_REBALANCE: Final = "spotswarm.rebalance"
"""Set by the service's owner: `false` keeps its tasks where they are."""
LABEL_LOAN: Final = "spotswarm.loan"
"""Our temporary changes of the service's spec, in JSON, until they are undone."""

# EC2 tags, set at launch.
TAG_CLUSTER: Final = "spotswarm:cluster"
TAG_ROLE: Final = "spotswarm:role"

_OFF: Final = frozenset({"false", "no", "off", "0"})


def is_off(value: str) -> bool:
    """Whether the value of a label switches off what the label is about."""
    return value.lower() in _OFF


def time_text(at: datetime) -> str:
    """A time as labels hold it."""
    return at.isoformat(timespec="milliseconds")


def read_time(text: str | None) -> datetime:
    """The inverse of `time_text`; a text that is no time, or none at all, reads as 1970."""
    try:
        at = datetime.fromisoformat(text or "")
    except ValueError:
        return datetime.fromtimestamp(0, UTC)
    return at if at.tzinfo else at.replace(tzinfo=UTC)
