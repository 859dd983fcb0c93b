"""Carry out a deployment: record what the services were, let Docker apply the stack, and report.

Rule: everything from the first change to the last happens inside `named`. Services that are not
deployed any more go last, when the stack runs.
"""

from dataclasses import dataclass
from typing import Final, NoReturn

from cli.deploy import follow, jobs, leftovers, result, rollout
from cli.deploy.applying import apply
from cli.deploy.leftovers import Leftovers
from cli.deploy.recovery import records
from cli.deploy.recovery.rollback import Rollback
from cli.deploy.removal import wait_until_removed
from cli.deploy.rollout import Look, Rollout
from cli.deploy.stackfile.stack import Stack
from cli.deploy.unfinished import named, next_step
from cli.edges.docker_cli import Docker
from cli.progress.services import Convergence
from cli.terminal.exits import Exit, fail, say, say_notes
from cli.terminal.options import print_json
from cli.terminal.tables import console
from runtime import clock
from runtime.errors import ClusterError, RefusedError

_LONG_ENOUGH: Final = float("inf")


@dataclass(frozen=True, slots=True)
class Request:
    """How the operator wants the stack to be deployed."""

    resolve: str
    timeout: float
    """How many seconds to wait until the stack may be changed, and then until it runs."""
    left: Leftovers
    """What runs and is not deployed any more."""
    prune: bool
    """Whether to remove all of `left`, and not only what other services replace."""
    is_waiting: bool
    as_json: bool


def roll_out(docker: Docker, stack: Stack, request: Request) -> None:
    """Deploy the stack, watch it, and roll it back if it fails."""
    patience = clock.monotonic() + request.timeout
    wait_until_removed(docker, stack.name, patience)
    services = follow.wait_for_leader(docker, stack, patience)
    progress = rollout.observe(docker, services, stack.name)
    changed = jobs.without_done(stack, services, progress)
    begun, rollback = rollout.begin(docker, stack, services, progress), Rollback()
    out = console()
    # What the command has waited for until here takes no time from the stack.
    deadline = clock.monotonic() + request.timeout

    def give_up(look: Look, rejection: str = "") -> NoReturn:
        result.give_up(
            *(docker, stack, begun, rollback, look),
            left=request.left,
            out=out,
            rejection=rejection,
            as_json=request.as_json,
        )

    with named(begun, rollback):
        try:
            apply(docker, changed, resolve=request.resolve, deadline=deadline)
        except RefusedError as exc:
            say_notes(exc)
            look = _after_rejection(docker, stack, begun, exc)
            _refuse_unchanged(docker, begun, exc)
            give_up(look, str(exc))
        records.mark_applied(docker, begun.stored)
        if request.is_waiting:
            look = follow.wait_for_convergence(
                *(docker, stack, begun, deadline, out), is_quiet=request.as_json
            )
            if look.verdict != "converged":
                give_up(look)
            result.succeed(docker, stack, begun, look, out, as_json=request.as_json)
        else:
            say(f"not waited for; {next_step(stack.name)}")
            report = {"stack": stack.name, "outcome": "deployed"} | stack.report()
            print_json(report, request.as_json)
        leftovers.settle(docker, stack, request.left, prune=request.prune)


def _after_rejection(docker: Docker, stack: Stack, begun: Rollout, error: RefusedError) -> Look:
    """Return what Docker has changed before its error.

    Raises:
        ClusterError: if the engine does not show it. Docker's error has been printed.
    """
    try:
        return rollout.look(docker, stack, begun, Convergence(_LONG_ENOUGH))
    except ClusterError:
        say(str(error))
        raise


def _refuse_unchanged(docker: Docker, begun: Rollout, error: RefusedError) -> None:
    """Let the error end the command if Docker has changed no service."""
    if not begun.created and not begun.updated:
        records.forget(docker, begun.stored)
        fail(Exit.REFUSED, str(error), next_step="correct what Docker rejected, then deploy again")
