"""Debian's archive: its address for this host, and its answer when it did not deliver.

Rule: the project contains no address. SPOTSWARM_LAB_MIRROR names the archive. Without it a Debian
host uses its own archive, and another host debootstrap's default.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from lab.host import LabError, run

MIRROR: Final = "SPOTSWARM_LAB_MIRROR"
"""Environment variable: the address of a Debian archive."""
COMPONENT: Final = "main"
_FIELDS: Final = "$(REPO_URI)|$(RELEASE)|$(COMPONENT)"


class ArchiveError(LabError):
    """The archive did not deliver what the lab asked for."""


def mirror() -> str:
    """The archive's address; empty for debootstrap's default."""
    if address := os.environ.get(MIRROR):
        return address
    release = _os_release()
    if release.get("ID") != "debian":
        return ""
    targets = run("apt-get", "indextargets", "--format", _FIELDS, "Created-By: Packages").stdout
    return mirror_in(targets, release.get("VERSION_CODENAME", ""))


def mirror_in(targets: str, suite: str) -> str:
    """The Debian archive in the output of `apt-get indextargets`; empty when there is none."""
    for line in targets.splitlines():
        address, release, component = line.split("|")
        # Other vendors reuse the suite's name; the distribution's archive has this component.
        if release == suite and component == COMPONENT and "debian" in address:
            return address
    return ""


def apt_settings() -> list[Path]:
    """The settings with which this host's apt accepts the archive."""
    return sorted(Path("/etc/apt/apt.conf.d").glob("99*"))


@contextmanager
def delivering(what: str, suite: str) -> Iterator[None]:
    """Turn a failure of debootstrap or apt into one that names the archive's answer.

    Raises:
        ArchiveError: names the missing part, and quotes the errors of apt or debootstrap.
    """
    try:
        yield
    except LabError as exc:
        address = mirror() or "debootstrap's default mirror"
        raise ArchiveError(
            f"Debian's archive did not deliver {what} of its release '{suite}' ({address}). "
            f"It answered:\n{answer_in(str(exc))}\n"
            f"This is not a fault of the lab: try again later, or set {MIRROR} to another mirror."
        ) from exc


def answer_in(output: str) -> str:
    """The error lines of apt or debootstrap; all of the output when there are none."""
    lines = [line.strip() for line in output.splitlines()]
    errors = [line for line in lines if line.startswith(("E:", "Err:"))]
    return "\n".join(f"  {line}" for line in errors or lines[-5:])


def _os_release() -> dict[str, str]:
    lines = Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    return {name: value.strip('"') for name, _, value in (line.partition("=") for line in lines)}
