"""`spotswarm init` and `spotswarm user-data`: a cluster's secrets, and what instances are told."""

import json
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.edges.stores import Directory, Parameters, Store
from cli.founding.making import document, make
from cli.terminal.exits import Exit, fail, say
from runtime import clock
from runtime.errors import ClusterError
from wire.cluster_secrets import CA_KEY, LEADER, OPERATOR
from wire.messages import Role

_AGENT = "agent.toml"

ClusterName = Annotated[str, typer.Option(help="The cluster's name: a-z, 0-9 and dashes.")]
InDirectory = Annotated[
    Path | None, typer.Option("--directory", help="Keep the secrets in this directory (0600).")
]
InSsm = Annotated[
    str | None, typer.Option("--ssm", help="Keep them as SSM SecureStrings below this prefix.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


def init(
    cluster: ClusterName,
    address: Annotated[
        list[str] | None, typer.Option(help="An address of the leader, such as its Elastic IP.")
    ] = None,
    name: Annotated[list[str] | None, typer.Option(help="A DNS name of the leader.")] = None,
    port: Annotated[int, typer.Option(help="The broker's port.")] = 6380,
    days: Annotated[int, typer.Option(help="How long the broker's certificate is valid.")] = 825,
    directory: InDirectory = None,
    ssm: InSsm = None,
    as_json: AsJson = False,
) -> None:
    """Make a new cluster's secrets, and print the user data of its workers."""
    if not (address or name):
        fail(Exit.USAGE, "where is the leader?", next_step="give --address or --name")
    store = _store(directory, ssm)
    with _answered():
        if store.read(LEADER) or store.read(OPERATOR):
            fail(
                Exit.USAGE,
                f"{store.place} holds a cluster's secrets already",
                next_step="print its user data with `spotswarm user-data`; new secrets would"
                " lock every instance out",
            )
        try:
            made = make(
                cluster=cluster,
                names=name or [],
                addresses=address or [],
                port=port,
                days=days,
                at=clock.now(),
            )
            text = document(made.agent)
        except ValueError as exc:
            fail(Exit.USAGE, str(exc))
        store.write(LEADER, made.secrets.to_files())
        store.write(OPERATOR, {CA_KEY: made.ca_key, _AGENT: text})
    say(f"The cluster's secrets are in {store.place}. The leader's part is below /{LEADER};")
    say(f"keep /{OPERATOR}, with the CA's key, from the managers' role.")
    say("The user data of spot workers follows; managers': spotswarm user-data --role manager")
    _print(text, store, as_json)


def user_data(
    role: Annotated[Role, typer.Option(help="Whose user data.")],
    managers: Annotated[int, typer.Option(help="How many managers the cluster wants.")] = 3,
    elastic_ip: Annotated[
        str | None, typer.Option(help="Allocation id of the address the leader takes.")
    ] = None,
    queue: Annotated[
        str | None, typer.Option(help="URL of the SQS queue with EC2's notices.")
    ] = None,
    broker: Annotated[
        str, typer.Option(help="Run Redis as `container` or `process`.")
    ] = "container",
    identity: Annotated[str, typer.Option(help="`aws`, or `password` outside AWS.")] = "aws",
    aws_endpoint: Annotated[
        str | None, typer.Option(help="One endpoint for all of AWS: the lab's.")
    ] = None,
    directory: InDirectory = None,
    ssm: InSsm = None,
    as_json: AsJson = False,
) -> None:
    """Print what an instance of this role boots with."""
    store = _store(directory, ssm)
    with _answered():
        kept = store.read(OPERATOR).get(_AGENT)
    if kept is None:
        fail(
            Exit.UNKNOWN,
            f"{store.place} holds no cluster's secrets",
            next_step="make them with `spotswarm init`",
        )
    table: dict[str, Any] = tomllib.loads(kept) | {"role": role.value, "identity": identity}
    if aws_endpoint:
        table["sts_endpoint"] = f"{aws_endpoint.rstrip('/')}/"
    if role is Role.MANAGER:
        leader: dict[str, Any] = {
            "secrets": f"{store.place}/{LEADER}",
            "managers": managers,
            "broker": broker,
            "identity": identity,
            "broker_port": int(table["broker"].rpartition(":")[2]),
        }
        if elastic_ip:
            leader["elastic_ip"] = elastic_ip
        if queue:
            leader["queue"] = queue
        if aws_endpoint:
            leader["aws_endpoint"] = aws_endpoint.rstrip("/") + "/"
        table["leader"] = leader
    try:
        text = document(table)
    except ValueError as exc:
        fail(Exit.USAGE, str(exc))
    _print(text, store, as_json)


def _store(directory: Path | None, ssm: str | None) -> Store:
    if (directory is None) == (ssm is None):
        fail(Exit.USAGE, "where are the secrets kept?", next_step="give --directory or --ssm, one")
    if directory is not None:
        return Directory(directory)
    with _answered():
        return Parameters(ssm or "")


@contextmanager
def _answered() -> Iterator[None]:
    """Turn an edge's error into a sentence and an exit code."""
    try:
        yield
    except ClusterError as exc:
        fail(Exit.UNREACHABLE, str(exc), next_step="check region, credentials and policy")


def _print(text: str, store: Store, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"user_data": text, "secrets": f"{store.place}/{LEADER}"}))
    else:
        print(text, end="")
