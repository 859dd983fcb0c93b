"""Parse the output of `docker node inspect`, and check placement constraints."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from wire.constraints import satisfies
from wire.platforms import Platform, runs_on


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


def fits(node: Member, constraints: Iterable[str], platforms: Iterable[Platform] = ()) -> bool:
    """Return whether the node satisfies the constraints, and can run images for these platforms.

    An invalid constraint counts as satisfied.
    """
    return satisfies(node, constraints) is not False and runs_on(node.platform, platforms)
