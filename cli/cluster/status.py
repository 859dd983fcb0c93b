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
_FAULTS_SHOWN: Final = 3


def status(as_json: AsJson = False, watch: Watch = False) -> None:
    """Show the cluster's health.

    The exit code is 1 if the cluster is unhealthy or flooded, if tasks are pending, or if the
    leader refuses to do something until an operator looks into it.
    """
    answer = show("status", summary, as_json=as_json, watch=watch)
    is_troubled = any(answer.get(field) for field in ("problem", "faults", "flooded"))
    if is_troubled or _needs_attention(answer) or not answer.get("healthy", True):
        raise typer.Exit(int(Exit.UNHEALTHY))


def _needs_attention(answer: Mapping[str, Any]) -> bool:
    return bool(answer.get("refusals") or answer.get("pending_tasks"))


def summary(answer: Mapping[str, Any]) -> RenderableType:
    """Return a table with one fact per row. A standby leader daemon reports only a few facts."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold")
    grid.add_column(overflow="fold")
    grid.add_row("cluster", str(answer["cluster"]))
    grid.add_row("this daemon", f"{answer['stance']}: {answer['reason']}")
    if answer.get("problem"):
        grid.add_row("problem", Text(str(answer["problem"]), style="red"))
    if answer.get("faults"):
        grid.add_row("faults", Text(faults(answer["faults"]), style="red"))
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
    _add_attention(grid, answer)
    state = "ready" if answer["healthy"] else "down"
    grid.add_row("healthy", coloured(state, "yes" if answer["healthy"] else "no"))


def faults(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the latest contained faults, one on each line, and where to read more."""
    lines = [
        f"{row['count']} times, last {row['seconds_ago']:.0f} s ago, {row['path']}: {row['cause']}"
        for row in rows[:_FAULTS_SHOWN]
    ]
    more = len(rows) - _FAULTS_SHOWN
    lines += [f"and {more} more"] if more > 0 else []
    return "\n".join((*lines, "see `journalctl -u spotswarm-leader`, and report this to us"))


def _add_attention(grid: Table, answer: Mapping[str, Any]) -> None:
    for row in answer.get("pending_tasks", ())[:_NOTICES_SHOWN]:
        of = f" of {row['wanted']}" if row["wanted"] else ""
        grid.add_row(
            "pending tasks",
            Text(
                f"{row['service']}: {row['tasks']}{of} for {row['seconds']} s: {row['why']}",
                style="red",
            ),
        )
    more = len(answer.get("pending_tasks", ())) - _NOTICES_SHOWN
    if more > 0:
        grid.add_row("", f"and tasks of {more} more services")
    for row in answer.get("refusals", ()):
        grid.add_row("refused", Text(str(row["reason"]), style="red"))
    step = answer.get("clock_step_seconds")
    if step:
        direction = "forward" if step > 0 else "back"
        grid.add_row(
            "clock",
            f"this machine's clock was set {direction} by {abs(step):.0f} s; the leader shows times"
            " by the clock as it was, until `systemctl restart spotswarm-leader`",
        )


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
