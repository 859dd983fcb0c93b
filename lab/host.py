"""Runs programs on the host, and checks that the host has everything the lab needs.

Rule: the lab always runs programs through `run`, so that every error message shows the command and
its output.
"""

import contextlib
import importlib.util
import os
import platform
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from lab import needs

_PROGRAMS: Final = {
    "debootstrap": "debootstrap",
    "systemd-nspawn": "systemd-container",
    "ip": "iproute2",
    "iptables": "iptables",
    "iptables-restore": "iptables",
    "nsenter": "util-linux",
    "mount": "mount",
}
KEYRING: Final = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
"""Debian's archive keys. Without them, debootstrap would accept packages from any archive."""
_SCRIPTS: Final = Path("/usr/share/debootstrap/scripts")
_MODULES: Final = ("aiohttp", "boto3", "moto", "packaging", "rich", "setuptools", "typer")


class LabError(Exception):
    """The lab cannot continue; the message gives the reason and, if possible, a remedy."""


def run(
    *argv: str,
    check: bool = True,
    timeout: float | None = 60,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
) -> "subprocess.CompletedProcess[str]":
    """Run a program and wait for it to finish.

    Raises:
        LabError: if `check` is true and the program fails, or if the program takes too long.
    """
    try:
        done = subprocess.run(
            argv,
            check=False,
            capture_output=True,
            text=True,
            timeout=timeout,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            env=env,
        )
    except subprocess.TimeoutExpired:
        raise LabError(f"`{shlex.join(argv)}` did not finish within {timeout} s") from None
    if check and done.returncode != 0:
        output = (done.stderr or done.stdout).strip()[-2000:]
        raise LabError(f"`{shlex.join(argv)}` failed with status {done.returncode}: {output}")
    return done


def remove_trees(*roots: Path) -> None:
    """Remove directory trees in parallel, but not the contents of file systems mounted in them.

    For speed, this function runs `rm`; an engine's disk contains tens of thousands of files.
    """
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        argv = ("rm", "--recursive", "--force", "--one-file-system", "--")
        list(pool.map(lambda root: run(*argv, str(root), check=False, timeout=None), roots))


def prefer_this_process() -> None:
    """Give this process priority over other processes on the host.

    This process must be the leader of its session.
    """
    with contextlib.suppress(OSError):
        os.nice(-10)
    # With autogroups, a nice value applies only within a session.
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text("-10", encoding="ascii")


def check_needs(suite: str = "") -> None:
    """Check that this host has everything the lab needs.

    `suite` is the Debian release of the machines' image.

    Raises:
        LabError: if something is missing; the message says what is missing and how to get it.
    """
    if lines := needs.missing(look(), suite):
        raise LabError("this host lacks some things that the lab needs:\n  " + "\n  ".join(lines))


def look() -> needs.Host:
    """Collect the facts about this host that `check_needs` uses."""
    packages = {package for name, package in _PROGRAMS.items() if not shutil.which(name)}
    unified = (Path("/sys/fs/cgroup") / "cgroup.controllers").exists()
    return needs.Host(
        system=platform.system(),
        is_root=os.geteuid() == 0,
        packages=sorted(packages),
        modules=[name for name in _MODULES if not importlib.util.find_spec(name)],
        cgroups=needs.Cgroups.V2 if unified else needs.Cgroups.V1,
        nspawn=_nspawn_version() if shutil.which("systemd-nspawn") else 0,
        suites=[path.name for path in _SCRIPTS.iterdir()] if _SCRIPTS.is_dir() else [],
        has_keyring=KEYRING.exists(),
    )


def _nspawn_version() -> int:
    shown = run("systemd-nspawn", "--version", check=False).stdout.split()
    # The output begins with `systemd 257 (257.8-1~deb13u2)`; some distributions add a suffix to
    # the number.
    digits = re.match(r"\d+", shown[1]) if len(shown) > 1 else None
    return int(digits[0]) if digits else 0
