"""The Docker engines that a machine can run, and the Debian release that contains each engine.

Rule: a machine's Debian release never depends on the host's release. An instance's image id selects
its engine, as on EC2; see `lab.aws.account`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab.host import LabError


@dataclass(frozen=True, slots=True)
class Engine:
    """A Docker engine that `--engine` can select."""

    name: str
    suite: str
    """The Debian release of the root file system."""
    python: str
    """The Python version in that release; the image's wheels are downloaded for this version."""
    packages: tuple[str, ...] = ()
    """Packages in the image in addition to those from `ami/provision.sh list-packages`."""
    newer_suite: str = ""
    """A newer release that contains the engine; empty if the root file system's release does."""


FROM_NEWER: Final = ("docker.io", "docker-cli", "containerd", "runc")
"""Packages from the newer release; all others come from the root file system's release."""
# Since Debian 13, the docker command is in its own package.
_TRIXIE: Final = ("docker-cli",)
_CHOICES: Final = (
    Engine("20.10", suite="bookworm", python="3.11"),
    Engine("26.1", suite="trixie", python="3.13", packages=_TRIXIE),
    # Debian testing changes, so the image gets whatever version the archive has that day.
    Engine("28.5", suite="trixie", python="3.13", packages=_TRIXIE, newer_suite="testing"),
)
ENGINES: Final = {engine.name: engine for engine in _CHOICES}
DEFAULT: Final = "26.1"


def choose(name: str) -> Engine:
    """Return the engine with this name.

    Raises:
        LabError: if there is no such engine.
    """
    if name not in ENGINES:
        raise LabError(f"the lab has no engine {name}; choose one of {', '.join(ENGINES)}")
    return ENGINES[name]


def package_version(layers: list[Path]) -> str:
    """Return the version of `docker.io` in an image, given the image's layers, topmost first."""
    for layer in layers:
        status = layer / "var/lib/dpkg/status"
        if status.exists():
            return version_in(status.read_text(encoding="utf-8"), "docker.io")
    return ""


def version_in(status: str, package: str) -> str:
    """Return a package's version from dpkg's database, or an empty string if it is not listed."""
    for entry in status.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in entry.splitlines() if ": " in line)
        if fields.get("Package") == package:
            return fields.get("Version", "")
    return ""
