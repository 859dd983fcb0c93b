"""`spotswarm init`: create the secrets for a new cluster."""

from typing import Annotated

import typer

from cli.edges.stores import Store
from cli.founding.leftovers import Founding, leftovers
from cli.founding.location import (
    AGENT_FILE,
    InDirectory,
    InSsm,
    open_store,
    print_user_data,
    translated_errors,
)
from cli.founding.secrets import NewCluster, create, user_data_text
from cli.terminal.exits import Exit, fail, say
from cli.terminal.options import AsJson
from runtime import clock
from runtime.errors import ClusterError
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
        left = leftovers(store.read(LEADER), store.read(OPERATOR))
        _refuse_founded(left.founding, store.place)
        try:
            created = create(
                cluster=cluster,
                names=name or [],
                addresses=address or [],
                port=port,
                days=days,
                at=clock.now(),
                ca_key=left.ca_key,
            )
            text = user_data_text(created.agent)
        except ValueError as exc:
            fail(
                Exit.USAGE,
                str(exc),
                next_step="run `spotswarm init --help` to see the valid options",
            )
    _write(store, created, text, replace=left.founding is Founding.INTERRUPTED)
    say(
        f"The cluster's secrets are in {store.place}."
        f" Managers must be able to read the secrets in /{LEADER}."
    )
    say(f"Do not let managers read the secrets in /{OPERATOR}, which include the CA's private key.")
    say("This is the user data for spot workers:")
    say("To print the user data for managers, run `spotswarm user-data --role manager`.")
    print_user_data(text, store, as_json=as_json)


def _refuse_founded(founding: Founding, place: str) -> None:
    if founding is Founding.COMPLETE:
        fail(
            Exit.USAGE,
            f"{place} already contains a cluster's secrets",
            next_step="run `spotswarm user-data` to print the cluster's user data; new secrets"
            " would lock out every instance",
        )
    if founding is Founding.WITHOUT_OPERATOR:
        fail(
            Exit.USAGE,
            f"{place} already contains a cluster's secrets, but not those in /{OPERATOR}",
            next_step=f"restore /{OPERATOR} from your copy; if no instance uses these secrets,"
            f" delete /{LEADER} there and run this command again",
        )


def _write(store: Store, created: NewCluster, text: str, *, replace: bool) -> None:
    """Write the secrets, the leader's last: see `cli.founding.leftovers`."""
    operator = {CA_KEY: created.ca_key, AGENT_FILE: text}
    try:
        store.write(OPERATOR, operator, replace=replace)
        store.write(LEADER, created.leader.to_files(), replace=replace)
    except ClusterError as exc:
        fail(
            Exit.UNREACHABLE,
            f"{exc}; {store.place} does not contain all secrets yet",
            next_step="correct this and run the same command again; it keeps the CA's key",
        )
