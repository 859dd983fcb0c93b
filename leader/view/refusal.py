"""Explains why the leader rejected an operator's command."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a command was rejected, and what the operator can do next."""

    reason: str
    next_step: str
    is_unknown: bool = False
    """Whether the command was rejected because nothing has the given name."""
