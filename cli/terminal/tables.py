"""Code that all tables share: columns, colours, and the format of host names and times."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

STATE_STYLES: Final = {
    "ready": "green",
    "active": "green",
    "granted": "green",
    "done": "green",
    "leading": "green",
    "down": "red",
    "denied": "yellow",
    "dropped": "yellow",
    "drain": "yellow",
    "pause": "yellow",
    "unknown": "yellow",
    "moved": "green",
    "stranded": "yellow",
    "drained": "cyan",
    "even": "green",
    "stuck": "red",
    "hinted": "yellow",
    "evacuating": "yellow",
    "draining": "yellow",
    "leaving": "yellow",
    "returning": "cyan",
    "steady": "green",
    "failed": "red",
}
_COLUMNS: Final = 100


def console() -> Console:
    """Return a console for stdout, 100 columns wide if stdout is not a terminal."""
    terminal = Console(highlight=False)
    return terminal if terminal.is_terminal else Console(width=_COLUMNS, highlight=False)


def new_table(*columns: str, padding: int = 2) -> Table:
    """Return a borderless table whose columns wrap long values."""
    table = Table(box=None, pad_edge=False, padding=(0, padding, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def coloured(state: str, text: str | None = None) -> Text:
    """Return `text` in the state's colour; by default, `text` is the state's name."""
    return Text(text or state, style=STATE_STYLES.get(state, ""))


def short_host(name: str) -> str:
    """Return a host name without its domain. Commands also accept this short form."""
    return name.partition(".")[0]


def clock_time(text: str) -> str:
    """Return the time of day from an ISO 8601 timestamp as HH:MM:SS."""
    return datetime.fromisoformat(text).strftime("%H:%M:%S")


def warnings(plan: Mapping[str, Any]) -> list[RenderableType]:
    """Return a plan's warnings as text to print, one warning per line."""
    return [Text(f"warning: {warning}", style="yellow") for warning in plan["warnings"]]
