"""The host under the lab: running its programs, and what it must have.

Rule: every program the lab starts goes through `run`, so that a failure always shows the
command and what the program said.
"""

import importlib.util
import os
import platform
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from typing import Final

_PROGRAMS: Final = {
    "debootstrap": "debootstrap",
    "systemd-nspawn": "systemd-container",
    "ip": "iproute2",
    "iptables": "iptables",
    "iptables-restore": "iptables",
    "nsenter": "util-linux",
    "mount": "mount",
}
_MODULES: Final = ("aiohttp", "boto3", "moto", "packaging", "rich", "setuptools", "typer")


class LabError(Exception):
    """What stopped the lab, with what the person at the keyboard can do about it."""


def run(
    *argv: str,
    check: bool = True,
    timeout: float | None = 60,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
) -> "subprocess.CompletedProcess[str]":
    """Run one program to its end.

    Raises:
        LabError: it failed and `check` is set, or it took longer than `timeout` seconds.
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
        raise LabError(f"`{shlex.join(argv)}` did not end within {timeout} s") from None
    if check and done.returncode != 0:
        said = (done.stderr or done.stdout).strip()[-2000:]
        raise LabError(f"`{shlex.join(argv)}` failed ({done.returncode}): {said}")
    return done


def check_needs() -> None:
    """Raise a LabError that lists everything this host lacks and how to get it."""
    lacks: list[str] = []
    if platform.system() != "Linux":
        raise LabError(f"the lab needs Linux; this is {platform.system()}. Use a Linux machine.")
    if os.geteuid() != 0:
        lacks.append("root: run it as root (`sudo -E …`)")
    packages = sorted({pack for name, pack in _PROGRAMS.items() if not shutil.which(name)})
    if packages:
        lacks.append(f"programs: apt-get install {' '.join(packages)}")
    modules = [name for name in _MODULES if not importlib.util.find_spec(name)]
    if modules:
        lacks.append(f"Python packages {', '.join(modules)}: pip install -e '.[lab]'")
    if lacks:
        raise LabError("this host lacks what the lab needs\n  " + "\n  ".join(lacks))
