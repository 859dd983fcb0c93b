"""Say what a rollback has restored, what it has not, and what can be done about the rest."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cli.deploy.recovery.rollback import Rollback
from cli.deploy.rollout import Rollout


@dataclass(frozen=True, slots=True)
class RollbackReport:
    """A rollback's result, for people and for scripts."""

    fields: dict[str, Any]
    """The part of the `--json` report."""
    sentences: list[str]
    next_steps: list[str]
    """What the operator can do about the rest, each as a part of one sentence."""


def rollback_report(
    rollout: Rollout, rollback: Rollback, rolled_back_by_swarm: Iterable[str] = ()
) -> RollbackReport:
    """Return what is known after a rollback of a deployment that created or updated services."""
    by_swarm = sorted(set(rolled_back_by_swarm) & set(rollback.restored))
    by_us = [name for name in rollback.restored if name not in by_swarm]
    missing, jobs = rollback.not_restored, rollback.left
    sentences = []
    if by_us:
        sentences.append(f"rolled back: {', '.join(by_us)}")
    if by_swarm:
        sentences.append(f"rolled back by Swarm: {', '.join(by_swarm)}")
    if missing:
        waits = ", ".join(f"{name} ({reason})" for name, reason in missing.items())
        sentences.append(f"not rolled back: {waits}")
    if jobs:
        sentences.append(
            f"left as they are, because Swarm would run the earlier version again:"
            f" {', '.join(sorted(jobs))}"
        )
    if rollout.created:
        sentences.append(f"new services left as they are: {', '.join(rollout.created)}")
    return RollbackReport(
        fields={
            "rolled_back": rollback.restored,
            "rolled_back_by_swarm": by_swarm,
            "not_rolled_back": sorted(missing),
            "reasons": missing | jobs,
            "left": [*rollout.created, *sorted(jobs)],
        },
        sentences=sentences,
        next_steps=list(_next_steps(rollout, rollback)),
    )


def _next_steps(rollout: Rollout, rollback: Rollback) -> Iterable[str]:
    stack = rollout.stored.record.stack
    waiting = [name for name, step in sorted(rollback.steps.items()) if not step.is_last]
    if waiting:
        first = waiting[0]
        yield (
            f"run `docker service ps --no-trunc {first}` to see what it waits for, and"
            f" `spotswarm deploy {stack} --undo` to go on restoring"
        )
    if any(step.doing == "removed" for step in rollback.steps.values()):
        yield "a service that was removed comes back only if you deploy an earlier stack file"
    if rollout.created:
        yield f"`docker service rm {' '.join(rollout.created)}` removes the new services"
