"""The directories, addresses and names of a lab.

A host can run several labs, each with a different name. Everything that a lab creates on the host
is named after the lab, or after a number computed from the lab's name. After a crash, `lab.sweep`
can therefore find everything without a record. It never touches another lab.
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
"""The metadata service's address, as on EC2; each lab serves it on its own bridge."""
AWS_PORT: Final = 4566
EFS: Final = "/mnt/efs"
"""The mount point of the file system that all machines share, like EFS on AWS."""

BUILDING: Final = "building-"
"""The prefix of the directories where labs bake images."""
CGROUP: Final = "spotswarm-lab"
"""The prefix of every lab's cgroup."""
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
    """The directory with the lab's state while the lab is up; `down` removes it."""
    cache: Path
    """The directory of baked images, which all labs share and `down` keeps."""
    name: str = DEFAULT_NAME

    @classmethod
    def here(cls, name: str | None = None) -> "Places":
        """Return the `Places` of a lab (by default, the lab named in SPOTSWARM_LAB_NAME).

        SPOTSWARM_LAB_DIR and SPOTSWARM_LAB_CACHE override the default directories. Unless the lab
        is named `demo`, its name is appended to the name of its directory. All labs use the same
        cache directory.

        Raises:
            ValueError: if the name is not valid.
        """
        name = name or os.environ.get(NAME_VARIABLE) or DEFAULT_NAME
        if not _NAME.fullmatch(name):
            raise ValueError(
                f"{name!r} is not a valid lab name: use up to 24 characters from a-z, 0-9 and '-', "
                "and begin with a letter"
            )
        lab = Path(os.environ.get(_DIRECTORY_VARIABLE, "/var/lib/spotswarm-lab"))
        if name != DEFAULT_NAME:
            lab = lab.with_name(f"{lab.name}-{name}")
        cache = Path(os.environ.get(_CACHE_VARIABLE, "/var/cache/spotswarm-lab"))
        return cls(lab=lab, cache=cache, name=name)

    @property
    def command(self) -> str:
        """The command that a user types to control the lab, such as `python -m lab --name NAME`."""
        option = "" if self.name == DEFAULT_NAME else f" --name {self.name}"
        return f"python -m lab{option}"

    def environment(self) -> Mapping[str, str]:
        """Return environment variables that make a child process use the same lab."""
        return {**os.environ, NAME_VARIABLE: self.name}

    @property
    def number(self) -> int:
        """The lab's number, unique among running labs: 0 for `demo`, or 1 to 254 for other labs."""
        if self.name == DEFAULT_NAME:
            return 0
        return 1 + zlib.crc32(self.name.encode()) % _NUMBERS

    @property
    def network(self) -> IPv4Network:
        """The network of private addresses; each availability zone has a /26 subnet."""
        return IPv4Network(f"10.98.{self.number}.0/24")

    @property
    def gateway(self) -> IPv4Address:
        """The host's address on the private network."""
        return self.network[1]

    @property
    def elastic(self) -> IPv4Network:
        """The network of Elastic IPs; packets to these addresses never leave the host."""
        return IPv4Network(f"10.99.{self.number}.0/24")

    @property
    def leader_address(self) -> IPv4Address:
        """The leader's Elastic IP."""
        return self.elastic[10]

    @property
    def aws_endpoint(self) -> str:
        """The URL of the lab's AWS endpoint."""
        return f"http://{self.gateway}:{AWS_PORT}"

    @property
    def registry(self) -> str:
        """The host and port of the lab's registry, a mirror of Docker Hub that does not use TLS."""
        return f"{self.gateway}:5000"

    @property
    def window_port(self) -> int:
        """The port on this host where browsers can open the site."""
        return 20_000 + self.number if self.number else 8000

    @property
    def bridge(self) -> str:
        """The name of the network bridge between the machines and the host."""
        return f"ssw{self._tag}-br0"

    @property
    def link_prefix(self) -> str:
        """The name prefix for machines' network interfaces on the host."""
        return f"sswv{self._tag}-"

    @property
    def namespace_prefix(self) -> str:
        """The name prefix for the lab's network namespaces and nspawn machines."""
        return f"ssw{self._tag}-"

    @property
    def chain_prefix(self) -> str:
        """The name prefix for the lab's iptables chains."""
        return f"SPOTSWARM{self._tag}-"

    @property
    def cgroup(self) -> str:
        """The name of the cgroup that contains the machines' cgroups."""
        return CGROUP if self.name == DEFAULT_NAME else f"{CGROUP}-{self.name}"

    @property
    def building_prefix(self) -> str:
        """The name prefix for the cache directories where this lab bakes images."""
        return f"{BUILDING}{self.name}."

    @property
    def _tag(self) -> str:
        return str(self.number) if self.number else ""

    @property
    def log(self) -> Path:
        """The daemon's log file."""
        return self.lab / "daemon.log"

    @property
    def failure(self) -> Path:
        """A file that says why the daemon could not start."""
        return self.lab / "failure"

    @property
    def account(self) -> Path:
        """A file with the lab's AWS key and resource ids, written when the daemon is ready."""
        return self.lab / "account.json"

    @property
    def control(self) -> Path:
        """The socket where the daemon accepts commands for the simulated spot market."""
        return self.lab / "control.sock"

    @property
    def engine(self) -> Path:
        """A file with the name of the engine that new instances get by default."""
        return self.lab / "engine"

    def layers(self, engine: str) -> Path:
        """Return the path of the file that lists an engine's layers, topmost first."""
        return self.lab / "layers" / engine

    @property
    def machines(self) -> Path:
        """The directory that contains a subdirectory for each machine."""
        return self.lab / "machines"

    @property
    def efs(self) -> Path:
        """The directory that all machines mount in place of EFS; the command `down` removes it."""
        return self.lab / "efs"

    @property
    def cluster(self) -> Path:
        """The directory with the cluster's settings and the user data for each role."""
        return self.lab / "cluster"
