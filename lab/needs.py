"""Lists what a host still needs before it can run a lab. This module does no I/O.

Rule: before the lab bakes anything, report everything that is missing, with a remedy for each item.
`lab.host` collects the facts about the host.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Cgroups(StrEnum):
    """The cgroup version that a host uses."""

    V1 = "v1"
    """Each controller has its own hierarchy; an empty v2 hierarchy may exist as well."""
    V2 = "v2"
    """All controllers share one hierarchy, as on Debian since 11 and Ubuntu since 22.04."""


NSPAWN_OLDEST: Final = 242
"""The first version with `--pipe`; Debian 11 and Ubuntu 20.04 have later versions."""
NSPAWN_WITHOUT_V1: Final = 258
"""The first version that supports only cgroup v2."""


@dataclass(frozen=True, slots=True)
class Host:
    """Facts about a host."""

    system: str
    """The operating system as `uname` prints it, such as Linux."""
    is_root: bool
    packages: Sequence[str] = ()
    """The packages that contain the missing programs."""
    modules: Sequence[str] = ()
    """The missing Python modules."""
    cgroups: Cgroups = Cgroups.V1
    nspawn: int = 0
    """The version of systemd-nspawn; 0 if the program is missing or its version is unknown."""
    suites: Sequence[str] = ()
    """The Debian releases for which debootstrap has a script."""
    has_keyring: bool = True
    """Whether the Debian archive's keys are installed."""


def missing(host: Host, suite: str) -> list[str]:
    """List what the host still needs before it can run machines with this Debian release.

    Each item includes a remedy.
    """
    if host.system != "Linux":
        return [f"Linux: this host runs {host.system}; use a Linux machine"]
    lines = []
    if not host.is_root:
        lines.append("root privileges: run the command as root (`sudo -E …`)")
    if host.packages:
        lines.append(f"programs: run `apt-get install {' '.join(host.packages)}`")
    if host.modules:
        lines.append(f"Python packages {', '.join(host.modules)}: run `pip install -e '.[lab]'`")
    if not host.has_keyring:
        lines.append("the Debian archive's keys: run `apt-get install debian-archive-keyring`")
    if host.suites and suite not in host.suites:
        lines.append(
            f"a debootstrap with a script for Debian '{suite}': install a newer version, or run "
            f"`ln -s sid /usr/share/debootstrap/scripts/{suite}`"
        )
    return lines + _nspawn(host)


def _nspawn(host: Host) -> list[str]:
    if not host.nspawn:
        return []
    if host.nspawn < NSPAWN_OLDEST:
        return [f"systemd-nspawn {NSPAWN_OLDEST} or later: this host has version {host.nspawn}"]
    if host.cgroups is Cgroups.V1 and host.nspawn >= NSPAWN_WITHOUT_V1:
        on_v2 = (
            "boot the host without systemd.unified_cgroup_hierarchy=0 on its kernel's command line"
        )
        return [f"cgroup v2: systemd-nspawn {host.nspawn} does not support v1; {on_v2}"]
    return []
