"""Where a cluster's secrets are: the options `--directory` and `--ssm`, and the store they mean."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer

from cli.edges.stores import Directory, Parameters, Store
from cli.terminal.exits import Exit, fail
from runtime.errors import ClusterError
from wire.cluster_secrets import LEADER

AGENT_FILE: Final = "agent.toml"
"""The operator's file with the user data of every agent."""

InDirectory = Annotated[
    Path | None,
    typer.Option("--directory", help="The secrets are files in this directory (mode 0600)."),
]
InSsm = Annotated[
    str | None, typer.Option("--ssm", help="The secrets are SSM SecureStrings below this prefix.")
]


def open_store(directory: Path | None, ssm: str | None) -> Store:
    """The store that the options name; ends the command unless they name exactly one."""
    if (directory is None) == (ssm is None):
        fail(
            Exit.USAGE,
            "it is not clear where the secrets are",
            next_step="give either --directory or --ssm",
        )
    if directory is not None:
        return Directory(directory)
    with translated_errors():
        return Parameters(ssm or "")


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turn an error of the store into a sentence and an exit code."""
    try:
        yield
    except ClusterError as exc:
        fail(
            Exit.UNREACHABLE,
            str(exc),
            next_step="check the AWS region, the credentials and their policy",
        )


def print_user_data(text: str, store: Store, *, as_json: bool) -> None:
    """Print user data, with the place of the leader's secrets if it is for a script."""
    if as_json:
        print(json.dumps({"user_data": text, "secrets": f"{store.place}/{LEADER}"}))
    else:
        print(text, end="")
