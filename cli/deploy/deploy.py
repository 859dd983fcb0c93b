"""`spotswarm deploy STACK`: check a stack, deploy it, and wait until it is running.

Rule: errors that can be found in advance are reported before anything is changed. Docker performs
the deployment.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from cli.deploy import follow, jobs, leftovers, result, rollout
from cli.deploy.applying import apply
from cli.deploy.checks import Preparation, check
from cli.deploy.inputs import read_stack, read_variables, stack_names
from cli.deploy.leftovers import Leftovers
from cli.deploy.reading import handover
from cli.deploy.recovery import records
from cli.deploy.recovery.rollback import Rollback
from cli.deploy.recovery.undo import undo
from cli.deploy.removal import wait_until_removed
from cli.deploy.rollout import Rollout
from cli.deploy.room import remarks_on_room
from cli.deploy.stackfile.stack import Stack
from cli.deploy.unfinished import named, next_step
from cli.edges.docker_cli import Docker
from cli.progress.services import Convergence
from cli.terminal.exits import Exit, fail, say, say_notes
from cli.terminal.options import AsJson, IsDryRun, print_json
from cli.terminal.tables import console
from runtime import clock
from runtime.errors import ClusterError, RefusedError, UnavailableError

_DIRECTORY = Path("compose")
_LONG_ENOUGH: Final = float("inf")


class ResolveImage(StrEnum):
    """Specifies when Docker asks the registry which image a tag refers to."""

    ALWAYS = "always"
    CHANGED = "changed"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class _Request:
    """How the operator wants the stack to be deployed."""

    resolve: str
    deadline: float
    """The monotonic time at which the command gives up."""
    left: Leftovers
    prune: bool
    is_waiting: bool
    as_json: bool


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
        deadline = clock.monotonic() + timeout
        request = _Request(resolve.value, deadline, left, prune, wait, as_json)
        _roll_out(docker, jobs.with_digests(stack), request)


def _roll_out(docker: Docker, stack: Stack, request: _Request) -> None:
    """Deploy the stack, watch it, and roll it back if it fails."""
    wait_until_removed(docker, stack.name, request.deadline)
    services = follow.wait_for_leader(docker, stack, request.deadline)
    progress = rollout.observe(docker, services, stack.name)
    changed = jobs.without_done(stack, services, progress)
    begun, rollback = rollout.begin(docker, stack, services, progress), Rollback()
    out = console()
    with (
        named(begun, rollback),
        leftovers.withdrawn_on_failure(docker, stack, request.left, begun.created),
    ):
        try:
            apply(docker, changed, resolve=request.resolve, deadline=request.deadline)
        except RefusedError as exc:
            say_notes(exc)
            look = rollout.look(docker, stack, begun, Convergence(_LONG_ENOUGH))
            _refuse_unchanged(docker, begun, exc)
            result.give_up(
                *(docker, stack, begun, rollback, look, out),
                rejection=str(exc),
                as_json=request.as_json,
            )
        records.mark_applied(docker, begun.stored)
        if request.is_waiting:
            look = follow.wait_for_convergence(
                *(docker, stack, begun, request.deadline, out), is_quiet=request.as_json
            )
            if look.verdict != "converged":
                result.give_up(docker, stack, begun, rollback, look, out, as_json=request.as_json)
            result.succeed(docker, stack, begun, look, out, as_json=request.as_json)
        else:
            say(f"not waited for; {next_step(stack.name)}")
            report = {"stack": stack.name, "outcome": "deployed"} | stack.report()
            print_json(report, request.as_json)
    leftovers.settle(docker, stack, request.left, prune=request.prune)


def _refuse_unchanged(docker: Docker, begun: Rollout, error: RefusedError) -> None:
    """Let the error end the command if Docker has changed no service."""
    if not begun.created and not begun.updated:
        records.forget(docker, begun.stored)
        fail(Exit.REFUSED, str(error), next_step="correct what Docker rejected, then deploy again")


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
    """Turn a Docker error into an error message and an exit code."""
    try:
        yield
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
