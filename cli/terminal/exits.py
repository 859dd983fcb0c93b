"""Exit codes, and how a command reports an error: one sentence and the next step."""

from enum import IntEnum
from typing import NoReturn

import typer
from rich.console import Console
from rich.markup import escape

_stderr = Console(stderr=True, highlight=False, soft_wrap=True)


class Exit(IntEnum):
    """What a script can tell from the exit code."""

    OK = 0
    UNHEALTHY = 1
    """The leader answered, and reports a problem."""
    USAGE = 2
    """The command line, or a file it names, is wrong."""
    STANDBY = 3
    """This manager is not the active leader; the message names the one that is."""
    UNREACHABLE = 4
    """The leader daemon, Docker or AWS cannot be reached from here."""
    UNKNOWN = 5
    """There is no such node, instance, service or cluster."""
    INCOMPLETE = 6
    """Done only in part: tasks were cut off, or did not come up elsewhere."""
    REFUSED = 7
    """Refused, with the reason; nothing was changed."""
    ROLLED_BACK = 8
    """The deployment failed. Updated services were rolled back; new ones were left as they are."""
    INTERRUPTED = 130
    """Ctrl-C: the command ended; what it started goes on."""


def fail(code: Exit, problem: str, *, next_step: str = "") -> NoReturn:
    """Print the problem and the next step on stderr, and exit with this code."""
    _stderr.print(f"[bold red]error:[/] {escape(problem)}")
    if next_step:
        _stderr.print(f"[bold]next:[/]  {escape(next_step)}")
    raise typer.Exit(int(code))


def say(text: str) -> None:
    """Print a remark on stderr; stdout is for what scripts read."""
    _stderr.print(escape(text))
