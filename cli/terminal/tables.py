"""The leader's answers as tables that fit 100 columns."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

STATE_STYLES = {
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
_COLUMNS = 100
_HOST_COLUMNS = 21
_NOTICES = 3

Row = Mapping[str, Any]


def console() -> Console:
    """For stdout; a pipe has no width of its own, and a narrow terminal folds the tables."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(width=_COLUMNS, highlight=False)


def nodes(rows: Sequence[Row]) -> RenderableType:
    """One line a node; `*` marks the Raft leader, AVAIL also says if it leaves or joins."""
    table = made(padding=1)
    hosts = [f"{host(row['hostname'])}{' *' if row['leader'] else ''}" for row in rows]
    is_long = any(len(one) > _HOST_COLUMNS for one in hosts)
    table.add_column("HOSTNAME", overflow="fold", no_wrap=not is_long)
    for column in ("ROLE", "STATUS", "AVAIL", "INSTANCE", "LIFECYCLE", "ZONE"):
        table.add_column(column, overflow="fold", no_wrap=column != "AVAIL")
    for name, row in zip(hosts, rows, strict=True):
        availability = coloured(row["availability"])
        if row.get("phase"):
            availability.append(" ").append(coloured(row["phase"]))
        table.add_row(
            name,
            row["role"],
            coloured(row["status"]),
            availability,
            row["instance"] or "-",
            row["lifecycle"] or "-",
            row["zone"] or "-",
        )
    return table


def leaving(rows: Sequence[Row]) -> RenderableType:
    """One line a node that is on its way out, or back, and what it waits for."""
    if not rows:
        return Text("no node is leaving, hinted, drained or returning")
    table = made("HOSTNAME", "STAGE", "WHY", "THEN")
    table.add_column("LEFT", justify="right", no_wrap=True)
    table.add_column("TASKS", justify="right", no_wrap=True)
    table.add_column("WAITS FOR", overflow="fold")
    for row in rows:
        left = row["seconds_left"]
        table.add_row(
            host(row["hostname"]),
            coloured(row["stage"]),
            row["why"],
            row["then"],
            "-" if left is None else f"{left:.0f} s",
            str(len(row["tasks"])) if row["tasks_known"] else "?",
            escape(row["waits_for"]),
        )
    return table


def joins(rows: Sequence[Row]) -> RenderableType:
    """One line a request, newest first, with the reason of its answer."""
    table = made("TIME", "INSTANCE", "ROLE", "ANSWER")
    table.add_column("REASON", overflow="fold")
    for row in rows:
        answer = row["code"] or row["answer"]
        table.add_row(
            _time(row["at"]),
            row["instance"] or "not proven",
            row["role"] or "-",
            coloured(row["answer"], answer),
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
        grid.add_row("leaving", str(told.get("leaving", 0)))
        if told.get("notices"):
            grid.add_row("notices", _notices(told["notices"]))
        if told.get("penalties"):
            pools = (f"{one['type']} in {one['zone']}" for one in told["penalties"])
            grid.add_row("avoided pools", ", ".join(pools))
        grid.add_row("managers wanted", str(told["managers_wanted"]))
        grid.add_row("grants outstanding", ", ".join(told["grants_outstanding"]) or "none")
        grid.add_row("unbound nodes", ", ".join(told["unbound"]) or "none")
        grid.add_row(
            "healthy", coloured("ready" if told["healthy"] else "down", str(told["healthy"]))
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
        table = made("INSTANCE", "STATE", "LIFECYCLE", "TYPE", "ADDRESS", "ROLE TAG")
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
    if told.get("notices"):
        parts.append(Text(f"AWS announced: {_notices(told['notices'])}"))
    if told["joins"]:
        parts.append(joins(list(reversed(told["joins"]))))
    if told["decisions"]:
        table = made("TIME", "ACTION", "CAUSE", "OUTCOME")
        table.add_column("REASON", overflow="fold")
        for row in told["decisions"]:
            table.add_row(
                _time(row["at"]),
                row["action"],
                row["cause"],
                coloured(row["outcome"], escape(row["outcome"])),
                escape(row["reason"]),
            )
        parts.append(table)
    return Group(*parts)


def _notices(notices: Sequence[Row]) -> str:
    told = []
    for one in notices[:_NOTICES]:
        when = f" at {_time(one['deadline'])} UTC" if one["deadline"] else ""
        told.append(f"{one['kind']} of {one['instance']}{when} (by {one['source']})")
    more = len(notices) - _NOTICES
    return ", ".join(told) + (f" and {more} more" if more > 0 else "")


def host(name: str) -> str:
    """A host name without its domain, which on EC2 is every node's; commands take it so."""
    return name.partition(".")[0]


def made(*columns: str, padding: int = 2) -> Table:
    """A table without lines, whose columns fold."""
    table = Table(box=None, pad_edge=False, padding=(0, padding, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def coloured(value: str, shown: str | None = None) -> Text:
    """A word in the colour of what it says."""
    return Text(shown or value, style=STATE_STYLES.get(value, ""))


def _time(text: str) -> str:
    return datetime.fromisoformat(text).strftime("%H:%M:%S")
