"""Options and arguments that several subcommands take, and JSON output."""

import json
from typing import Annotated, Any

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
IsDryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what would be done, without doing it.")
]
NoWait = Annotated[
    bool, typer.Option("--no-wait", help="Return as soon as the leader has accepted.")
]
NodeName = Annotated[
    str, typer.Argument(metavar="NODE", help="Host name, node id, instance id or address.")
]


def print_json(answer: Any, as_json: bool) -> None:
    """Print the JSON document if the command was asked for JSON."""
    if as_json:
        print(json.dumps(answer, indent=2), flush=True)
