"""`spotswarm leaving`: list nodes that are leaving, drained or returning."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.markup import escape
from rich.text import Text

from cli.cluster.view import Watch, show
from cli.edges.admin import get
from cli.terminal.live import POLL_SECONDS
from cli.terminal.options import AsJson
from cli.terminal.tables import coloured, new_table, short_host


def leaving(as_json: AsJson = False, watch: Watch = False) -> None:
    """List nodes that are leaving, drained or returning, and what each node is waiting for.

    Nodes with a rebalance recommendation from AWS are also listed.
    """
    show("leaving", table, as_json=as_json, watch=watch)


def table(rows: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Return a table with one row per node: its stage, the reason and the time left."""
    if not rows:
        return Text(
            "No nodes are leaving, drained or returning, and none has a rebalance recommendation."
        )
    leaving_table = new_table("HOSTNAME", "STAGE", "WHY", "THEN")
    leaving_table.add_column("LEFT", justify="right", no_wrap=True)
    leaving_table.add_column("TASKS", justify="right", no_wrap=True)
    leaving_table.add_column("WAITING FOR", overflow="fold")
    for row in rows:
        left = row["seconds_left"]
        leaving_table.add_row(
            short_host(row["hostname"]),
            coloured(row["stage"]),
            row["why"],
            row["then"],
            "-" if left is None else f"{left:.0f} s",
            str(len(row["tasks"])) if row["tasks_known"] else "?",
            escape(row["waits_for"]),
        )
    return leaving_table


def row_of(node: str, *, on_error: str) -> dict[str, Any] | None:
    """Return one node's row, or None if the node is not listed.

    Use `nodes.is_member` to find out whether an unlisted node is still in the swarm. A new leader
    lists no nodes at first, so that every node would seem to have left. This function waits until
    the leader lists the nodes.
    """
    while not get("nodes", on_error=on_error):
        time.sleep(POLL_SECONDS)
    rows = get("leaving", on_error=on_error)
    return next((dict(row) for row in rows if row["node"] == node), None)
