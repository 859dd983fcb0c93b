"""`spotswarm leaving`: the nodes that are on their way out, or back."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.markup import escape
from rich.text import Text

from cli.cluster.view import Watch, show
from cli.edges.admin import get
from cli.terminal.options import AsJson
from cli.terminal.tables import coloured, new_table, short_host


def leaving(as_json: AsJson = False, watch: Watch = False) -> None:
    """List nodes that are leaving, hinted, drained or returning, and what each waits for."""
    show("leaving", table, as_json=as_json, watch=watch)


def table(rows: Sequence[Mapping[str, Any]]) -> RenderableType:
    """One line per node: why it leaves, how long it has left and what it waits for."""
    if not rows:
        return Text("no node is leaving, hinted, drained or returning")
    leaving_table = new_table("HOSTNAME", "STAGE", "WHY", "THEN")
    leaving_table.add_column("LEFT", justify="right", no_wrap=True)
    leaving_table.add_column("TASKS", justify="right", no_wrap=True)
    leaving_table.add_column("WAITS FOR", overflow="fold")
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
    """The row of one node; None if it is not on its way out. See `nodes.is_member`."""
    rows = get("leaving", on_error=on_error)
    return next((dict(row) for row in rows if row["node"] == node), None)
