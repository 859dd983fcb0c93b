"""Which nodes a service may be on, by its placement constraints, as Swarm reads them. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

_CONSTRAINT: Final = re.compile(r"\s*([\w.\-/]+)\s*(==|!=)\s*(.+?)\s*")


@dataclass(frozen=True, slots=True)
class Member:
    """What constraints can ask of a node."""

    node: str
    hostname: str
    role: str
    is_ready: bool
    is_active: bool
    is_leader: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    engine_labels: Mapping[str, str] = field(default_factory=dict)
    system: str = ""
    architecture: str = ""


def member(told: Mapping[str, Any]) -> Member:
    """A node as `docker node inspect` tells it."""
    spec, description = told["Spec"], told.get("Description") or {}
    platform = description.get("Platform") or {}
    return Member(
        node=told["ID"],
        hostname=description.get("Hostname", ""),
        role=spec.get("Role", ""),
        is_ready=(told.get("Status") or {}).get("State") == "ready",
        is_active=spec.get("Availability") == "active",
        is_leader=bool((told.get("ManagerStatus") or {}).get("Leader")),
        labels=spec.get("Labels") or {},
        engine_labels=(description.get("Engine") or {}).get("Labels") or {},
        system=platform.get("OS", ""),
        architecture=platform.get("Architecture", ""),
    )


def fits(node: Member, constraints: Iterable[str]) -> bool:
    """Whether it meets all of them; one we cannot read, Docker will judge."""
    return all(_meets(node, one) for one in constraints)


def _meets(node: Member, constraint: str) -> bool:
    found = _CONSTRAINT.fullmatch(constraint)
    if found is None:
        return True
    key, operator, wanted = found.groups()
    match key.split(".", 2):
        case ["node", "id"]:
            value = node.node
        case ["node", "hostname"]:
            value = node.hostname
        case ["node", "role"]:
            value = node.role
        case ["node", "platform", "os"]:
            value = node.system
        case ["node", "platform", "arch"]:
            value = node.architecture
        case ["node", "labels", label]:
            value = node.labels.get(label, "")
        case ["engine", "labels", label]:
            value = node.engine_labels.get(label, "")
        case _:
            return True
    # Swarm compares without regard to case.
    return (value.lower() == wanted.lower()) is (operator == "==")
