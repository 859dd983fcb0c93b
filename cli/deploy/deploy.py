"""`spotswarm deploy STACK`: check a stack, deploy it, and wait until it is running.

Rule: errors that can be found in advance are reported before anything is changed. Docker performs
the deployment.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cli.deploy import jobs, leftovers
from cli.deploy.checks import Preparation, check
from cli.deploy.execution import Request, roll_out
from cli.deploy.inputs import read_stack, read_variables, stack_names
from cli.deploy.reading import handover
from cli.deploy.recovery.undo import undo
from cli.deploy.room import remarks_on_room
from cli.deploy.stackfile.stack import Stack
from cli.edges.docker_cli import STACK_LABEL, Docker
from cli.terminal.exits import Exit, fail, say, say_notes
from cli.terminal.options import AsJson, IsDryRun, print_json
from runtime.errors import ClusterError, UnavailableError

_DIRECTORY = Path("compose")


class ResolveImage(StrEnum):
    """Specifies when Docker asks the registry which image a tag refers to."""

    ALWAYS = "always"
    CHANGED = "changed"
    NEVER = "never"


def _stacks_starting_with(incomplete: str) -> list[str]:
    return [name for name in stack_names(_DIRECTORY) if name.startswith(incomplete)]


def deploy(
    which: Annotated[
        str,
        typer.Argument(
            metavar="STACK",
            help="The stack's name: edge (ingress and registry), services (the site), or the name"
            " of another stack file in the stack directory, without the .yml extension.",
            autocompletion=_stacks_starting_with,
        ),
    ],
    env_file: Annotated[
        Path,
        typer.Option(
            "--env-file", help="Read variables from this file. Environment variables override them."
        ),
    ] = Path(".env"),
    directory: Annotated[
        Path, typer.Option(help="The directory that contains the stack files.")
    ] = _DIRECTORY,
    compose_files: Annotated[
        list[Path] | None,
        typer.Option(
            "--compose-file",
            "-c",
            help="Another stack file, which Docker merges into the stack's own. Can be repeated.",
        ),
    ] = None,
    prune: Annotated[
        bool,
        typer.Option(
            "--prune",
            help="After the deployment, remove the stack's services that are no longer in the file"
            " or not selected.",
        ),
    ] = False,
    wait: Annotated[
        bool,
        typer.Option(
            "--wait/--no-wait", help="Wait until the stack is running; roll back on failure."
        ),
    ] = True,
    timeout: Annotated[
        float, typer.Option(help="Maximum number of seconds to wait for the stack to start.")
    ] = 300.0,
    resolve: Annotated[
        ResolveImage,
        typer.Option(
            "--resolve-image",
            help="When to ask the registry which image a tag refers to. `always` also finds new"
            " images that were pushed under an existing tag.",
        ),
    ] = ResolveImage.CHANGED,
    is_undo: Annotated[
        bool,
        typer.Option(
            "--undo",
            help="Restore what the services were before a deployment that has not ended.",
        ),
    ] = False,
    dry_run: IsDryRun = False,
    as_json: AsJson = False,
) -> None:
    """Deploy a stack with `docker stack deploy`.

    The exit code is 8 if the deployment fails and is rolled back, and 6 if a service could be
    neither deployed nor rolled back; the message names it.
    """
    docker = Docker()
    if is_undo and dry_run:
        fail(
            Exit.USAGE,
            "--undo has no --dry-run; nothing was changed",
            next_step=f"run `docker service ls --filter label={STACK_LABEL}={which}` to list the"
            " services, or `--undo` without --dry-run",
        )
    if is_undo:
        with _translated_errors():
            docker.ensure_manager()
            undo(docker, which, as_json=as_json)
        return
    values = read_variables(env_file)
    stack = read_stack(which, directory, values, overlays=compose_files or [])
    with _translated_errors():
        handover.check(stack)
        for remark in stack.remarks:
            say(remark)
        docker.ensure_manager()
        preparation = check(docker, stack, values)
        left = leftovers.find(docker, stack)
        stack.leftovers = left.report()
        existing = {row["Spec"]["Name"] for row in docker.services(stack.name)}
        for remark in remarks_on_room(stack, existing, docker.nodes()):
            say(remark)
        if dry_run:
            leftovers.remark(stack, left)
            _show_plan(stack, preparation, as_json=as_json)
            return
        _prepare(docker, stack, preparation)
        request = Request(resolve.value, timeout, left, prune, wait, as_json)
        roll_out(docker, jobs.with_digests(stack), request)


def _show_plan(stack: Stack, preparation: Preparation, *, as_json: bool) -> None:
    secrets = [wish.name for wish, _ in preparation.secrets]
    node = preparation.node_to_label
    if as_json:
        plan = {"stack": stack.name, "outcome": "dry run", "document": stack.document}
        label = node.hostname if node else None
        print_json(plan | {"secrets": secrets, "label": label} | stack.report(), as_json)
        return
    if node is not None:
        say(f"{node.hostname} would get the label {stack.label_a_manager}=true")
    if secrets:
        say(f"secrets that would be created: {', '.join(secrets)}")
    print(stack.text(), end="", flush=True)


def _prepare(docker: Docker, stack: Stack, preparation: Preparation) -> None:
    node = preparation.node_to_label
    if node is not None:
        docker.label(node.id, stack.label_a_manager or "", "true")
        say(
            f"{node.hostname} now has the label {stack.label_a_manager}=true, so the volumes"
            " will be stored there. The stores will start empty unless you restore their data."
        )
    for wish, value in preparation.secrets:
        docker.create_secret(wish.name, value)
        say(f"created the secret {wish.name}")


@contextmanager
def _translated_errors() -> Iterator[None]:
    """Turn a Docker error, or Ctrl-C before the first change, into a message and an exit code."""
    try:
        yield
    except KeyboardInterrupt:
        say("\ninterrupted before any service was changed")
        raise typer.Exit(int(Exit.INTERRUPTED)) from None
    except UnavailableError as exc:
        say_notes(exc)
        fail(
            Exit.UNREACHABLE,
            str(exc),
            next_step="set DOCKER_HOST, or run this command on a manager",
        )
    except ClusterError as exc:
        say_notes(exc)
        fail(Exit.REFUSED, str(exc), next_step="correct what Docker rejected, then deploy again")
