"""The `--directory` and `--ssm` options, which specify where a cluster's secrets are stored."""

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
"""The operator's file with the user data that all agents share."""

InDirectory = Annotated[
    Path | None,
    typer.Option(
        "--directory", help="Directory where the secrets are stored as files (mode 0600)."
    ),
]
InSsm = Annotated[
    str | None,
    typer.Option(
        "--ssm", help="The SSM prefix under which the secrets are stored as SecureStrings."
    ),
]


def open_store(directory: Path | None, ssm: str | None) -> Store:
    """Return the store that the option specifies.

    Exit with an error unless exactly one of `--directory` and `--ssm` is given.
    """
    if (directory is None) == (ssm is None):
        fail(
            Exit.USAGE,
            "the location of the secrets is missing or ambiguous",
            next_step="specify either --directory or --ssm",
        )
    if directory is not None:
        return Directory(directory)
    with translated_errors():
        return Parameters(ssm or "")


@contextmanager
def translated_errors() -> Iterator[None]:
    """If a store raises an error in the `with` block, print the error and exit with UNREACHABLE."""
    try:
        yield
    except ClusterError as exc:
        fail(
            Exit.UNREACHABLE,
            str(exc),
            next_step="check the AWS region, the credentials and the IAM policy",
        )


def print_user_data(text: str, store: Store, *, as_json: bool) -> None:
    """Print user data; the JSON output also contains the location of the leader's secrets."""
    if as_json:
        print(json.dumps({"user_data": text, "secrets": f"{store.place}/{LEADER}"}))
    else:
        print(text, end="")
