"""`spotswarm joins`: list requests to join the swarm, with their results."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.markup import escape

from cli.cluster.view import Watch, show
from cli.terminal.options import AsJson
from cli.terminal.tables import clock_time, coloured, new_table


def joins(as_json: AsJson = False, watch: Watch = False) -> None:
    """List requests to join the swarm and their results, newest first."""
    show("joins", table, as_json=as_json, watch=watch)


def table(rows: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Return a table of requests, newest first, with each result and the reason for it."""
    joins_table = new_table("TIME", "INSTANCE", "ROLE", "RESULT")
    joins_table.add_column("REASON", overflow="fold")
    for row in rows:
        joins_table.add_row(
            clock_time(row["at"]),
            row["instance"] or "unverified",
            row["role"] or "-",
            coloured(row["answer"], row["code"] or row["answer"]),
            escape(row["reason"]),
        )
    return joins_table
