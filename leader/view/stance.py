"""What this manager's daemon is to be right now: leading, standing by, or founding.

Rule: Raft elects the leader, not we. The one thing Raft cannot answer is who makes the
swarm when there is none; that is settled once for ever by a claim only one can win.
"""

from dataclasses import dataclass
from enum import StrEnum


class Stance(StrEnum):
    """What to do until the engine says otherwise."""

    LEAD = "leading"
    STAND_BY = "standby"
    FOUND = "founding"
    WAIT = "waiting"


@dataclass(frozen=True, slots=True)
class Engine:
    """This machine's engine, as its Swarm section says."""

    state: str
    node: str = ""
    is_manager: bool = False
    is_leader: bool = False
    leader: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Founder:
    """Who holds the right to found the swarm, if anybody has claimed it."""

    instance: str | None
    is_founded: bool = False


def choose(engine: Engine, founder: Founder | None, *, instance: str) -> tuple[Stance, str]:
    """The stance, and the sentence that says why.

    `founder` is None when nobody may found from here (the claim's store is away, or the
    operator founds by hand).
    """
    if engine.state == "active" and engine.is_leader:
        return Stance.LEAD, "this engine is the Raft leader"
    if engine.state == "active" and engine.is_manager:
        if engine.error or not engine.leader:
            return Stance.STAND_BY, "the swarm has no leader right now"
        return Stance.STAND_BY, f"{engine.leader} leads"
    if engine.state == "active":
        return Stance.WAIT, "this engine is a worker: promote it, or take the leader part out"
    if engine.state != "inactive":
        return Stance.WAIT, f"the engine is {engine.state}; the agent sees to it"
    if founder is None:
        return Stance.WAIT, "the engine is in no swarm, and who founds it is not known"
    if founder.is_founded:
        return Stance.WAIT, "the swarm was founded; the agent asks for a manager token"
    if founder.instance is None or founder.instance == instance:
        return Stance.FOUND, "no swarm was ever founded"
    return Stance.WAIT, f"{founder.instance} is founding the swarm"
