"""`spotswarm joins`: the requests to join, and how each was answered."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.markup import escape

from cli.cluster.view import Watch, show
from cli.terminal.options import AsJson
from cli.terminal.tables import clock_time, coloured, new_table


def joins(as_json: AsJson = False, watch: Watch = False) -> None:
    """List requests to join and their answers, newest first."""
    show("joins", table, as_json=as_json, watch=watch)


def table(rows: Sequence[Mapping[str, Any]]) -> RenderableType:
    """One line per request, newest first, with the reason for its answer."""
    joins_table = new_table("TIME", "INSTANCE", "ROLE", "ANSWER")
    joins_table.add_column("REASON", overflow="fold")
    for row in rows:
        joins_table.add_row(
            clock_time(row["at"]),
            row["instance"] or "not proven",
            row["role"] or "-",
            coloured(row["answer"], row["code"] or row["answer"]),
            escape(row["reason"]),
        )
    return joins_table
