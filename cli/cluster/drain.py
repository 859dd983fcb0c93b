"""`spotswarm drain`: drain a node and show the progress until the drain ends.

Rule: the leader does all the work. If the command is interrupted, it prints a message saying
that the drain continues.
"""

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final
from urllib.parse import quote

import typer
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.text import Text

from cli.cluster import leaving, nodes
from cli.edges.admin import post
from cli.progress.drain import DrainProgress, Outcome
from cli.terminal.durations import seconds
from cli.terminal.exits import Exit, fail
from cli.terminal.live import POLL_SECONDS, keeps_running, progress_bar
from cli.terminal.options import AsJson, IsDryRun, NodeName, NoWait, print_json
from cli.terminal.tables import coloured, console, new_table, short_host, warnings

_PLANNED: Final = {"runs-on": "keeps running"}
"""Fates whose text in the table differs from the JSON."""


def drain(
    node: NodeName,
    deadline: Annotated[
        str | None,
        typer.Option(
            help="Time allowed for the drain, such as 90s or 2m. The default is the drain_seconds"
            " setting."
        ),
    ] = None,
    dry_run: IsDryRun = False,
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """Empty a node and keep it empty.

    Where possible, replacement tasks start on other nodes before the node's tasks stop. The exit
    code is 6 if a task runs out of time or the drain is undone, and 7 if the leader rejects the
    request.
    """
    body: dict[str, Any] = {"dry_run": dry_run}
    if deadline is not None:
        try:
            body["within"] = seconds(deadline)
        except ValueError as exc:
            fail(Exit.USAGE, str(exc))
    answer = post(f"drain/{quote(node, safe='')}", body)
    out = console()
    if not as_json:
        out.print(plan_table(answer["plan"]))
    if not answer["accepted"] or no_wait:
        print_json(answer, as_json)
        return
    host = short_host(answer["plan"]["hostname"])
    goes_on = f"the drain of {host} continues; run `spotswarm leaving --watch` to follow it"
    with keeps_running(f"{goes_on}, or `spotswarm return {host}` to undo it"):
        progress = DrainProgress(answer["plan"])
        _follow(progress, host, out, is_quiet=as_json, on_error=f"{goes_on}; ")
    print_json(answer | {"outcome": progress.as_json()}, as_json)
    if not as_json:
        out.print(escape(_summary(progress.outcome, host)))
    if not progress.outcome.is_clean:
        raise typer.Exit(int(Exit.INCOMPLETE))


def plan_table(plan: Mapping[str, Any]) -> RenderableType:
    """Return the plan for display: the node, its deadline, and what will happen to each task."""
    deadline = datetime.fromisoformat(plan["deadline"]).strftime("%H:%M:%S")
    instance = plan["instance"] or plan["node"]
    parts: list[RenderableType] = [
        Text(f"{short_host(plan['hostname'])} ({instance}) will be empty by {deadline} UTC.")
    ]
    if plan["is_demoted"]:
        parts.append(Text("The node is a manager and will be made a worker first."))
    if plan["tasks"]:
        table = new_table("TASK", "STATE", "PLAN")
        table.add_column("HOW", overflow="fold")
        for task in plan["tasks"]:
            fate = _PLANNED.get(task["fate"], task["fate"])
            table.add_row(
                task["name"], task["state"], coloured(task["fate"], fate), escape(task["why"])
            )
        parts.append(table)
    else:
        parts.append(Text("No tasks are running on the node."))
    return Group(*parts, *warnings(plan))


def remaining_tasks(row: Mapping[str, Any]) -> RenderableType:
    """Return a table of the tasks that are still on a leaving node."""
    table = new_table("TASK", "STATE", "HOW", "")
    for task in row["tasks"]:
        note = "replaced" if task["replaced"] else "" if task["is_wanted"] else "stopping"
        table.add_row(task["name"], task["state"], task["manner"], note)
    return table


def _follow(
    progress: DrainProgress, host: str, out: Console, *, is_quiet: bool, on_error: str
) -> None:
    with progress_bar(out, is_quiet=is_quiet) as (bar, live):
        line = bar.add_task(host, total=None, stage="", waits="")
        while True:
            row = leaving.row_of(progress.node, on_error=on_error)
            is_member = row is not None or nodes.is_member(progress.node, on_error=on_error)
            for sentence in progress.update(row, is_member=is_member):
                if not is_quiet:
                    live.console.print(escape(sentence))
            if progress.is_over:
                return
            if row is not None:
                left = row["seconds_left"]
                bar.update(
                    line,
                    total=progress.total,
                    completed=progress.gone,
                    stage=row["stage"] + ("" if left is None else f", {left:.0f} s left"),
                    waits=escape(f"waiting for {row['waits_for']}"),
                )
                live.update(Group(bar, remaining_tasks(row)), refresh=True)
            time.sleep(POLL_SECONDS)


def _summary(outcome: Outcome, host: str) -> str:
    """Return a short summary of the drain's outcome."""
    endings = {
        "drained": f"{host} is drained and will stay empty until you run `spotswarm return {host}`",
        "left": f"{host} has left the swarm",
        "returned": f"{host} was returned to the swarm before it was empty",
    }
    lines = [endings[outcome.state]]
    counts = (
        (len(outcome.moved), "moved"),
        (len(outcome.stopped_first), "stopped by Swarm's drain"),
        (len(outcome.ended), "finished"),
    )
    if counted := [f"{count} {verb}" for count, verb in counts if count]:
        lines.append(f"tasks: {', '.join(counted)}")
    if outcome.without_health_check:
        names = ", ".join(outcome.without_health_check)
        lines.append(
            f"services without a health check: {names}; Swarm treats a task of such a service as up"
            " as soon as its process starts"
        )
    if outcome.not_moved:
        lines.append(f"stopped before a replacement was up: {', '.join(outcome.not_moved)}")
    if outcome.still_running:
        names = ", ".join(outcome.still_running)
        lines.append(f"still running: {names}; Swarm does not stop jobs on a drained node")
    if outcome.cut_off:
        lines.append(f"cut off while still running: {', '.join(outcome.cut_off)}")
    return "\n".join(lines)
