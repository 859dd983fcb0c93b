"""What a deployment needs before it may change anything: variables, nodes, networks, secrets.

Rule: all that is wrong is said at once, and the command ends without having changed anything.
"""

import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from dotenv import dotenv_values

from cli.deploy.placement import Member, fits
from cli.deploy.stack import SecretWish, Stack, StackError, constraints_of, load
from cli.deploy.variables import complete
from cli.edges.docker_cli import Docker
from cli.terminal.exits import Exit, fail

_USERS: Final = "/mnt/efs/traefik/.htpasswd"


@dataclass(frozen=True)
class Wants:
    """What is to be made before the stack is deployed."""

    secrets: list[tuple[SecretWish, str]] = field(repr=False)
    label: Member | None
    """Who gets the label, when one manager has to have it and none has."""


def variables(env_file: Path) -> dict[str, str]:
    """What the stack files are told; ends the command if .env is wrong."""
    if not env_file.is_file():
        fail(
            Exit.USAGE,
            f"there is no {env_file}",
            next_step="copy .env.example to .env, or name it by --env-file",
        )
    told = {
        key: value or "" for key, value in dotenv_values(env_file, interpolate=False).items()
    } | dict(os.environ)
    users = Path(told.get("USERS_FILE") or _USERS)
    try:
        return complete(told, users=users.read_bytes() if users.is_file() else None)
    except (ValueError, OSError) as exc:
        fail(Exit.USAGE, str(exc), next_step=f"change {env_file}")


def stack_of(which: str, directory: Path, told: dict[str, str]) -> Stack:
    """The stack as it is to be deployed; ends the command if it cannot be."""
    directory = directory.absolute()
    file = directory / f"{which}.yml"
    try:
        text = file.read_text(encoding="utf-8")
        return load(which, text, told, directory=directory, read=Path.read_bytes)
    except OSError as exc:
        fail(Exit.USAGE, f"{file}: {exc.strerror}", next_step="name its directory: --directory")
    except StackError as exc:
        fail(Exit.USAGE, str(exc), next_step="change .env; .env.example explains every line")


def check(docker: Docker, stack: Stack, told: dict[str, str]) -> Wants:
    """What is to be made first; ends the command if something lacks that we do not make."""
    if absent := set(stack.networks) - docker.networks():
        fail(
            Exit.REFUSED,
            f"the swarm has no network {', '.join(sorted(absent))}",
            next_step="the leader makes them: spotswarm status; or docker network create"
            " --driver overlay --attachable NAME",
        )
    nodes = docker.nodes()
    about_to_be = stack.label_a_manager or ""
    label = _to_be_labelled(stack, nodes)
    if label is not None:
        _refuse_second_home(docker, stack)
    wrong = []
    for name, service in stack.document["services"].items():
        constraints = [
            text
            for owner, text in constraints_of(stack.document)
            if owner == name and not (label and about_to_be in text)
        ]
        if not any(fits(node, constraints) and node.is_ready and node.is_active for node in nodes):
            is_global = service.get("deploy", {}).get("mode") == "global"
            if not is_global:
                wrong.append(f"{name} may be on no node: {', '.join(constraints)}")
    if wrong:
        fail(
            Exit.REFUSED,
            "\n".join(wrong),
            next_step="docker node ls shows nodes; a node that has the data and is away must come"
            " back, or its label be given to another after a restore (docs/deploying.md)",
        )
    return Wants(_to_be_made(stack, docker.secrets(), told), label)


def _refuse_second_home(docker: Docker, stack: Stack) -> None:
    """End the command if stores run already: their data is where the label was."""
    about = stack.label_a_manager or ""
    homed = {f"{stack.name}_{name}" for name, one in constraints_of(stack.document) if about in one}
    if there := sorted(homed & {one["Spec"]["Name"] for one in docker.services(stack.name)}):
        fail(
            Exit.REFUSED,
            f"no node has the label {about} any more, and {', '.join(there)} had data there:"
            " on another node they would begin empty",
            next_step="bring that node back; or restore its data elsewhere (docs/deploying.md) and"
            f" docker node update --label-add {about}=true NODE",
        )


def _to_be_labelled(stack: Stack, nodes: list[Member]) -> Member | None:
    if stack.label_a_manager is None:
        return None
    if any(node.labels.get(stack.label_a_manager) == "true" for node in nodes):
        return None
    managers = [one for one in nodes if one.role == "manager" and one.is_ready and one.is_active]
    # Not the leader of the swarm if it can be helped: it has most to do.
    return min(managers, key=lambda one: (one.is_leader, one.hostname), default=None)


def _to_be_made(
    stack: Stack, there: set[str], told: dict[str, str]
) -> list[tuple[SecretWish, str]]:
    made, wrong, absent = [], [], set()
    for wish in stack.secrets:
        if wish.name in there:
            continue
        if file := told.get(wish.variable):
            try:
                made.append((wish, Path(file).read_text(encoding="utf-8").rstrip("\n")))
            except OSError as exc:
                wrong.append(f"{wish.variable}: {file} cannot be read ({exc.strerror})")
        elif wish.bytes_made:
            # In hex: no first character that a program takes for an option.
            made.append((wish, secrets.token_hex(wish.bytes_made)))
        elif wish.is_optional:
            absent.add(wish.name)
        else:
            wrong.append(f"secret {wish.name} is not in the swarm: set {wish.variable}")
    if wrong:
        fail(Exit.USAGE, "\n".join(wrong))
    stack.without_secrets(absent)
    return made
