"""`spotswarm rebalance`: services spread out again with the fewest moves, and followed until then.

Rule: the leader does it all. Ending the command undoes nothing, and it says so.
"""

import time
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from cli.cluster import plans
from cli.edges.admin import tell
from cli.terminal import tables
from cli.terminal.exits import Exit, fail
from cli.terminal.live import LOOK_SECONDS, AsJson, IsDry, NoWait, bar, leaving_it_going, print_json


def rebalance(
    services: Annotated[
        list[str] | None, typer.Argument(metavar="SERVICE...", help="Which; all if none is named.")
    ] = None,
    dry_run: IsDry = False,
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """Spread services evenly with the fewest moves; ends with 6 if one could not be."""
    told = tell("rebalance", {"services": services or [], "dry_run": dry_run})
    console = tables.console()
    if not as_json:
        console.print(plans.spread(told["plans"]))
        if told["waits_for"] and any(plan["moves"] for plan in told["plans"]):
            console.print(escape(told["waits_for"]))
    if not told["accepted"] or no_wait:
        print_json(told, as_json)
        return
    goes_on = "spreading goes on: spotswarm rebalance --dry-run shows how far it is"
    asked = [plan["service"] for plan in told["plans"] if plan["stage"] == "asked"]
    with leaving_it_going(goes_on):
        ended = _follow_spread(asked, console, is_quiet=as_json, aside=f"{goes_on}; ")
    print_json(told | {"outcome": ended}, as_json)
    failed = [plan for plan in ended if plan["stage"] != "even"]
    if failed:
        fail(
            Exit.INCOMPLETE,
            "; ".join(
                f"{one['name']} is {one['stage']} {one['hindrance']}".strip() for one in failed
            ),
            next_step=f"spotswarm explain {failed[0]['name']} says what was tried",
        )


def _follow_spread(
    services: list[str], console: Console, *, is_quiet: bool, aside: str
) -> list[dict[str, Any]]:
    """The plans of these services when none of them is asked or moving any more."""
    stages: dict[str, str] = {}
    with bar(console, is_quiet=is_quiet) as (progress, live):
        shown = progress.add_task("services", total=len(services), stage="", waits="")
        while True:
            told = tell("rebalance", {"services": services, "dry_run": True}, aside=aside)
            for plan in told["plans"]:
                if stages.get(plan["service"]) != plan["stage"] and not is_quiet:
                    live.console.print(escape(_spread_news(plan)))
                stages[plan["service"]] = plan["stage"]
            under_way = [plan for plan in told["plans"] if plan["stage"] in {"asked", "moving"}]
            if not under_way:
                return list(told["plans"])
            moving = [plan["name"] for plan in under_way if plan["stage"] == "moving"]
            progress.update(
                shown,
                completed=len(services) - len(under_way),
                stage=f"moving {', '.join(moving)}" if moving else "",
                waits=escape(told["waits_for"]),
            )
            live.update(progress, refresh=True)
            time.sleep(LOOK_SECONDS)


def _spread_news(plan: Mapping[str, Any]) -> str:
    match plan["stage"]:
        case "asked":
            return f"{plan['name']} is to be spread: {plan['moves']} of its tasks move"
        case "moving":
            return f"{plan['name']} is being spread"
        case "even":
            return f"{plan['name']} is spread evenly: {plans.counts(plan['before'])}"
        case "left alone":
            return f"{plan['name']} is left alone: {plan['hindrance']}"
    return f"{plan['name']} is as it was: {plans.counts(plan['before'])}"
