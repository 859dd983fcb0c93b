"""Why the leader does not do what the operator asks, as a value."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing is done, and what the operator can do instead."""

    reason: str
    next_step: str
    is_unknown: bool = False
    """Nothing of that name exists."""
