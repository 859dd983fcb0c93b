"""Carry out a deployment: record what the services were, let Docker apply the stack, and report.

Rule: from the first change to the report, everything happens inside `named` and
`withdrawn_on_failure`. Services that are not deployed any more go last, when the stack runs.
"""

from dataclasses import dataclass
from typing import Final

from cli.deploy import follow, jobs, leftovers, result, rollout
from cli.deploy.applying import apply
from cli.deploy.leftovers import Leftovers
from cli.deploy.recovery import records
from cli.deploy.recovery.rollback import Rollback
from cli.deploy.removal import wait_until_removed
from cli.deploy.rollout import Rollout
from cli.deploy.stackfile.stack import Stack
from cli.deploy.unfinished import named, next_step
from cli.edges.docker_cli import Docker
from cli.progress.services import Convergence
from cli.terminal.exits import Exit, fail, say, say_notes
from cli.terminal.options import print_json
from cli.terminal.tables import console
from runtime.errors import RefusedError

_LONG_ENOUGH: Final = float("inf")


@dataclass(frozen=True, slots=True)
class Request:
    """How the operator wants the stack to be deployed."""

    resolve: str
    deadline: float
    """The monotonic time at which the command gives up."""
    left: Leftovers
    """What runs and is not deployed any more."""
    prune: bool
    """Whether to remove all of `left`, and not only what other services replace."""
    is_waiting: bool
    as_json: bool


def roll_out(docker: Docker, stack: Stack, request: Request) -> None:
    """Deploy the stack, watch it, and roll it back if it fails."""
    wait_until_removed(docker, stack.name, request.deadline)
    services = follow.wait_for_leader(docker, stack, request.deadline)
    progress = rollout.observe(docker, services, stack.name)
    changed = jobs.without_done(stack, services, progress)
    begun, rollback = rollout.begin(docker, stack, services, progress), Rollback()
    out = console()
    with (
        named(begun, rollback),
        leftovers.withdrawn_on_failure(docker, stack, request.left, begun.created),
    ):
        try:
            apply(docker, changed, resolve=request.resolve, deadline=request.deadline)
        except RefusedError as exc:
            say_notes(exc)
            look = rollout.look(docker, stack, begun, Convergence(_LONG_ENOUGH))
            _refuse_unchanged(docker, begun, exc)
            result.give_up(
                *(docker, stack, begun, rollback, look, out),
                rejection=str(exc),
                as_json=request.as_json,
            )
        records.mark_applied(docker, begun.stored)
        if request.is_waiting:
            look = follow.wait_for_convergence(
                *(docker, stack, begun, request.deadline, out), is_quiet=request.as_json
            )
            if look.verdict != "converged":
                result.give_up(docker, stack, begun, rollback, look, out, as_json=request.as_json)
            result.succeed(docker, stack, begun, look, out, as_json=request.as_json)
        else:
            say(f"not waited for; {next_step(stack.name)}")
            report = {"stack": stack.name, "outcome": "deployed"} | stack.report()
            print_json(report, request.as_json)
    leftovers.settle(docker, stack, request.left, prune=request.prune)


def _refuse_unchanged(docker: Docker, begun: Rollout, error: RefusedError) -> None:
    """Let the error end the command if Docker has changed no service."""
    if not begun.created and not begun.updated:
        records.forget(docker, begun.stored)
        fail(Exit.REFUSED, str(error), next_step="correct what Docker rejected, then deploy again")
