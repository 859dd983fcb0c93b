"""`spotswarm user-data`: print an instance's user data."""

import tomllib
from typing import Annotated, Any, Literal

import typer

from cli.founding.location import (
    AGENT_FILE,
    InDirectory,
    InSsm,
    open_store,
    print_user_data,
    translated_errors,
)
from cli.founding.secrets import user_data_text
from cli.terminal.exits import Exit, fail
from cli.terminal.options import AsJson
from wire.cluster_secrets import LEADER, OPERATOR
from wire.messages import Role


def user_data(
    role: Annotated[Role, typer.Option(help="The role of the instances.")],
    managers: Annotated[
        int, typer.Option(min=1, max=7, help="How many managers the cluster should have.")
    ] = 3,
    elastic_ip: Annotated[
        str | None, typer.Option(help="Allocation id of the leader's Elastic IP.")
    ] = None,
    queue: Annotated[
        str | None, typer.Option(help="URL of the SQS queue that receives notices from EC2.")
    ] = None,
    broker: Annotated[
        Literal["container", "process"],
        typer.Option(help="Run Redis in a container or as a process."),
    ] = "container",
    identity: Annotated[
        Literal["aws", "password"],
        typer.Option(
            help="How instances prove their identity: `aws` on EC2, `password` elsewhere."
        ),
    ] = "aws",
    aws_endpoint: Annotated[
        str | None, typer.Option(help="Endpoint URL to use for all AWS services.")
    ] = None,
    directory: InDirectory = None,
    ssm: InSsm = None,
    as_json: AsJson = False,
) -> None:
    """Print the user data for instances with the given role."""
    store = open_store(directory, ssm)
    with translated_errors():
        agent = store.read(OPERATOR).get(AGENT_FILE)
    if agent is None:
        fail(
            Exit.UNKNOWN,
            f"{store.place} does not contain any cluster secrets",
            next_step="run `spotswarm init` to create the secrets",
        )
    table: dict[str, Any] = tomllib.loads(agent) | {"role": role.value, "identity": identity}
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
        text = user_data_text(table)
    except ValueError as exc:
        fail(
            Exit.USAGE,
            str(exc),
            next_step="run `spotswarm user-data --help` to see the valid options",
        )
    print_user_data(text, store, as_json=as_json)
