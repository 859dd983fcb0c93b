"""Parse the output of `docker node inspect`, and check placement constraints."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from wire.constraints import satisfies

_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}
"""The kernel's names for architectures that images call by another name."""


@dataclass(frozen=True, slots=True)
class Member:
    """A node in the swarm."""

    id: str
    hostname: str
    role: str
    is_ready: bool
    is_active: bool
    is_leader: bool = False
    status_address: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    engine_labels: Mapping[str, str] = field(default_factory=dict)
    platform: tuple[str, str] = ("", "")


def member(raw: Mapping[str, Any]) -> Member:
    """Convert an object from the output of `docker node inspect` to a `Member`."""
    spec, description, status = raw["Spec"], raw.get("Description") or {}, raw.get("Status") or {}
    platform = description.get("Platform") or {}
    return Member(
        id=raw["ID"],
        hostname=description.get("Hostname", ""),
        role=spec.get("Role", ""),
        is_ready=status.get("State") == "ready",
        is_active=spec.get("Availability") == "active",
        is_leader=bool((raw.get("ManagerStatus") or {}).get("Leader")),
        status_address=status.get("Addr", ""),
        labels=spec.get("Labels") or {},
        engine_labels=(description.get("Engine") or {}).get("Labels") or {},
        platform=(platform.get("OS", ""), platform.get("Architecture", "")),
    )


def fits(node: Member, constraints: Iterable[str]) -> bool:
    """Return whether the node satisfies the constraints, or True if a constraint is invalid."""
    return satisfies(node, constraints) is not False


def runs_platform(node: Member, platforms: Iterable[Mapping[str, str]]) -> bool:
    """Return whether the node can run an image for one of these platforms.

    Like swarmkit's platform filter, return True if no platform is known.
    """
    system, architecture = node.platform
    own = _ARCHITECTURES.get(architecture, architecture)
    wanted = [(platform.get("OS", ""), platform.get("Architecture", "")) for platform in platforms]
    return not wanted or any(
        name in {"", system} and _ARCHITECTURES.get(machine, machine) in {"", own}
        for name, machine in wanted
    )
