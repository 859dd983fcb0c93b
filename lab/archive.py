"""Finds the URL of the Debian archive, and explains failed downloads.

Rule: no URL is hard-coded. The environment variable SPOTSWARM_LAB_MIRROR selects the archive. If
the variable is not set, the lab uses the archive in the host's apt configuration. On non-Debian
hosts, it uses debootstrap's default.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from lab.host import LabError, run

MIRROR: Final = "SPOTSWARM_LAB_MIRROR"
"""Environment variable with the URL of a Debian archive."""
COMPONENT: Final = "main"
_FIELDS: Final = "$(REPO_URI)|$(RELEASE)|$(COMPONENT)"


class ArchiveError(LabError):
    """The lab could not download packages from the Debian archive."""


def mirror() -> str:
    """Return the archive's URL, or an empty string if debootstrap should use its default."""
    if address := os.environ.get(MIRROR):
        return address
    release = _os_release()
    if release.get("ID") != "debian":
        return ""
    targets = run("apt-get", "indextargets", "--format", _FIELDS, "Created-By: Packages").stdout
    return mirror_in(targets, release.get("VERSION_CODENAME", ""))


def mirror_in(targets: str, suite: str) -> str:
    """Find the archive's URL in the output of `apt-get indextargets`.

    The result is an empty string if the output does not contain the URL.
    """
    for line in targets.splitlines():
        address, release, component = line.split("|")
        # Other vendors reuse the suite's name, but only Debian's archive has this component.
        if release == suite and component == COMPONENT and "debian" in address:
            return address
    return ""


def apt_settings() -> list[Path]:
    """Return the apt configuration files that this host needs to access the archive."""
    return sorted(Path("/etc/apt/apt.conf.d").glob("99*"))


@contextmanager
def delivering(what: str, suite: str) -> Iterator[None]:
    """Turn a debootstrap or apt failure in the `with` block into an `ArchiveError`.

    The error message says that `what` could not be downloaded.

    Raises:
        ArchiveError: if debootstrap or apt fails; the message includes the program's errors.
    """
    try:
        yield
    except LabError as exc:
        address = mirror() or "debootstrap's default mirror"
        raise ArchiveError(
            f"could not get {what} for Debian '{suite}' from the archive ({address}):\n"
            f"{answer_in(str(exc))}\n"
            f"The fault is not in the lab: try again later, or set {MIRROR} to another mirror."
        ) from exc


def answer_in(output: str) -> str:
    """Return the output's error lines or, if there are none, its last five lines."""
    lines = [line.strip() for line in output.splitlines()]
    errors = [line for line in lines if line.startswith(("E:", "Err:"))]
    return "\n".join(f"  {line}" for line in errors or lines[-5:])


def _os_release() -> dict[str, str]:
    lines = Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    return {name: value.strip('"') for name, _, value in (line.partition("=") for line in lines)}
