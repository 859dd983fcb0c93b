"""`spotswarm status`: show a short summary of the cluster's health."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import typer
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from cli.cluster.view import Watch, show
from cli.terminal.exits import Exit
from cli.terminal.options import AsJson
from cli.terminal.tables import clock_time, coloured

_NOTICES_SHOWN: Final = 3


def status(as_json: AsJson = False, watch: Watch = False) -> None:
    """Show the cluster's health. The exit code is 1 if the cluster is unhealthy or flooded."""
    answer = show("status", summary, as_json=as_json, watch=watch)
    if answer.get("problem") or not answer.get("healthy", True) or answer.get("flooded"):
        raise typer.Exit(int(Exit.UNHEALTHY))


def summary(answer: Mapping[str, Any]) -> RenderableType:
    """Return a table with one fact per row. A standby leader daemon reports only a few facts."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold")
    grid.add_column(overflow="fold")
    grid.add_row("cluster", str(answer["cluster"]))
    grid.add_row("this daemon", f"{answer['stance']}: {answer['reason']}")
    if answer.get("problem"):
        grid.add_row("problem", Text(str(answer["problem"]), style="red"))
    if "nodes" in answer:
        _add_cluster(grid, answer)
    grid.add_row("identity", str(answer["identity"]))
    grid.add_row("version", str(answer["version"]))
    return grid


def _add_cluster(grid: Table, answer: Mapping[str, Any]) -> None:
    states = ", ".join(
        f"{count} {state.replace('_', ' ')}" for state, count in sorted(answer["by_status"].items())
    )
    grid.add_row("nodes", f"{answer['nodes']} ({states})")
    if answer.get("flooded"):
        grid.add_row("broker", Text(_flood(answer), style="red"))
    grid.add_row("joining", str(answer["joining"]))
    grid.add_row("leaving", str(answer.get("leaving", 0)))
    if answer.get("notices"):
        grid.add_row("notices", notices(answer["notices"]))
    if answer.get("penalties"):
        pools = (f"{pool['type']} in {pool['zone']}" for pool in answer["penalties"])
        grid.add_row("avoided pools", ", ".join(pools))
    grid.add_row("managers wanted", str(answer["managers_wanted"]))
    grid.add_row("grants outstanding", ", ".join(answer["grants_outstanding"]) or "none")
    grid.add_row("unbound nodes", ", ".join(answer["unbound"]) or "none")
    state = "ready" if answer["healthy"] else "down"
    grid.add_row("healthy", coloured(state, "yes" if answer["healthy"] else "no"))


def _flood(answer: Mapping[str, Any]) -> str:
    return (
        f"flooded: {answer.get('dropped_per_second', 0):.0f} messages a second are dropped; see"
        ' "A flood of the broker" in docs/operations.md'
    )


def notices(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the first few AWS notices on one line, and how many more there are."""
    sentences = []
    for notice in rows[:_NOTICES_SHOWN]:
        when = f" at {clock_time(notice['deadline'])} UTC" if notice["deadline"] else ""
        source = notice["source"]
        sentences.append(f"{notice['kind']} of {notice['instance']}{when} (from {source})")
    more = len(rows) - _NOTICES_SHOWN
    return ", ".join(sentences) + (f" and {more} more" if more > 0 else "")
