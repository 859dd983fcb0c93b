"""Say what a command that ends early leaves behind, and which command finishes or undoes it.

Rule: a block in which services change runs inside `named`, so that no error and no signal ends the
command without this message. Work that Swarm has begun continues without the command.
"""

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

import typer

from cli.deploy.recovery.rollback import Rollback
from cli.deploy.rollout import Rollout
from cli.progress.services import ServiceProgress
from cli.terminal.exits import Exit, fail, say, say_notes
from runtime.errors import ClusterError, UnavailableError


@contextmanager
def named(rollout: Rollout, rollback: Rollback) -> Iterator[None]:
    """Name the services that are in neither state if anything but the report ends the block."""
    stack = rollout.stored.record.stack
    try:
        with _signals_interrupt():
            yield
    except typer.Exit:
        raise
    except KeyboardInterrupt:
        say(f"\ninterrupted: {unfinished(rollout, rollback)}")
        say(f"next: {next_step(stack)}")
        raise typer.Exit(int(Exit.INTERRUPTED)) from None
    except ClusterError as exc:
        say_notes(exc)
        is_away = isinstance(exc, UnavailableError)
        fail(
            Exit.UNREACHABLE if is_away else Exit.INCOMPLETE,
            f"{exc}; {unfinished(rollout, rollback)}",
            next_step=next_step(stack),
        )
    except BaseException:
        say(f"this command has failed: {unfinished(rollout, rollback)}")
        say(f"next: {next_step(stack)}")
        raise


def unfinished(rollout: Rollout, rollback: Rollback) -> str:
    """Return the sentence that names the services that were not seen as before or as requested."""
    if rollback.steps:
        waits = [f"{name} ({reason})" for name, reason in rollback.not_restored.items()]
        if waits:
            return f"not seen as before the deployment: {', '.join(waits)}"
        return "every updated service was seen as before the deployment"
    if rollout.last is not None and rollout.last.verdict == "converged":
        return "every service was seen as requested"
    if rollout.last is None:
        names = ", ".join(rollout.services)
        return f"these services may have been changed, or not yet: {names}"
    waits = [f"{row.name} ({row.sentence})" for row in _unsteady(rollout.last.services)]
    if waits:
        return f"Swarm continues; not seen as requested: {', '.join(waits)}"
    return "every service was seen as requested, but not for long enough"


def next_step(stack: str) -> str:
    """Return what the operator can do about a deployment that has not ended."""
    return (
        f"run `spotswarm deploy {stack}` with the same options to finish it, or"
        f" `spotswarm deploy {stack} --undo` to restore what the services were before"
    )


def _unsteady(services: Sequence[ServiceProgress]) -> list[ServiceProgress]:
    return [service for service in services if service.state != "steady"]


@contextmanager
def _signals_interrupt() -> Iterator[None]:
    """Make SIGTERM and SIGHUP end the block as Ctrl-C does."""

    def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    # Under nohup, SIGHUP is ignored, and stays so.
    earlier = {
        number: handler
        for number in (signal.SIGTERM, signal.SIGHUP)
        if (handler := signal.getsignal(number)) != signal.SIG_IGN
    }
    try:
        for number in earlier:
            signal.signal(number, interrupt)
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
