"""`spotswarm init`: create the secrets for a new cluster."""

from typing import Annotated

import typer

from cli.founding.location import (
    AGENT_FILE,
    InDirectory,
    InSsm,
    open_store,
    print_user_data,
    translated_errors,
)
from cli.founding.secrets import create, user_data_text
from cli.terminal.exits import Exit, fail, say
from cli.terminal.options import AsJson
from runtime import clock
from wire.cluster_secrets import CA_KEY, LEADER, OPERATOR


def init(
    cluster: Annotated[str, typer.Option(help="The cluster's name (a-z, 0-9 and hyphens).")],
    address: Annotated[
        list[str] | None, typer.Option(help="The leader's IP address, such as its Elastic IP.")
    ] = None,
    name: Annotated[list[str] | None, typer.Option(help="The leader's DNS name.")] = None,
    port: Annotated[int, typer.Option(help="The broker's port.")] = 6380,
    days: Annotated[
        int, typer.Option(help="How many days the broker's certificate is valid for.")
    ] = 825,
    directory: InDirectory = None,
    ssm: InSsm = None,
    as_json: AsJson = False,
) -> None:
    """Create a new cluster's secrets and print the user data for its workers."""
    if not (address or name):
        fail(
            Exit.USAGE,
            "agents need an address or a DNS name to reach the leader",
            next_step="add --address or --name",
        )
    store = open_store(directory, ssm)
    with translated_errors():
        if store.read(LEADER) or store.read(OPERATOR):
            fail(
                Exit.USAGE,
                f"{store.place} already contains a cluster's secrets",
                next_step="run `spotswarm user-data` to print the cluster's user data; new secrets"
                " would lock out every instance",
            )
        try:
            created = create(
                cluster=cluster,
                names=name or [],
                addresses=address or [],
                port=port,
                days=days,
                at=clock.now(),
            )
            text = user_data_text(created.agent)
        except ValueError as exc:
            fail(
                Exit.USAGE,
                str(exc),
                next_step="run `spotswarm init --help` to see the valid options",
            )
        store.write(LEADER, created.leader.to_files())
        store.write(OPERATOR, {CA_KEY: created.ca_key, AGENT_FILE: text})
    say(
        f"The cluster's secrets are in {store.place}."
        f" Managers must be able to read the secrets in /{LEADER}."
    )
    say(f"Do not let managers read the secrets in /{OPERATOR}, which include the CA's private key.")
    say("This is the user data for spot workers:")
    say("To print the user data for managers, run `spotswarm user-data --role manager`.")
    print_user_data(text, store, as_json=as_json)
