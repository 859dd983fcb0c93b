"""The Docker engines a machine can have, and the Debian release each one comes with.

Rule: a machine's distribution never depends on the host's. As on EC2, the image id of an instance
selects the engine; see `lab.aws.account`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab.host import LabError


@dataclass(frozen=True, slots=True)
class Engine:
    """One choice of `--engine`."""

    name: str
    suite: str
    """The Debian release of the root file system."""
    python: str
    """That release's Python: the wheels in the image are for it."""
    packages: tuple[str, ...] = ()
    """Packages of the image beyond `ami/provision.sh list-packages`."""
    newer_suite: str = ""
    """The release that provides the engine when the root file system's own is older."""


FROM_NEWER: Final = ("docker.io", "docker-cli", "containerd", "runc")
"""Packages from the newer release; all others come from the root file system's own."""
# Since Debian 13 the docker command is a package of its own.
_TRIXIE: Final = ("docker-cli",)
_CHOICES: Final = (
    Engine("20.10", suite="bookworm", python="3.11"),
    Engine("26.1", suite="trixie", python="3.13", packages=_TRIXIE),
    # Testing changes: the bake takes the version that the archive has on that day.
    Engine("28.5", suite="trixie", python="3.13", packages=_TRIXIE, newer_suite="testing"),
)
ENGINES: Final = {engine.name: engine for engine in _CHOICES}
DEFAULT: Final = "26.1"


def choose(name: str) -> Engine:
    """The engine with this name.

    Raises:
        LabError: there is none.
    """
    if name not in ENGINES:
        raise LabError(f"the lab has no engine {name}; it has {', '.join(ENGINES)}")
    return ENGINES[name]


def package_version(layers: list[Path]) -> str:
    """The version of the package docker.io in an image; its topmost layer comes first."""
    for layer in layers:
        status = layer / "var/lib/dpkg/status"
        if status.exists():
            return version_in(status.read_text(encoding="utf-8"), "docker.io")
    return ""


def version_in(status: str, package: str) -> str:
    """A package's version in the text of dpkg's database; empty when it is not installed."""
    for entry in status.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in entry.splitlines() if ": " in line)
        if fields.get("Package") == package:
            return fields.get("Version", "")
    return ""
