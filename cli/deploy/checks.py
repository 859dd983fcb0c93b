"""Check that a deployment has what it needs: networks, nodes, secrets and a manager for its data.

Rule: nothing is changed until every check has passed.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cli.deploy.stackfile.contents import size_problem
from cli.deploy.stackfile.references import deploy_of, part, table_of
from cli.deploy.stackfile.stack import SecretWish, Stack, constraints_of
from cli.edges.docker_cli import Docker
from cli.progress.nodes import Member, fits
from cli.terminal.exits import Exit, fail
from wire.constraints import is_about_label

_ON_EVERY_NODE: Final = frozenset({"host", "bridge", "none"})
"""Networks of a node's own, which are not networks of the swarm."""
_ON_ALL_NODES: Final = frozenset({"global", "global-job"})


@dataclass(frozen=True)
class Preparation:
    """The secrets to create and the node to label before the stack is deployed."""

    secrets: list[tuple[SecretWish, bytes]] = field(repr=False)
    """The missing secrets, each with its value."""
    node_to_label: Member | None
    """The manager that will get the stack's label, if no node has the label yet."""


def check(docker: Docker, stack: Stack, values: Mapping[str, str]) -> Preparation:
    """Return the secrets to create and the node to label; exit if a check fails."""
    if absent := set(stack.networks) - _ON_EVERY_NODE - docker.networks():
        fail(
            Exit.REFUSED,
            f"no such network in the swarm: {', '.join(sorted(absent))}",
            next_step="run `spotswarm status` if the leader should have created the network;"
            " otherwise run `docker network create --driver overlay --attachable NAME`",
        )
    nodes = docker.nodes()
    node_to_label = _node_to_label(stack, nodes)
    if node_to_label is not None:
        _refuse_second_home(docker, stack)
    label = stack.label_a_manager if node_to_label else None
    if errors := [
        error for name in stack.services if (error := _misfit(stack, name, nodes, label))
    ]:
        fail(
            Exit.REFUSED,
            "\n".join(errors),
            next_step="run `docker node ls` to list the nodes; if the node with the data is down,"
            " start it again, or restore the data on another node and label that node"
            " (see docs/deploying.md)",
        )
    return Preparation(_missing_secrets(stack, docker.secrets(), values), node_to_label)


def _misfit(stack: Stack, name: str, nodes: list[Member], label: str | None) -> str:
    """Return why no node can run a service, or an empty string if a node can.

    Constraints on `label` are ignored, because a node is about to get this label.
    """
    deploy = deploy_of(table_of(part(stack.document, "services").get(name)))
    if deploy.get("mode") in _ON_ALL_NODES or deploy.get("replicas") == 0:
        return ""
    constraints = [
        constraint
        for owner, constraint in constraints_of(stack.document)
        if owner == name and not (label and is_about_label(constraint, label))
    ]
    if any(fits(node, constraints) and node.is_ready and node.is_active for node in nodes):
        return ""
    unmet = f" that satisfies {', '.join(constraints)}" if constraints else ""
    return f"no node can run {name}: there is no ready and active node{unmet}"


def _refuse_second_home(docker: Docker, stack: Stack) -> None:
    """Exit if a data store is already running.

    Its data is on the node that used to have the label, so no other node may get this label.
    """
    label = stack.label_a_manager or ""
    stores = {
        f"{stack.name}_{name}"
        for name, constraint in constraints_of(stack.document)
        if is_about_label(constraint, label)
    }
    running = {service["Spec"]["Name"] for service in docker.services(stack.name)}
    if homeless := sorted(stores & running):
        fail(
            Exit.REFUSED,
            f"no node has the label {label} anymore. The data of {', '.join(homeless)} is on the"
            " node that had the label; on any other node, these services would start without data",
            next_step="bring back the node with the data, or restore the data on another node (see"
            f" docs/deploying.md) and run `docker node update --label-add {label}=true NODE`",
        )


def _node_to_label(stack: Stack, nodes: list[Member]) -> Member | None:
    if stack.label_a_manager is None:
        return None
    if any(node.labels.get(stack.label_a_manager) == "true" for node in nodes):
        return None
    managers = [
        node for node in nodes if node.role == "manager" and node.is_ready and node.is_active
    ]
    # Prefer a manager other than the Raft leader, which is the busiest manager.
    return min(managers, key=lambda node: (node.is_leader, node.hostname), default=None)


def _missing_secrets(
    stack: Stack, existing: set[str], values: Mapping[str, str]
) -> list[tuple[SecretWish, bytes]]:
    """Return the secrets to create, with their values; exit if a required value is missing."""
    missing, errors, absent = [], [], set()
    for wish in stack.secrets:
        if wish.name in existing:
            continue
        if file := values.get(wish.variable):
            try:
                value = _secret_value(Path(file).read_bytes())
            except (OSError, ValueError) as exc:
                reason = exc.strerror if isinstance(exc, OSError) else exc
                errors.append(f"{wish.variable}: could not read {file}: {reason}")
                continue
            if problem := size_problem(value):
                errors.append(f"{wish.variable}: {file} {problem}")
            missing.append((wish, value))
        elif wish.random_bytes:
            # A secret in hex cannot start with a dash and be mistaken for an option.
            missing.append((wish, secrets.token_hex(wish.random_bytes).encode()))
        elif wish.is_optional:
            absent.add(wish.name)
        else:
            errors.append(
                f"the swarm has no secret {wish.name}; set {wish.variable} to a file with its value"
            )
    if errors:
        fail(Exit.USAGE, "\n".join(errors), next_step="set the variables in .env")
    stack.without_secrets(absent)
    return missing


def _secret_value(content: bytes) -> bytes:
    """Return a secret's value: text without the newline at its end, or other content unchanged."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return content
    is_text = all(character.isprintable() or character in "\t\r\n" for character in text)
    return content.rstrip(b"\r\n") if is_text else content
