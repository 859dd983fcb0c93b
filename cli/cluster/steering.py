"""`spotswarm drain | return`: ask the leader, show its plan, follow until it is done.

Rule: the leader does it all. Ending a command undoes nothing, and it says so.
"""

import time
from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.console import Console, Group
from rich.markup import escape

from cli.cluster import plans
from cli.cluster.following import Following, Outcome
from cli.edges.admin import ask, tell
from cli.terminal import tables
from cli.terminal.durations import seconds
from cli.terminal.exits import Exit, fail
from cli.terminal.live import LOOK_SECONDS, AsJson, IsDry, NoWait, bar, leaving_it_going, print_json

NodeName = Annotated[str, typer.Argument(metavar="NODE", help="Host name, node id, instance id.")]


def drain(
    node: NodeName,
    deadline: Annotated[
        str | None, typer.Option(help="How long it may take: 90s, 2m. Default: drain_seconds.")
    ] = None,
    dry_run: IsDry = False,
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """Empty a node and keep it empty: tasks start elsewhere before they stop here.

    Ends with 6 if tasks were cut off, with 7 if the leader refuses.
    """
    body: dict[str, Any] = {"dry_run": dry_run}
    if deadline is not None:
        try:
            body["within"] = seconds(deadline)
        except ValueError as exc:
            fail(Exit.USAGE, str(exc))
    told = tell(f"drain/{quote(node, safe='')}", body)
    console = tables.console()
    if not as_json:
        console.print(plans.drain(told["plan"]))
    if not told["accepted"] or no_wait:
        print_json(told, as_json)
        return
    host = tables.host(told["plan"]["hostname"])
    goes_on = f"the drain of {host} goes on: spotswarm leaving --watch follows it"
    with leaving_it_going(f"{goes_on}; spotswarm return {host} undoes it"):
        following = Following(told["plan"])
        _follow_drain(following, host, console, is_quiet=as_json, aside=f"{goes_on}; ")
    outcome = following.outcome
    print_json(told | {"outcome": following.told()}, as_json)
    if not as_json:
        console.print(escape(_drained(outcome, host)))
    if not outcome.is_clean:
        raise typer.Exit(int(Exit.INCOMPLETE))


def give_back(
    node: NodeName, dry_run: IsDry = False, no_wait: NoWait = False, as_json: AsJson = False
) -> None:
    """Let a drained, leaving or hinted node take tasks again."""
    told = tell(f"return/{quote(node, safe='')}", {"dry_run": dry_run})
    plan = told["plan"]
    console, host = tables.console(), tables.host(plan["hostname"])
    if not as_json:
        console.print(plans.give_back(plan))
    if not told["accepted"] or no_wait:
        print_json(told, as_json)
        return
    goes_on = f"{host} goes on returning: spotswarm leaving --watch follows it"
    with leaving_it_going(goes_on):
        stage = _follow_return(plan["node"], console, is_quiet=as_json, aside=f"{goes_on}; ")
    print_json(told | {"outcome": {"state": stage}}, as_json)
    if stage != "active":
        fail(
            Exit.INCOMPLETE,
            f"{host} takes no tasks: it is {stage} again" if stage else f"{host} is no node now",
            next_step=f"spotswarm explain {host}",
        )
    if not as_json:
        console.print(f"{host} takes tasks again")


def _follow_drain(
    following: Following, host: str, console: Console, *, is_quiet: bool, aside: str
) -> None:
    with bar(console, is_quiet=is_quiet) as (progress, live):
        shown = progress.add_task(host, total=None, stage="", waits="")
        while True:
            row = _row(following.node, aside)
            is_member = row is not None or _is_member(following.node, aside)
            for line in following.saw(row, is_member=is_member):
                if not is_quiet:
                    live.console.print(escape(line))
            if following.is_over:
                return
            if row is not None:
                left = row["seconds_left"]
                progress.update(
                    shown,
                    total=following.total,
                    completed=following.gone,
                    stage=row["stage"] + ("" if left is None else f", {left:.0f} s left"),
                    waits=escape(f"waits for {row['waits_for']}"),
                )
                live.update(Group(progress, plans.remaining(row)), refresh=True)
            time.sleep(LOOK_SECONDS)


def _follow_return(node: str, console: Console, *, is_quiet: bool, aside: str) -> str:
    """The phase it ends in: `active`; empty if it is no node any more."""
    shown = ""
    while True:
        row = _row(node, aside)
        if row is None:
            return "active" if _is_member(node, aside) else ""
        if row["stage"] != "returning":
            return str(row["stage"])
        if row["waits_for"] != shown and not is_quiet:
            shown = row["waits_for"]
            console.print(escape(f"waits for {shown}"))
        time.sleep(LOOK_SECONDS)


def _row(node: str, aside: str) -> dict[str, Any] | None:
    rows = ask("leaving", aside=aside)
    return next((dict(row) for row in rows if row["node"] == node), None)


def _is_member(node: str, aside: str) -> bool:
    return any(row["node"] == node for row in ask("nodes", aside=aside))


def _drained(outcome: Outcome, host: str) -> str:
    """The end of the story, in a few sentences."""
    ends = {
        "drained": f"{host} is drained, and stays so: spotswarm return {host} takes it back",
        "left": f"{host} has left the swarm",
        "returned": f"{host} was taken back before it was empty",
    }
    lines = [ends[outcome.state]]
    parts: list[tuple[str, Callable[[Outcome], list[str]]]] = [
        ("moved", lambda one: one.moved),
        ("stopped by Swarm's drain", lambda one: one.stopped_first),
        ("ended", lambda one: one.ended),
    ]
    counted = [f"{len(names(outcome))} {what}" for what, names in parts if names(outcome)]
    if counted:
        lines.append(f"tasks: {', '.join(counted)}")
    if outcome.without_health_check:
        names = ", ".join(outcome.without_health_check)
        lines.append(f"no health check: {names}; Swarm calls tasks up when the process starts")
    if outcome.not_moved:
        lines.append(f"stopped before another was up: {', '.join(outcome.not_moved)}")
    if outcome.cut_off:
        lines.append(f"cut off: {', '.join(outcome.cut_off)}")
    return "\n".join(lines)
