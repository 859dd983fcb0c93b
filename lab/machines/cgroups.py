"""Manages each machine's cgroups: one cgroup in every cgroup hierarchy of the host.

Rule: start each machine in its own cgroups. Engines that share a cgroup would manage each other's
containers. The command `down` also uses the cgroups to find the machines' processes.
"""

import contextlib
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from lab.host import LabError
from lab.places import CGROUP

ROOT: Final = Path("/sys/fs/cgroup")
_ENTER: Final = (
    'n=$1; shift; while [ "$n" -gt 0 ]; do echo $$ >"$1/cgroup.procs" || exit 125;'
    ' shift; n=$((n - 1)); done; exec "$@"'
)
_CPU_SHARES: Final = {"cpu.shares": "4096", "cpu.weight": "400"}
"""Files of cgroup v1 and v2, each with four times its default value."""
_CPUSET_FILES: Final = ("cpuset.cpus", "cpuset.mems")


def is_unified() -> bool:
    """Return whether the host uses only cgroup v2."""
    return (ROOT / "cgroup.controllers").exists()


def boot_options() -> list[str]:
    """Return the nspawn options that make a machine's systemd accept the host's cgroups."""
    # systemd 256 and later reject v1 unless the kernel's command line has two special options;
    # this variable replaces the second option.
    return [] if is_unified() else ["--setenv=SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1"]


def parents(membership: str, *, unified: bool) -> list[Path]:
    """Return the directories where the lab creates its cgroups.

    `membership` is the text of /proc/self/cgroup. On v1, return the directories of this process's
    cgroups, because other directories may be read-only. On v2, return the root directory, because
    no other cgroup that contains processes can enable controllers for its child cgroups.
    """
    if unified:
        return [ROOT]
    directories = []
    for line in membership.splitlines():
        _, controllers, path = line.split(":", 2)
        mount = controllers.removeprefix("name=") or "unified"
        directories.append(ROOT / mount / path.lstrip("/"))
    return directories


def create(lab: str, name: str) -> list[Path]:
    """Create a machine's cgroups if they do not exist; return the cgroups' directories."""
    unified = is_unified()
    membership = Path("/proc/self/cgroup").read_text(encoding="ascii")
    groups = []
    for parent in parents(membership, unified=unified):
        if not parent.is_dir():
            continue
        group = parent / lab / name
        try:
            group.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise LabError(
                f"could not create the cgroup {group} ({exc.strerror}); if this host is a "
                "container, start the container privileged and with a writable /sys/fs/cgroup"
            ) from exc
        if unified:
            _delegate(parent)
            _delegate(parent / lab)
        _prefer(parent / lab)
        for file in _CPUSET_FILES:
            for level in (parent / lab, group):
                _inherit(level, file)
        groups.append(group)
    return groups


def starting_in(groups: list[Path], argv: Sequence[str]) -> list[str]:
    """Return a command that enters these cgroups and then runs `argv`."""
    return ["sh", "-c", _ENTER, "sh", str(len(groups)), *map(str, groups), *argv]


def _delegate(group: Path) -> None:
    controllers = (group / "cgroup.controllers").read_text(encoding="ascii").split()
    for controller in controllers:
        # If the host reserves a controller, a limit is missing, but the lab still works.
        with contextlib.suppress(OSError):
            (group / "cgroup.subtree_control").write_text(f"+{controller}", encoding="ascii")


def _prefer(lab: Path) -> None:
    """Give the lab's machines priority over other processes on the host.

    By default, all machines together would get no more CPU time than one other busy process. An
    engine that has to wait for the CPU misses heartbeats, and Swarm then moves its tasks.
    """
    for file, share in _CPU_SHARES.items():
        if (lab / file).exists():
            (lab / file).write_text(share, encoding="ascii")


def _inherit(group: Path, file: str) -> None:
    """If a cpuset setting is empty, copy it from the parent cgroup.

    On v1, a cgroup with an empty cpuset accepts no processes.
    """
    path = group / file
    if path.exists() and not path.read_text(encoding="ascii").strip():
        path.write_text((group.parent / file).read_text(encoding="ascii"), encoding="ascii")


def leftovers(lab: str) -> list[Path]:
    """Return the directories of this lab's cgroups in all of the host's cgroup hierarchies."""
    groups = []
    for at, names, _ in os.walk(ROOT):
        if lab in names:
            groups.append(Path(at) / lab)
        # Do not descend into labs, because their machines have thousands of cgroups.
        names[:] = [name for name in names if not name.startswith(CGROUP)]
    return groups


def processes(groups: list[Path]) -> set[int]:
    """Return the ids of all processes in these cgroups and all cgroups below them."""
    pids: set[int] = set()
    for group in groups:
        for at, _, _ in os.walk(group):
            with contextlib.suppress(OSError):
                pids.update(map(int, (Path(at) / "cgroup.procs").read_text().split()))
    # 0 represents a process outside our pid namespace, which does not belong to the lab.
    return pids - {0}


def kill(groups: list[Path], *, within: float = 10) -> set[int]:
    """Kill all processes in these cgroups, and wait at most `within` seconds for them to end.

    Return the ids of the processes that have not ended.
    """
    deadline = time.monotonic() + within
    while alive := processes(groups):
        for pid in alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            return alive
        time.sleep(0.05)
    return set()


def remove(groups: list[Path]) -> None:
    """Remove these cgroups and all cgroups below them, except those that are in use.

    Also remove the parent cgroup of the lab's machines, if it is empty.
    """
    for group in groups:
        for at, _, _ in os.walk(group, topdown=False):
            with contextlib.suppress(OSError):
                Path(at).rmdir()
        if group.parent.name.startswith(CGROUP):
            with contextlib.suppress(OSError):
                group.parent.rmdir()
