"""`spotswarm nodes`: list the swarm's nodes and the instances they run on."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import RenderableType

from cli.cluster.view import Watch, show
from cli.edges.admin import get
from cli.terminal.options import AsJson
from cli.terminal.tables import coloured, new_table, short_host

_HOST_COLUMNS: Final = 21
"""Longer host names are wrapped to keep the table within 100 columns."""


def nodes(as_json: AsJson = False, watch: Watch = False) -> None:
    """List the swarm's nodes and their instances. An asterisk (*) marks the Raft leader."""
    show("nodes", table, as_json=as_json, watch=watch)


def table(rows: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Return a table with one row per node.

    The AVAIL column also shows the node's phase, such as `leaving`.
    """
    nodes_table = new_table(padding=1)
    hosts = [f"{short_host(row['hostname'])}{' *' if row['leader'] else ''}" for row in rows]
    is_long = any(len(host) > _HOST_COLUMNS for host in hosts)
    nodes_table.add_column("HOSTNAME", overflow="fold", no_wrap=not is_long)
    for column in ("ROLE", "STATUS", "AVAIL", "INSTANCE", "LIFECYCLE", "ZONE"):
        nodes_table.add_column(column, overflow="fold", no_wrap=column != "AVAIL")
    for host, row in zip(hosts, rows, strict=True):
        availability = coloured(row["availability"])
        if row.get("phase"):
            availability.append(" ").append(coloured(row["phase"]))
        nodes_table.add_row(
            host,
            row["role"],
            coloured(row["status"]),
            availability,
            row["instance"] or "-",
            row["lifecycle"] or "-",
            row["zone"] or "-",
        )
    return nodes_table


def is_member(node: str, *, on_error: str) -> bool:
    """Return whether the swarm still has a node with this id.

    If the request fails, `on_error` is prepended to the error's `next_step`.
    """
    return any(row["node"] == node for row in get("nodes", on_error=on_error))
