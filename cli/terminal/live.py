"""Show live progress and handle Ctrl-C in commands that wait for an operation to finish."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import typer
from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from cli.terminal.exits import Exit, say

POLL_SECONDS: Final = 0.5


@contextmanager
def keeps_running(sentence: str) -> Iterator[None]:
    """On Ctrl-C, print `sentence` and exit with INTERRUPTED.

    `sentence` tells the user which operation continues.
    """
    try:
        yield
    except KeyboardInterrupt:
        say(f"\n{sentence}")
        raise typer.Exit(int(Exit.INTERRUPTED)) from None


@contextmanager
def progress_bar(console: Console, *, is_quiet: bool) -> Iterator[tuple[Progress, Live]]:
    """Show a live progress bar if the output is a terminal and `is_quiet` is false."""
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn("{task.fields[stage]}"),
        TextColumn("[dim]{task.fields[waits]}"),
        console=console,
        auto_refresh=False,
    )
    live = Live(progress, console=console, auto_refresh=False, transient=True)
    if not console.is_terminal or is_quiet:
        yield progress, live
        return
    with live:
        yield progress, live
