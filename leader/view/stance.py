"""Decides whether a leader daemon leads, stands by, creates the swarm or waits.

Rule: Raft elects the leader of an existing swarm. Before the swarm exists, instances try to claim
the right to create it. Exactly one instance can succeed.
"""

from dataclasses import dataclass
from enum import StrEnum


class Stance(StrEnum):
    """What a leader daemon does until its engine's Swarm state changes."""

    LEAD = "leading"
    STAND_BY = "standby"
    FOUND_SWARM = "founding"
    WAIT = "waiting"


@dataclass(frozen=True, slots=True)
class Engine:
    """The Swarm state of this machine's Docker engine."""

    state: str
    node: str = ""
    is_manager: bool = False
    is_leader: bool = False
    leader: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Founder:
    """The instance that has claimed the right to create the swarm, if any."""

    instance: str | None
    is_founded: bool = False


def choose(engine: Engine, founder: Founder | None, *, instance: str) -> tuple[Stance, str]:
    """Return what the daemon should do, and the reason.

    `founder` is None if the claim to create the swarm cannot be read, or if the operator creates
    the swarm manually.
    """
    if engine.state == "active" and engine.is_leader:
        return Stance.LEAD, "this engine is the Raft leader"
    if engine.state == "active" and engine.is_manager:
        if engine.error or not engine.leader:
            return Stance.STAND_BY, "the swarm has no leader right now"
        return Stance.STAND_BY, f"{engine.leader} is the leader"
    if engine.state == "active":
        return (
            Stance.WAIT,
            "this node is a worker; promote it, or remove the [leader] table from its user data",
        )
    if engine.state != "inactive":
        return Stance.WAIT, f"the engine's Swarm state is {engine.state}, which the agent handles"
    if founder is None:
        return Stance.WAIT, "the engine is not in a swarm, and the founder of the swarm is unknown"
    if founder.is_founded:
        return (
            Stance.WAIT,
            "the swarm has been founded, and the agent is requesting a manager token",
        )
    if founder.instance is None or founder.instance == instance:
        return Stance.FOUND_SWARM, "no swarm has been founded yet"
    return Stance.WAIT, f"{founder.instance} is founding the swarm"
