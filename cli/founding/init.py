"""`spotswarm init`: create the secrets of a new cluster."""

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
    cluster: Annotated[str, typer.Option(help="The cluster's name: a-z, 0-9 and dashes.")],
    address: Annotated[
        list[str] | None, typer.Option(help="An address of the leader, such as its Elastic IP.")
    ] = None,
    name: Annotated[list[str] | None, typer.Option(help="A DNS name of the leader.")] = None,
    port: Annotated[int, typer.Option(help="The broker's port.")] = 6380,
    days: Annotated[int, typer.Option(help="Validity of the broker's certificate, in days.")] = 825,
    directory: InDirectory = None,
    ssm: InSsm = None,
    as_json: AsJson = False,
) -> None:
    """Create the secrets of a new cluster, and print the user data of its workers."""
    if not (address or name):
        fail(
            Exit.USAGE,
            "agents need an address of the leader",
            next_step="give --address or --name",
        )
    store = open_store(directory, ssm)
    with translated_errors():
        if store.read(LEADER) or store.read(OPERATOR):
            fail(
                Exit.USAGE,
                f"{store.place} already has the secrets of a cluster",
                next_step="print its user data with `spotswarm user-data`; new secrets would lock"
                " every instance out",
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
            fail(Exit.USAGE, str(exc), next_step="correct the options: spotswarm init --help")
        store.write(LEADER, created.leader.to_files())
        store.write(OPERATOR, {CA_KEY: created.ca_key, AGENT_FILE: text})
    say(f"The cluster's secrets are in {store.place}. Managers need the part below /{LEADER};")
    say(f"do not let their role read /{OPERATOR}, which has the CA's key.")
    say("The user data of spot workers follows; for managers: spotswarm user-data --role manager")
    print_user_data(text, store, as_json=as_json)
