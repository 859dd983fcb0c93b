"""Where everything of the lab is: directories, addresses, names.

Rule: whatever the lab makes on the host carries one of the names below, so that `lab.sweep` finds
it after any crash without having been told about it.
"""

import os
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Final

REGION: Final = "eu-central-1"
ACCOUNT: Final = "123456789012"
ZONES: Final = tuple(f"{REGION}{letter}" for letter in "abc")

NETWORK: Final = IPv4Network("10.98.0.0/24")
"""Private addresses; each zone's subnet is a /26 of it."""
GATEWAY: Final = IPv4Address("10.98.0.1")
ELASTIC: Final = IPv4Network("10.99.0.0/24")
"""Stands for the Internet's side: Elastic IPs. The host never routes it anywhere."""
LEADER_ADDRESS: Final = IPv4Address("10.99.0.10")
METADATA: Final = IPv4Address("169.254.169.254")
AWS_PORT: Final = 4566
AWS_ENDPOINT: Final = f"http://{GATEWAY}:{AWS_PORT}"
REGISTRY: Final = f"{GATEWAY}:5000"
"""The lab's own registry, which is its engines' mirror too; they take it without TLS."""
EFS: Final = "/mnt/efs"
"""Where every machine has the file system that they share, as on AWS."""

BRIDGE: Final = "ssw-br0"
LINK_PREFIX: Final = "sswv-"
"""Host ends of the machines' cables, followed by the last octet of the address."""
NAMESPACE_PREFIX: Final = "ssw-"
"""Network namespaces and nspawn machines, followed by the instance id."""
CHAIN_PREFIX: Final = "SPOTSWARM-"
CGROUP: Final = "spotswarm-lab"


@dataclass(frozen=True, slots=True)
class Places:
    """The lab's two directories and the files in them."""

    lab: Path
    """State of the lab that is up; gone when it is down."""
    cache: Path
    """Baked images; outlives the lab."""

    @classmethod
    def here(cls) -> "Places":
        """As the environment says: SPOTSWARM_LAB_DIR and SPOTSWARM_LAB_CACHE."""
        return cls(
            lab=Path(os.environ.get("SPOTSWARM_LAB_DIR", "/var/lib/spotswarm-lab")),
            cache=Path(os.environ.get("SPOTSWARM_LAB_CACHE", "/var/cache/spotswarm-lab")),
        )

    @property
    def log(self) -> Path:
        """What the daemon said."""
        return self.lab / "daemon.log"

    @property
    def failure(self) -> Path:
        """Why the daemon could not start."""
        return self.lab / "failure"

    @property
    def account(self) -> Path:
        """The lab's own AWS key and what was furnished; there once the daemon is ready."""
        return self.lab / "account.json"

    @property
    def control(self) -> Path:
        """The daemon's socket: what is asked of the market."""
        return self.lab / "control.sock"

    @property
    def layers(self) -> Path:
        """The overlay layers machines boot from, one path a line, topmost first."""
        return self.lab / "layers"

    @property
    def sysctls(self) -> Path:
        """Kernel settings as they were before `up`."""
        return self.lab / "sysctls.json"

    @property
    def machines(self) -> Path:
        """One directory for each machine."""
        return self.lab / "machines"

    @property
    def efs(self) -> Path:
        """The file system that machines share; it goes with the lab."""
        return self.lab / "efs"

    @property
    def cluster(self) -> Path:
        """What the operator's commands left: settings, one user data for each role."""
        return self.lab / "cluster"
