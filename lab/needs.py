"""What a host must have before a lab can start on it. Pure; `lab.host` collects the facts.

Rule: the lab reports everything that is missing at once, each with a remedy, before it bakes
anything.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Cgroups(StrEnum):
    """The cgroup hierarchies that a host has mounted."""

    V1 = "v1"
    """Controllers in hierarchies of their own, with or without an empty v2 beside them."""
    V2 = "v2"
    """One hierarchy for all, as on Debian 11 and later, Ubuntu 22.04 and later."""


NSPAWN_OLDEST: Final = 242
"""The first with `--pipe`; Debian 11 and Ubuntu 20.04 have later ones."""
NSPAWN_WITHOUT_V1: Final = 258
"""The first that can use v2 only."""


@dataclass(frozen=True, slots=True)
class Host:
    """The facts about a host."""

    system: str
    """As `uname` prints it: Linux."""
    is_root: bool
    packages: Sequence[str] = ()
    """Packages of programs that are missing."""
    modules: Sequence[str] = ()
    """Python modules that are missing."""
    cgroups: Cgroups = Cgroups.V1
    nspawn: int = 0
    """The version of systemd-nspawn; 0 when it is missing or unknown."""
    suites: Sequence[str] = ()
    """The releases debootstrap has a script for."""
    has_keyring: bool = True
    """Whether the keys of Debian's archive are installed."""


def missing(host: Host, suite: str) -> list[str]:
    """What the host lacks for machines of this Debian release, each with a remedy."""
    if host.system != "Linux":
        return [f"Linux: this is {host.system}. Use a Linux machine."]
    lines = []
    if not host.is_root:
        lines.append("root: run it as root (`sudo -E …`)")
    if host.packages:
        lines.append(f"programs: apt-get install {' '.join(host.packages)}")
    if host.modules:
        lines.append(f"Python packages {', '.join(host.modules)}: pip install -e '.[lab]'")
    if not host.has_keyring:
        lines.append("the keys of Debian's archive: apt-get install debian-archive-keyring")
    if host.suites and suite not in host.suites:
        lines.append(
            f"a debootstrap that knows Debian '{suite}': install a newer one, or link its script: "
            f"ln -s sid /usr/share/debootstrap/scripts/{suite}"
        )
    return lines + _nspawn(host)


def _nspawn(host: Host) -> list[str]:
    if not host.nspawn:
        return []
    if host.nspawn < NSPAWN_OLDEST:
        return [f"systemd-nspawn {NSPAWN_OLDEST} or later: this host has {host.nspawn}"]
    if host.cgroups is Cgroups.V1 and host.nspawn >= NSPAWN_WITHOUT_V1:
        on_v2 = (
            "boot the host without systemd.unified_cgroup_hierarchy=0 on its kernel's command line"
        )
        return [f"cgroup v2: systemd-nspawn {host.nspawn} cannot use v1; {on_v2}"]
    return []
