"""What the leader plans to do, and how far it is, as tables that fit 100 columns."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.text import Text

from cli.terminal.tables import coloured, host, made

Row = Mapping[str, Any]
_NODES_SHOWN: Final = 6
_FATES: Final = {"runs-on": "runs on"}


def drain(plan: Row) -> RenderableType:
    """A node, by when it is to be empty, and what happens to each task."""
    by = datetime.fromisoformat(plan["deadline"]).strftime("%H:%M:%S")
    parts: list[RenderableType] = [
        Text(f"{host(plan['hostname'])} ({plan['instance'] or plan['node']}): empty by {by} UTC")
    ]
    if plan["is_demoted"]:
        parts.append(Text("It is a manager, and is made a worker first."))
    if plan["tasks"]:
        table = made("TASK", "STATE", "FATE")
        table.add_column("HOW", overflow="fold")
        for task in plan["tasks"]:
            fate = _FATES.get(task["fate"], task["fate"])
            table.add_row(
                task["name"], task["state"], coloured(task["fate"], fate), escape(task["why"])
            )
        parts.append(table)
    else:
        parts.append(Text("No task runs on it."))
    return Group(*parts, *_warnings(plan))


def give_back(plan: Row) -> RenderableType:
    """A node that is to take tasks again, and what comes before that."""
    steps = []
    if plan["is_promoted"]:
        steps.append("it becomes a manager again")
    if plan["held_by"]:
        steps.append(f"what was borrowed of {', '.join(plan['held_by'])} is given back")
    before = f": first {' and '.join(steps)}" if steps else ""
    return Group(
        Text(f"{host(plan['hostname'])} ({plan['phase']}) takes tasks again{before}"),
        *_warnings(plan),
    )


def _warnings(plan: Row) -> list[RenderableType]:
    return [Text(f"warning: {one}", style="yellow") for one in plan["warnings"]]


def spread(plans: Sequence[Row]) -> RenderableType:
    """One line a service that is uneven or left alone; those that are even only counted."""
    shown = [plan for plan in plans if plan["stage"] != "even"]
    even = len(plans) - len(shown)
    parts: list[RenderableType] = []
    if shown:
        table = made("SERVICE", "BEFORE", "AFTER")
        table.add_column("MOVES", justify="right")
        table.add_column("STAGE", no_wrap=True)
        table.add_column("WHY", overflow="fold")
        for plan in shown:
            moves = plan["moves"]
            table.add_row(
                plan["name"],
                counts(plan["before"]),
                counts(plan["after"]) if moves else "",
                str(moves) if moves else "",
                coloured(plan["stage"]),
                escape(plan["hindrance"] if plan["stage"] != "moving" else ""),
            )
        parts.append(table)
    if even or not shown:
        one = "1 service is" if even == 1 else f"{even} services are"
        parts.append(Text(f"{one} spread evenly."))
    return Group(*parts)


def counts(held: Mapping[str, int]) -> str:
    """Tasks on each node from the fullest: `3/2/2`; of many nodes `66x5`: 66 have five each."""
    if len(held) <= _NODES_SHOWN:
        return "/".join(str(count) for count in sorted(held.values(), reverse=True))
    kinds = sorted(Counter(held.values()).items(), reverse=True)
    return ", ".join(f"{times}x{count}" for count, times in kinds)


def remaining(row: Row) -> RenderableType:
    """The tasks that are still on a leaving node."""
    table = made("TASK", "STATE", "HOW", "")
    for task in row["tasks"]:
        still = "replaced" if task["replaced"] else "" if task["is_wanted"] else "stopping"
        table.add_row(task["name"], task["state"], task["manner"], still)
    return table
