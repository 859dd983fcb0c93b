"""The directories, addresses and names of a lab.

A host can run several labs. Each has a name, and everything it makes on the host carries that name
or the number computed from it. So `lab.sweep` finds everything after any crash without a record,
and never touches another lab.
"""

import os
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Final

REGION: Final = "eu-central-1"
ACCOUNT: Final = "123456789012"
ZONES: Final = tuple(f"{REGION}{letter}" for letter in "abc")

METADATA: Final = IPv4Address("169.254.169.254")
"""The same in every lab, as on EC2; each lab serves this address on its own bridge."""
AWS_PORT: Final = 4566
EFS: Final = "/mnt/efs"
"""The mount point of the file system that all machines share, as on AWS."""

BUILDING: Final = "building-"
"""Prefix of the directories in which labs bake."""
CGROUP: Final = "spotswarm-lab"
"""Prefix of every lab's cgroup."""
DEFAULT_NAME: Final = "demo"
NAME_VARIABLE: Final = "SPOTSWARM_LAB_NAME"
_DIRECTORY_VARIABLE: Final = "SPOTSWARM_LAB_DIR"
_CACHE_VARIABLE: Final = "SPOTSWARM_LAB_CACHE"
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,23}")
_NUMBERS: Final = 254


@dataclass(frozen=True, slots=True)
class Places:
    """The directories, addresses and names of one lab."""

    lab: Path
    """State of the lab while it is up; `down` removes it."""
    cache: Path
    """Baked images, which all labs share and which outlive them."""
    name: str = DEFAULT_NAME

    @classmethod
    def here(cls, name: str | None = None) -> "Places":
        """The lab with this name, or the one that SPOTSWARM_LAB_NAME names.

        SPOTSWARM_LAB_DIR and SPOTSWARM_LAB_CACHE move the directories. The first one ends with the
        lab's name, unless that is `demo`.

        Raises:
            ValueError: no lab can have this name.
        """
        name = name or os.environ.get(NAME_VARIABLE) or DEFAULT_NAME
        if not _NAME.fullmatch(name):
            raise ValueError(
                f"a lab cannot be called {name!r}: use up to 24 of a-z, 0-9 and '-', a letter first"
            )
        lab = Path(os.environ.get(_DIRECTORY_VARIABLE, "/var/lib/spotswarm-lab"))
        if name != DEFAULT_NAME:
            lab = lab.with_name(f"{lab.name}-{name}")
        cache = Path(os.environ.get(_CACHE_VARIABLE, "/var/cache/spotswarm-lab"))
        return cls(lab=lab, cache=cache, name=name)

    @property
    def command(self) -> str:
        """The command for this lab, as a person types it."""
        option = "" if self.name == DEFAULT_NAME else f" --name {self.name}"
        return f"python -m lab{option}"

    def environment(self) -> Mapping[str, str]:
        """The environment in which a child of this process finds the same lab."""
        return {**os.environ, NAME_VARIABLE: self.name}

    @property
    def number(self) -> int:
        """0 for `demo`, else 1 to 254; `lab.sharing` refuses two labs with the same number."""
        if self.name == DEFAULT_NAME:
            return 0
        return 1 + zlib.crc32(self.name.encode()) % _NUMBERS

    @property
    def network(self) -> IPv4Network:
        """Private addresses; each zone's subnet is a /26 of it."""
        return IPv4Network(f"10.98.{self.number}.0/24")

    @property
    def gateway(self) -> IPv4Address:
        """The host's address in that network."""
        return self.network[1]

    @property
    def elastic(self) -> IPv4Network:
        """Elastic IPs, in place of public addresses. The host routes none of them outwards."""
        return IPv4Network(f"10.99.{self.number}.0/24")

    @property
    def leader_address(self) -> IPv4Address:
        """The leader's Elastic IP."""
        return self.elastic[10]

    @property
    def aws_endpoint(self) -> str:
        """The URL of the lab's AWS."""
        return f"http://{self.gateway}:{AWS_PORT}"

    @property
    def registry(self) -> str:
        """The lab's own registry, which is its engines' mirror too; they use it without TLS."""
        return f"{self.gateway}:5000"

    @property
    def window_port(self) -> int:
        """The port of this host that leads browsers to the site."""
        return 20_000 + self.number if self.number else 8000

    @property
    def bridge(self) -> str:
        """The bridge between the machines and the host."""
        return f"ssw{self._tag}-br0"

    @property
    def link_prefix(self) -> str:
        """Prefix of the cables' host ends; the last octet of the machine's address follows."""
        return f"sswv{self._tag}-"

    @property
    def namespace_prefix(self) -> str:
        """Prefix of network namespaces and nspawn machines; the instance id follows."""
        return f"ssw{self._tag}-"

    @property
    def chain_prefix(self) -> str:
        """Prefix of the iptables chains."""
        return f"SPOTSWARM{self._tag}-"

    @property
    def cgroup(self) -> str:
        """The parent, in each hierarchy, of the machines' cgroups."""
        return CGROUP if self.name == DEFAULT_NAME else f"{CGROUP}-{self.name}"

    @property
    def building_prefix(self) -> str:
        """Prefix of the directories in the cache in which this lab bakes."""
        return f"{BUILDING}{self.name}."

    @property
    def _tag(self) -> str:
        return str(self.number) if self.number else ""

    @property
    def log(self) -> Path:
        """The daemon's log."""
        return self.lab / "daemon.log"

    @property
    def failure(self) -> Path:
        """Why the daemon could not start."""
        return self.lab / "failure"

    @property
    def account(self) -> Path:
        """The lab's own AWS key and resources; the file exists once the daemon is ready."""
        return self.lab / "account.json"

    @property
    def control(self) -> Path:
        """The daemon's socket for orders to the market."""
        return self.lab / "control.sock"

    @property
    def engine(self) -> Path:
        """A file with the name of the engine for launches that name none."""
        return self.lab / "engine"

    def layers(self, engine: str) -> Path:
        """A file with the overlay layers for this engine, one path a line, topmost first."""
        return self.lab / "layers" / engine

    @property
    def machines(self) -> Path:
        """One directory for each machine."""
        return self.lab / "machines"

    @property
    def efs(self) -> Path:
        """The file system that machines share; `down` removes it."""
        return self.lab / "efs"

    @property
    def cluster(self) -> Path:
        """The cluster's settings, and the user data of each role."""
        return self.lab / "cluster"
