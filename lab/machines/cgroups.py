"""One cgroup for each machine, in every hierarchy the host has.

Rule: start a machine only in its own cgroup. Engines that share a cgroup would manage each other's
containers, and `down` finds the lab's processes only by their cgroups.
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
"""On version 1 and 2: four times the default."""
_CPUSET_FILES: Final = ("cpuset.cpus", "cpuset.mems")


def is_unified() -> bool:
    """Whether the host has only cgroup v2."""
    return (ROOT / "cgroup.controllers").exists()


def boot_options() -> list[str]:
    """The nspawn options with which a machine's systemd accepts the host's cgroups."""
    # systemd 256 and later refuse v1 unless the kernel's command line has two options for it; this
    # replaces the second one.
    return [] if is_unified() else ["--setenv=SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1"]


def parents(membership: str, *, unified: bool) -> list[Path]:
    """Directories in which the lab makes its cgroups; `membership` is /proc/self/cgroup's text.

    On v1 this is our own cgroup, because others may be read-only. On v2 it is the root: a cgroup
    with processes in it, such as ours, cannot give controllers to children.
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
    """Make the cgroups of one machine below the lab's; keeps those that exist."""
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
                f"cannot make the cgroup {group} ({exc.strerror}); in a container, start it "
                "privileged with a writable /sys/fs/cgroup"
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
    """The command that enters these cgroups and then runs `argv`."""
    return ["sh", "-c", _ENTER, "sh", str(len(groups)), *map(str, groups), *argv]


def _delegate(group: Path) -> None:
    controllers = (group / "cgroup.controllers").read_text(encoding="ascii").split()
    for controller in controllers:
        # Without a controller that the host reserves a limit is missing, but the lab works.
        with contextlib.suppress(OSError):
            (group / "cgroup.subtree_control").write_text(f"+{controller}", encoding="ascii")


def _prefer(lab: Path) -> None:
    """Give the lab's machines priority over other work of the host.

    By default all of them together would get as much CPU time as one busy process of the host.
    """
    for file, share in _CPU_SHARES.items():
        if (lab / file).exists():
            (lab / file).write_text(share, encoding="ascii")


def _inherit(group: Path, file: str) -> None:
    """On v1 copy cpus and mems to a cpuset: without them it accepts no process."""
    path = group / file
    if path.exists() and not path.read_text(encoding="ascii").strip():
        path.write_text((group.parent / file).read_text(encoding="ascii"), encoding="ascii")


def leftovers(lab: str) -> list[Path]:
    """Every cgroup directory of this lab on the host, in all hierarchies."""
    groups = []
    for at, names, _ in os.walk(ROOT):
        if lab in names:
            groups.append(Path(at) / lab)
        # Do not descend into labs: their machines have thousands of cgroups.
        names[:] = [name for name in names if not name.startswith(CGROUP)]
    return groups


def processes(groups: list[Path]) -> set[int]:
    """Ids of all processes in these cgroups and below."""
    pids: set[int] = set()
    for group in groups:
        for at, _, _ in os.walk(group):
            with contextlib.suppress(OSError):
                pids.update(map(int, (Path(at) / "cgroup.procs").read_text().split()))
    # 0 stands for a process outside our pid namespace, which is not the lab's.
    return pids - {0}


def kill(groups: list[Path], *, within: float = 10) -> set[int]:
    """Kill every process in these cgroups; returns those that remain after `within` seconds."""
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
    """Remove these cgroups and all below, and the lab's own if empty; skips busy ones."""
    for group in groups:
        for at, _, _ in os.walk(group, topdown=False):
            with contextlib.suppress(OSError):
                Path(at).rmdir()
        if group.parent.name.startswith(CGROUP):
            with contextlib.suppress(OSError):
                group.parent.rmdir()
