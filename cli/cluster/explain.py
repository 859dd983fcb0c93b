"""`spotswarm explain`: list all decisions about a node, instance or service, and the reasons."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.text import Text

from cli.cluster import joins, nodes, status
from cli.cluster.view import Watch, show
from cli.terminal.options import AsJson, check_name
from cli.terminal.tables import clock_time, coloured, new_table

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="A node's host name, node id, instance id or address, or a service's name.",
        callback=check_name,
    ),
]


def explain(node: Name, as_json: AsJson = False, watch: Watch = False) -> None:
    """Show every decision about a node, instance or service, with its reason and trigger."""
    show(f"explain/{quote(node, safe='')}", explanation, as_json=as_json, watch=watch)


def explanation(answer: Mapping[str, Any]) -> RenderableType:
    """Return tables that describe a node, instance or service.

    One of the tables lists all decisions, oldest first.
    """
    parts: list[RenderableType] = []
    if answer["nodes"]:
        parts.append(nodes.table(answer["nodes"]))
    if answer["instances"]:
        parts.append(_instances(answer["instances"]))
    if answer.get("notices"):
        parts.append(Text(f"AWS has announced: {status.notices(answer['notices'])}"))
    parts += [Text(f"The leader refuses: {row['reason']}") for row in answer.get("refusals", ())]
    parts += [Text(f"{sentence}.") for sentence in answer.get("outlook", ())]
    if answer["joins"]:
        parts.append(joins.table(list(reversed(answer["joins"]))))
    if answer["decisions"]:
        parts.append(_decisions(answer["decisions"]))
    if answer.get("service_changes"):
        parts.append(Text("Service changes made because of this node:"))
        parts.append(_decisions(answer["service_changes"]))
    return Group(*parts)


def _instances(rows: Sequence[Mapping[str, Any]]) -> RenderableType:
    table = new_table("INSTANCE", "STATE", "LIFECYCLE", "TYPE", "ADDRESS", "ROLE TAG")
    for row in rows:
        table.add_row(
            row["instance"],
            row["state"],
            row["lifecycle"],
            row["type"],
            row["address"],
            row["role"] or "-",
        )
    return table


def _decisions(rows: Sequence[Mapping[str, Any]]) -> RenderableType:
    table = new_table("TIME", "ACTION", "CAUSE", "OUTCOME")
    table.add_column("REASON", overflow="fold")
    for row in rows:
        table.add_row(
            clock_time(row["at"]),
            row["action"],
            row["cause"],
            coloured(row["outcome"], escape(row["outcome"])),
            escape(row["reason"]),
        )
    return table
