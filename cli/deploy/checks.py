"""Checks what a deployment needs: networks, nodes, secrets, and a manager for the stores.

Rule: everything that is wrong is reported at once, and nothing has been changed by then.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cli.deploy.stackfile.stack import SecretWish, Stack, constraints_of
from cli.edges.docker_cli import Docker
from cli.progress.nodes import Member, fits
from cli.terminal.exits import Exit, fail


@dataclass(frozen=True)
class Preparation:
    """What must be created before the stack is deployed."""

    secrets: list[tuple[SecretWish, str]] = field(repr=False)
    """Each secret that is missing, and its value."""
    node_to_label: Member | None
    """The manager that gets the stack's label, if no node has it yet."""


def check(docker: Docker, stack: Stack, values: Mapping[str, str]) -> Preparation:
    """What to create first; ends the command if something else is missing."""
    if absent := set(stack.networks) - docker.networks():
        fail(
            Exit.REFUSED,
            f"the swarm has no network {', '.join(sorted(absent))}",
            next_step="the leader creates its networks, check spotswarm status; create others with"
            " docker network create --driver overlay --attachable NAME",
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
            next_step="docker node ls lists the nodes; if the node with the data is away, bring it"
            " back, or restore the data and label another node (docs/deploying.md)",
        )
    return Preparation(_missing_secrets(stack, docker.secrets(), values), node_to_label)


def _misfit(stack: Stack, name: str, nodes: list[Member], label: str | None) -> str:
    """Why no node can run a service; empty if one can. A node is about to get `label`."""
    if stack.document["services"][name].get("deploy", {}).get("mode") == "global":
        return ""
    constraints = [
        constraint
        for owner, constraint in constraints_of(stack.document)
        if owner == name and not (label and label in constraint)
    ]
    if any(fits(node, constraints) and node.is_ready and node.is_active for node in nodes):
        return ""
    return f"no node can run {name}: {', '.join(constraints) or 'no node is ready and active'}"


def _refuse_second_home(docker: Docker, stack: Stack) -> None:
    """End the command if stores run already: their data is on the node that had the label."""
    label = stack.label_a_manager or ""
    stores = {
        f"{stack.name}_{name}"
        for name, constraint in constraints_of(stack.document)
        if label in constraint
    }
    running = {service["Spec"]["Name"] for service in docker.services(stack.name)}
    if homeless := sorted(stores & running):
        fail(
            Exit.REFUSED,
            f"no node has the label {label} any more, and the data of {', '.join(homeless)} is on"
            " the node that had it: on another node they would start empty",
            next_step="bring that node back; or restore its data elsewhere (docs/deploying.md) and"
            f" docker node update --label-add {label}=true NODE",
        )


def _node_to_label(stack: Stack, nodes: list[Member]) -> Member | None:
    if stack.label_a_manager is None:
        return None
    if any(node.labels.get(stack.label_a_manager) == "true" for node in nodes):
        return None
    managers = [
        node for node in nodes if node.role == "manager" and node.is_ready and node.is_active
    ]
    # Preferably not the leader of the swarm, which is the busiest.
    return min(managers, key=lambda node: (node.is_leader, node.hostname), default=None)


def _missing_secrets(
    stack: Stack, existing: set[str], values: Mapping[str, str]
) -> list[tuple[SecretWish, str]]:
    """Secrets to create, with their values; ends the command if a value is not provided."""
    missing, errors, absent = [], [], set()
    for wish in stack.secrets:
        if wish.name in existing:
            continue
        if file := values.get(wish.variable):
            try:
                missing.append((wish, Path(file).read_text(encoding="utf-8").rstrip("\n")))
            except OSError as exc:
                errors.append(f"{wish.variable}: {file} cannot be read ({exc.strerror})")
        elif wish.random_bytes:
            # In hex, so that no program takes the first character for an option.
            missing.append((wish, secrets.token_hex(wish.random_bytes)))
        elif wish.is_optional:
            absent.add(wish.name)
        else:
            errors.append(f"the swarm has no secret {wish.name}: set {wish.variable}")
    if errors:
        fail(Exit.USAGE, "\n".join(errors), next_step="set the variables in .env")
    stack.without_secrets(absent)
    return missing
