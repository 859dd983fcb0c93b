"""Exit codes and error messages. An error message states the problem and what to do next."""

from enum import IntEnum
from typing import NoReturn

import typer
from rich.console import Console
from rich.markup import escape

_stderr = Console(stderr=True, highlight=False, soft_wrap=True)


class Exit(IntEnum):
    """Exit codes that scripts can rely on."""

    OK = 0
    UNHEALTHY = 1
    """The leader responded and reported a problem."""
    USAGE = 2
    """The command line is invalid, or a file named on it is invalid."""
    STANDBY = 3
    """This manager is not the active leader. The message names the active leader, if known."""
    UNREACHABLE = 4
    """The leader daemon, Docker or AWS cannot be reached from this machine."""
    UNKNOWN = 5
    """There is no such node, instance, service or cluster."""
    INCOMPLETE = 6
    """Only part of the work was done: tasks were killed early or did not come up elsewhere, or a
    failed deployment could not be rolled back, or services that were to go could not be removed.
    The message names what is missing."""
    REFUSED = 7
    """The request was rejected, and no service was changed. The message gives the reason. Before
    Docker rejects a stack, it may have created networks, secrets, configs or a node's label."""
    ROLLED_BACK = 8
    """The deployment failed. Updated services were seen to be as before; new services and jobs were
    left alone."""
    INTERRUPTED = 130
    """Ctrl-C or a signal ended the command. Work that the command started continues."""


def fail(code: Exit, problem: str, *, next_step: str = "") -> NoReturn:
    """Print the problem and the next step, if any, to stderr; then exit with the given code."""
    _stderr.print(f"[bold red]error:[/] {escape(problem)}")
    if next_step:
        _stderr.print(f"[bold]next:[/]  {escape(next_step)}")
    raise typer.Exit(int(code))


def say(text: str) -> None:
    """Print a message to stderr, because stdout is reserved for output that scripts read."""
    _stderr.print(escape(text))


def say_notes(error: Exception) -> None:
    """Print an error's notes, such as the other lines that Docker printed, before the error."""
    for note in getattr(error, "__notes__", ()):
        say(note)
