"""Exit codes, and the one way a command ends badly: a sentence, and the next step."""

from enum import IntEnum
from typing import NoReturn

import typer
from rich.console import Console
from rich.markup import escape

_stderr = Console(stderr=True, highlight=False, soft_wrap=True)


class Exit(IntEnum):
    """What a script can tell from the code."""

    OK = 0
    UNHEALTHY = 1
    """The answer came, and says something is wrong."""
    USAGE = 2
    """The command was asked for something it cannot do."""
    STANDBY = 3
    """This manager does not lead; the message says which one does."""
    UNREACHABLE = 4
    """No leader daemon, or AWS, answers from here."""
    UNKNOWN = 5
    """There is no such node, instance or cluster."""
    INCOMPLETE = 6
    """It was done, and not all of it in order: tasks were cut off, or did not come up elsewhere."""
    REFUSED = 7
    """The leader will not do it, and says why; nothing was changed."""
    ROLLED_BACK = 8
    """The deployment failed: what it had updated is as it was, what it had made anew is left."""
    INTERRUPTED = 130
    """Ctrl-C: the command ended, what it asked for goes on."""


def fail(code: Exit, problem: str, *, next_step: str = "") -> NoReturn:
    """Say what is wrong and what to do, on stderr, and end."""
    _stderr.print(f"[bold red]error:[/] {escape(problem)}")
    if next_step:
        _stderr.print(f"[bold]next:[/]  {escape(next_step)}")
    raise typer.Exit(int(code))


def say(text: str) -> None:
    """A remark for the person, apart from what a script reads on stdout."""
    _stderr.print(escape(text))
