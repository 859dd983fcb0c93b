"""`spotswarm return`: let a node take tasks again and wait until it can.

Rule: the leader does all the work. If the command is interrupted, it prints a message saying
that the return continues.
"""

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.text import Text

from cli.cluster import leaving, nodes
from cli.edges.admin import post
from cli.terminal.exits import Exit, fail
from cli.terminal.live import POLL_SECONDS, keeps_running
from cli.terminal.options import AsJson, IsDryRun, NodeName, NoWait, print_json
from cli.terminal.tables import console, short_host, warnings


def return_node(
    node: NodeName, dry_run: IsDryRun = False, no_wait: NoWait = False, as_json: AsJson = False
) -> None:
    """Let a node take tasks again.

    The node must be leaving or drained, or have a rebalance recommendation from AWS.
    """
    answer = post(f"return/{quote(node, safe='')}", {"dry_run": dry_run})
    plan = answer["plan"]
    out, host = console(), short_host(plan["hostname"])
    if not as_json:
        out.print(plan_text(plan))
    if not answer["accepted"] or no_wait:
        print_json(answer, as_json)
        return
    goes_on = f"the return of {host} continues; run `spotswarm leaving --watch` to follow it"
    with keeps_running(goes_on):
        stage = _follow(plan["node"], out, is_quiet=as_json, on_error=f"{goes_on}; ")
    print_json(answer | {"outcome": {"state": stage}}, as_json)
    if stage != "active":
        fail(
            Exit.INCOMPLETE,
            f"{host} cannot take tasks because it is {stage} again"
            if stage
            else f"{host} has left the swarm",
            next_step=f"run `spotswarm explain {host}` to see why",
        )
    if not as_json:
        out.print(f"{host} can take tasks again")


def plan_text(plan: Mapping[str, Any]) -> RenderableType:
    """Return the plan for display: the node, and what must happen before it takes tasks again."""
    steps = []
    if plan["is_promoted"]:
        steps.append("the node becomes a manager again")
    if plan["held_by"]:
        services = ", ".join(plan["held_by"])
        steps.append(f"the constraint that keeps {services} off the node is removed")
    before = f". Before that, {', and '.join(steps)}." if steps else ""
    return Group(
        Text(f"{short_host(plan['hostname'])} ({plan['phase']}) will take tasks again{before}"),
        *warnings(plan),
    )


def _follow(node: str, out: Console, *, is_quiet: bool, on_error: str) -> str:
    """Wait until the node is no longer returning, and return its final stage.

    The stage is `active` if the node takes tasks again. The result is empty if the node has left
    the swarm.
    """
    shown = ""
    while True:
        row = leaving.row_of(node, on_error=on_error)
        if row is None:
            return "active" if nodes.is_member(node, on_error=on_error) else ""
        if row["stage"] != "returning":
            return str(row["stage"])
        if row["waits_for"] != shown and not is_quiet:
            shown = row["waits_for"]
            out.print(escape(f"waiting for {shown}"))
        time.sleep(POLL_SECONDS)
