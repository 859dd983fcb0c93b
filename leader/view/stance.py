"""What this manager's daemon does now: lead, stand by, found the swarm or wait.

Rule: Raft elects the leader. Raft cannot decide who creates the swarm, because there is none yet;
a claim that only one instance can win decides that once.
"""

from dataclasses import dataclass
from enum import StrEnum


class Stance(StrEnum):
    """What the daemon does until the engine's state changes."""

    LEAD = "leading"
    STAND_BY = "standby"
    FOUND_SWARM = "founding"
    WAIT = "waiting"


@dataclass(frozen=True, slots=True)
class Engine:
    """The Swarm state of this machine's engine."""

    state: str
    node: str = ""
    is_manager: bool = False
    is_leader: bool = False
    leader: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Founder:
    """Which instance has claimed the right to found the swarm, if any."""

    instance: str | None
    is_founded: bool = False


def choose(engine: Engine, founder: Founder | None, *, instance: str) -> tuple[Stance, str]:
    """The stance and a sentence that says why.

    `founder` is None when it is unknown: the claim cannot be read, or the operator creates the
    swarm by hand.
    """
    if engine.state == "active" and engine.is_leader:
        return Stance.LEAD, "this engine is the Raft leader"
    if engine.state == "active" and engine.is_manager:
        if engine.error or not engine.leader:
            return Stance.STAND_BY, "the swarm has no leader right now"
        return Stance.STAND_BY, f"{engine.leader} leads"
    if engine.state == "active":
        return (
            Stance.WAIT,
            "this engine is a worker: promote it, or remove the [leader] part from its user data",
        )
    if engine.state != "inactive":
        return Stance.WAIT, f"the engine is {engine.state}; the agent handles that"
    if founder is None:
        return Stance.WAIT, "the engine is in no swarm, and it is not known who founds it"
    if founder.is_founded:
        return Stance.WAIT, "the swarm has been founded; the agent asks for a manager token"
    if founder.instance is None or founder.instance == instance:
        return Stance.FOUND_SWARM, "no swarm has been founded yet"
    return Stance.WAIT, f"{founder.instance} is founding the swarm"
