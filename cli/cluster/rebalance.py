"""`spotswarm rebalance`: spread services evenly across nodes, and show the progress.

Rule: the leader does all the work. If the command is interrupted, it prints a message saying
that rebalancing continues.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import typer
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.text import Text

from cli.edges.admin import post
from cli.terminal.exits import Exit, fail
from cli.terminal.live import POLL_SECONDS, keeps_running, progress_bar
from cli.terminal.options import AsJson, IsDryRun, NoWait, print_json
from cli.terminal.tables import coloured, console, new_table

Plan = Mapping[str, Any]
_NODES_SHOWN: Final = 6
_UNDER_WAY: Final = frozenset({"asked", "moving"})


def rebalance(
    services: Annotated[
        list[str] | None,
        typer.Argument(metavar="SERVICE...", help="Services to rebalance. Default: all services."),
    ] = None,
    dry_run: IsDryRun = False,
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """Spread services evenly across nodes, moving as few tasks as possible.

    The exit code is 6 if a service could not be spread evenly.
    """
    answer = post("rebalance", {"services": services or [], "dry_run": dry_run})
    out = console()
    if not as_json:
        out.print(plan_table(answer["plans"]))
        if answer["waits_for"] and any(plan["moves"] for plan in answer["plans"]):
            out.print(escape(answer["waits_for"]))
    if not answer["accepted"] or no_wait:
        print_json(answer, as_json)
        return
    goes_on = "rebalancing continues; run `spotswarm rebalance --dry-run` to see its progress"
    queued = [plan["service"] for plan in answer["plans"] if plan["stage"] == "asked"]
    with keeps_running(goes_on):
        plans = _follow(queued, out, is_quiet=as_json, on_error=f"{goes_on}; ")
    print_json(answer | {"outcome": plans}, as_json)
    if uneven := [plan for plan in plans if plan["stage"] != "even"]:
        fail(
            Exit.INCOMPLETE,
            "; ".join(
                f"{plan['name']} is {plan['stage']}: {plan['hindrance']}".rstrip(": ")
                for plan in uneven
            ),
            next_step=f"run `spotswarm explain {uneven[0]['name']}` to see what was tried",
        )


def plan_table(plans: Sequence[Plan]) -> RenderableType:
    """Return a table with one row per service that is not spread evenly.

    Services that are spread evenly are counted but not listed.
    """
    shown = [plan for plan in plans if plan["stage"] != "even"]
    even = len(plans) - len(shown)
    parts: list[RenderableType] = []
    if shown:
        table = new_table("SERVICE", "BEFORE", "AFTER")
        table.add_column("MOVES", justify="right")
        table.add_column("STAGE", no_wrap=True)
        table.add_column("WHY", overflow="fold")
        for plan in shown:
            moves = plan["moves"]
            table.add_row(
                plan["name"],
                tasks_per_node(plan["before"]),
                tasks_per_node(plan["after"]) if moves else "",
                str(moves) if moves else "",
                coloured(plan["stage"]),
                escape(plan["hindrance"] if plan["stage"] != "moving" else ""),
            )
        parts.append(table)
    if even or not shown:
        subject = "1 service is" if even == 1 else f"{even} services are"
        parts.append(Text(f"{subject} spread evenly."))
    return Group(*parts)


def tasks_per_node(tasks: Mapping[str, int]) -> str:
    """Return each node's task count as text, largest first, such as `3/2/2`.

    With many nodes, equal counts are grouped: `66x5` means 66 nodes with five tasks each.
    """
    if len(tasks) <= _NODES_SHOWN:
        return "/".join(str(count) for count in sorted(tasks.values(), reverse=True))
    by_count = sorted(Counter(tasks.values()).items(), reverse=True)
    return ", ".join(f"{nodes}x{count}" for count, nodes in by_count)


def _follow(
    services: list[str], out: Console, *, is_quiet: bool, on_error: str
) -> list[dict[str, Any]]:
    """Wait until the leader has finished rebalancing these services, and return their plans."""
    stages: dict[str, str] = {}
    with progress_bar(out, is_quiet=is_quiet) as (bar, live):
        line = bar.add_task("services", total=len(services), stage="", waits="")
        while True:
            body = {"services": services, "dry_run": True}
            answer = post("rebalance", body, on_error=on_error)
            for plan in answer["plans"]:
                if stages.get(plan["service"]) != plan["stage"] and not is_quiet:
                    live.console.print(escape(_news(plan)))
                stages[plan["service"]] = plan["stage"]
            under_way = [plan for plan in answer["plans"] if plan["stage"] in _UNDER_WAY]
            if not under_way:
                return list(answer["plans"])
            moving = [plan["name"] for plan in under_way if plan["stage"] == "moving"]
            bar.update(
                line,
                completed=len(services) - len(under_way),
                stage=f"moving {', '.join(moving)}" if moving else "",
                waits=escape(answer["waits_for"]),
            )
            live.update(bar, refresh=True)
            time.sleep(POLL_SECONDS)


def _news(plan: Plan) -> str:
    match plan["stage"]:
        case "asked":
            return f"{plan['name']} is queued: {plan['moves']} of its tasks will move"
        case "moving":
            return f"{plan['name']} is being rebalanced"
        case "even":
            return f"{plan['name']} is spread evenly: {tasks_per_node(plan['before'])}"
        case "left alone":
            return f"{plan['name']} is left alone: {plan['hindrance']}"
    return f"{plan['name']} is unchanged: {tasks_per_node(plan['before'])}"
