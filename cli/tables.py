"""The leader's answers as tables that fit 100 columns."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

_COLOURS = {
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
}

Row = Mapping[str, Any]


def nodes(rows: Sequence[Row]) -> RenderableType:
    """One line a node; `*` marks the Raft leader."""
    table = _table("HOSTNAME", "ROLE", "STATUS", "AVAIL", "INSTANCE", "LIFECYCLE", "ZONE")
    for row in rows:
        table.add_row(
            f"{row['hostname']}{' *' if row['leader'] else ''}",
            row["role"],
            _coloured(row["status"]),
            _coloured(row["availability"]),
            row["instance"] or "-",
            row["lifecycle"] or "-",
            row["zone"] or "-",
        )
    return table


def joins(rows: Sequence[Row]) -> RenderableType:
    """One line a request, newest first, with the reason of its answer."""
    table = _table("TIME", "INSTANCE", "ROLE", "ANSWER")
    table.add_column("REASON", overflow="fold")
    for row in rows:
        answer = row["code"] or row["answer"]
        table.add_row(
            _time(row["at"]),
            row["instance"] or "not proven",
            row["role"] or "-",
            _coloured(row["answer"], answer),
            escape(row["reason"]),
        )
    return table


def status(told: Row) -> RenderableType:
    """The cluster in a few lines."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold")
    grid.add_column(overflow="fold")
    grid.add_row("cluster", str(told["cluster"]))
    grid.add_row("this daemon", f"{told['stance']}: {told['reason']}")
    if told.get("problem"):
        grid.add_row("problem", Text(str(told["problem"]), style="red"))
    if "nodes" in told:
        states = ", ".join(
            f"{count} {key.replace('_', ' ')}" for key, count in sorted(told["by_status"].items())
        )
        grid.add_row("nodes", f"{told['nodes']} ({states})")
        grid.add_row("joining", str(told["joining"]))
        grid.add_row("managers wanted", str(told["managers_wanted"]))
        grid.add_row("grants outstanding", ", ".join(told["grants_outstanding"]) or "none")
        grid.add_row("unbound nodes", ", ".join(told["unbound"]) or "none")
        grid.add_row(
            "healthy", _coloured("ready" if told["healthy"] else "down", str(told["healthy"]))
        )
    grid.add_row("identity", str(told["identity"]))
    grid.add_row("version", str(told["version"]))
    return grid


def explanation(told: Row) -> RenderableType:
    """All decisions on one node or instance, with reason and cause."""
    parts: list[RenderableType] = []
    if told["nodes"]:
        parts.append(nodes(told["nodes"]))
    if told["instances"]:
        table = _table("INSTANCE", "STATE", "LIFECYCLE", "TYPE", "ADDRESS", "ROLE TAG")
        for row in told["instances"]:
            table.add_row(
                row["instance"],
                row["state"],
                row["lifecycle"],
                row["type"],
                row["address"],
                row["role"] or "-",
            )
        parts.append(table)
    if told["joins"]:
        parts.append(joins(list(reversed(told["joins"]))))
    if told["decisions"]:
        table = _table("TIME", "ACTION", "CAUSE", "OUTCOME")
        table.add_column("REASON", overflow="fold")
        for row in told["decisions"]:
            table.add_row(
                _time(row["at"]),
                row["action"],
                row["cause"],
                _coloured(row["outcome"], escape(row["outcome"])),
                escape(row["reason"]),
            )
        parts.append(table)
    return Group(*parts)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _coloured(value: str, shown: str | None = None) -> Text:
    return Text(shown or value, style=_COLOURS.get(value, ""))


def _time(text: str) -> str:
    return datetime.fromisoformat(text).strftime("%H:%M:%S")
