"""Reads the platforms that a service's image is built for, for the leader and the command line.

Rule: give the same results as swarmkit's `PlatformFilter` (`manager/scheduler/filter.go`). Docker
writes the platforms into `Placement.Platforms` when it finds the image in its registry.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

Platform = tuple[str, str]
"""An operating system and an architecture; an empty text matches everything."""

_SYNONYMS: Final = {"x86_64": "amd64", "aarch64": "arm64"}


def platforms_of(placement: Mapping[str, Any] | None) -> tuple[Platform, ...]:
    """Return the platforms of a service's `Placement`; an empty result means any platform."""
    listed = (placement or {}).get("Platforms") or ()
    return tuple((each.get("OS") or "", each.get("Architecture") or "") for each in listed)


def runs_on(node: Platform, platforms: Iterable[Platform]) -> bool:
    """Return whether a node of this platform can run an image for these platforms."""
    system, architecture = node[0], _SYNONYMS.get(node[1], node[1])
    wanted = tuple(platforms)
    return not wanted or any(
        required_system in {"", system} and _SYNONYMS.get(required, required) in {"", architecture}
        for required_system, required in wanted
    )


def platform_text(platform: Platform) -> str:
    """Return a platform as Docker writes it, such as `linux/amd64`."""
    system, architecture = platform
    return "/".join(filter(None, (system, _SYNONYMS.get(architecture, architecture)))) or "any"
