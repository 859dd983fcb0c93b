"""What commands that follow have in common: a live display, Ctrl-C, and JSON at the end."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from cli.terminal.exits import Exit, say

LOOK_SECONDS: Final = 0.5

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
IsDry = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="End as soon as the leader has agreed.")]


@contextmanager
def leaving_it_going(sentence: str) -> Iterator[None]:
    """On Ctrl-C say what goes on, and end with the code that says so."""
    try:
        yield
    except KeyboardInterrupt:
        say(f"\n{sentence}")
        raise typer.Exit(int(Exit.INTERRUPTED)) from None


@contextmanager
def bar(console: Console, *, is_quiet: bool) -> Iterator[tuple[Progress, Live]]:
    """A live display on a terminal; elsewhere only the lines printed above it."""
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn("{task.fields[stage]}"),
        TextColumn("[dim]{task.fields[waits]}"),
        console=console,
        auto_refresh=False,
    )
    is_shown = console.is_terminal and not is_quiet
    live = Live(progress, console=console, auto_refresh=False, transient=True)
    if not is_shown:
        yield progress, live
        return
    with live:
        yield progress, live


def print_json(told: Mapping[str, Any], as_json: bool) -> None:
    """For scripts: the one document a command prints."""
    if as_json:
        print(json.dumps(told, indent=2), flush=True)
