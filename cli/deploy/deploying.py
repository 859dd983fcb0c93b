"""`spotswarm deploy edge|services`: a stack checked, deployed, and followed until it runs.

Rule: all that can be found wrong is said before anything is changed. Docker deploys; we ask it.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live
from rich.markup import escape

from cli.deploy import preparing, rollout, table
from cli.deploy.stack import Stack
from cli.edges.docker_cli import Docker
from cli.terminal import tables
from cli.terminal.exits import Exit, fail, say
from cli.terminal.live import LOOK_SECONDS, AsJson, IsDry, leaving_it_going, print_json
from runtime import clock
from runtime.errors import ClusterError, UnavailableError
from wire.labels import LABEL_LOAN


class Which(StrEnum):
    """The stacks there are; each is a file of the directory."""

    EDGE = "edge"
    SERVICES = "services"


class Resolve(StrEnum):
    """When Docker asks the registry which image a tag means."""

    ALWAYS = "always"
    CHANGED = "changed"
    NEVER = "never"


def deploy(
    which: Annotated[Which, typer.Argument(help="The ingress and the registry, or the site.")],
    env_file: Annotated[
        Path, typer.Option("--env-file", help="Variables; those of the shell are stronger.")
    ] = Path(".env"),
    directory: Annotated[Path, typer.Option(help="Where the stack files are.")] = Path("compose"),
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Follow until it runs; roll back if not.")
    ] = True,
    timeout: Annotated[float, typer.Option(help="Seconds until it has to run.")] = 300.0,
    resolve: Annotated[
        Resolve,
        typer.Option(
            "--resolve-image",
            help="When to ask which image a tag means: `always` also rolls tags pushed anew.",
        ),
    ] = Resolve.CHANGED,
    dry_run: IsDry = False,
    as_json: AsJson = False,
) -> None:
    """Deploy a stack with `docker stack deploy`; ends with 8 if it failed and was rolled back."""
    told = preparing.variables(env_file)
    stack = preparing.stack_of(which.value, directory, told)
    for remark in stack.remarks:
        say(remark)
    docker = Docker()
    with _answered():
        docker.ensure_manager()
        wants = preparing.check(docker, stack, told)
        if dry_run:
            _plan(stack, wants, as_json=as_json)
            return
        if wants.label is not None:
            docker.label(wants.label.id, stack.label_a_manager or "", "true")
            say(
                f"{wants.label.hostname} has the volumes from now on"
                f" ({stack.label_a_manager}=true): stores begin empty unless they are restored"
            )
        for wish, value in wants.secrets:
            docker.create_secret(wish.name, value)
            say(f"secret {wish.name} made")
        deadline = clock.monotonic() + timeout
        _await_loans(docker, stack, deadline)
        begun = rollout.begin(docker, stack.name)
        warned = docker.deploy(stack.name, stack.text(), resolve=resolve.value)
        if warned:
            say(warned)
        if not wait:
            print_json({"stack": stack.name, "outcome": "deployed"}, as_json)
            return
        console = tables.console()
        with leaving_it_going(f"docker goes on: docker stack services {stack.name} shows it"):
            ended = _follow(docker, stack, begun, deadline, console, is_quiet=as_json)
        _end(docker, stack, begun, ended, console, as_json=as_json)


def _plan(stack: Stack, wants: preparing.Wants, *, as_json: bool) -> None:
    names = [wish.name for wish, _ in wants.secrets]
    if as_json:
        told = {"stack": stack.name, "outcome": "dry run", "document": stack.document}
        label = wants.label.hostname if wants.label else None
        print_json(told | {"secrets": names, "label": label}, as_json)
        return
    if wants.label is not None:
        say(f"{wants.label.hostname} would get the label {stack.label_a_manager}=true")
    if names:
        say(f"secrets that would be made: {', '.join(names)}")
    print(stack.text(), end="", flush=True)


def _await_loans(docker: Docker, stack: Stack, deadline: float) -> None:
    """Wait until the leader has given back what it borrowed of these services.

    A deployment writes their specs anew: what was borrowed would be lost in the middle of a move.
    """
    said = ""
    while True:
        lent = [
            one["Spec"]["Name"]
            for one in docker.services(stack.name)
            if LABEL_LOAN in (one["Spec"].get("Labels") or {})
        ]
        if not lent:
            return
        now = f"the leader moves tasks of {', '.join(sorted(lent))}; waiting until it has"
        if now != said:
            say(said := now)
        if clock.monotonic() > deadline:
            fail(
                Exit.REFUSED,
                "the leader still moves tasks; nothing was deployed",
                next_step="spotswarm leaving shows what it waits for",
            )
        time.sleep(LOOK_SECONDS)


def _follow(
    docker: Docker,
    stack: Stack,
    begun: rollout.Begun,
    deadline: float,
    console: Console,
    *,
    is_quiet: bool,
) -> rollout.Look:
    """Look until it is over; a line a service on a terminal, news elsewhere."""
    watch = rollout.watch(max(1.0, deadline - clock.monotonic()))
    shown: dict[str, str] = {}
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            try:
                look = rollout.look(docker, stack, begun, watch)
            except UnavailableError as exc:
                # A leader change of Raft takes seconds; the deployment goes on without us.
                if clock.monotonic() > deadline:
                    raise
                say(str(exc))
                time.sleep(LOOK_SECONDS)
                continue
            for one in look.services:
                if not is_quiet and shown.get(one.name) != one.line:
                    shown[one.name] = one.line
                    if not console.is_terminal:
                        console.print(escape(f"{one.name}: {one.line}"))
            if console.is_terminal and not is_quiet:
                live.update(table.deployment(look.services), refresh=True)
            if look.verdict != "under way":
                return look
            time.sleep(LOOK_SECONDS)


def _end(
    docker: Docker,
    stack: Stack,
    begun: rollout.Begun,
    ended: rollout.Look,
    console: Console,
    *,
    as_json: bool,
) -> None:
    told: dict[str, Any] = {
        "stack": stack.name,
        "outcome": ended.verdict,
        "services": [asdict(one) | {"change": begun.change_of(one.name)} for one in ended.services],
    }
    if not as_json:
        console.print(table.deployment(ended.services))
    if ended.verdict == "converged":
        docker.remove_unused_configs(stack.name, but=stack.configs)
        print_json(told, as_json)
        return
    blamed = rollout.blamed(ended)
    logs = {one.task: docker.logs(one.task, lines=15) for one in rollout.last_failures(blamed)}
    undone, stuck = rollout.undo(docker, stack, begun)
    told |= {"logs": logs, "rolled_back": undone, "not_rolled_back": stuck, "left": begun.created}
    print_json(told, as_json)
    for failure in rollout.last_failures(blamed):
        say(f"{failure.service} on {failure.node}: {failure.state}: {failure.error}")
        for line in logs[failure.task]:
            say(f"    {line}")
    why = {"failed": "tasks do not come up", "timeout": "the time is over"}[ended.verdict]
    sentences = [f"{', '.join(one.name for one in blamed)}: {why}"]
    if undone:
        sentences.append(f"rolled back: {', '.join(undone)}")
    if stuck:
        sentences.append(f"still not what they were: {', '.join(stuck)}")
    if begun.created:
        sentences.append(f"new, and left as they are: {', '.join(begun.created)}")
    first = blamed[0].name if blamed else stack.name
    fail(
        Exit.ROLLED_BACK,
        "; ".join(sentences),
        next_step=f"docker service ps --no-trunc {first}; then deploy again",
    )


@contextmanager
def _answered() -> Iterator[None]:
    """Turn Docker's error into a sentence and an exit code."""
    try:
        yield
    except UnavailableError as exc:
        fail(Exit.UNREACHABLE, str(exc), next_step="set DOCKER_HOST, or run this on a manager")
    except ClusterError as exc:
        fail(Exit.REFUSED, str(exc))
