"""Options, arguments and JSON output that several subcommands share."""

import json
from typing import Annotated, Any

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
IsDryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what would be done without doing it.")
]
NoWait = Annotated[
    bool, typer.Option("--no-wait", help="Exit as soon as the leader accepts the request.")
]


def check_name(name: str) -> str:
    """Return the name, or reject one that cannot be the name of anything.

    Raises:
        typer.BadParameter: if the name is empty, blank, or a path's `.` or `..`.
    """
    if name.strip() in {"", ".", ".."}:
        raise typer.BadParameter(
            f"{name!r} is not a name; run `spotswarm nodes` to list the nodes, and write a node's"
            " host name, node id, instance id or address"
        )
    return name


NodeName = Annotated[
    str,
    typer.Argument(
        metavar="NODE",
        help="The node's host name, node id, instance id or address.",
        callback=check_name,
    ),
]


def print_json(answer: Any, as_json: bool) -> None:
    """Print a response as JSON if `as_json` is true; otherwise, do nothing."""
    if as_json:
        print(json.dumps(answer, indent=2), flush=True)
