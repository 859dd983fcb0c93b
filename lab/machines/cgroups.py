"""One cgroup for each machine, in every hierarchy the host has.

Rule: never start a machine outside its own cgroup. Engines that share one would manage each
other's containers, and `down` finds the lab's processes by cgroup alone.
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
    """Whether the host has cgroup v2 alone."""
    return (ROOT / "cgroup.controllers").exists()


def boot_options() -> list[str]:
    """What nspawn needs so that a machine's systemd accepts the host's cgroups."""
    # systemd 256 and later refuse v1 unless the kernel's command line asks for it twice; this
    # stands for the second time.
    return [] if is_unified() else ["--setenv=SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1"]


def parents(membership: str, *, unified: bool) -> list[Path]:
    """Directories in which the lab makes its cgroups; `membership` is /proc/self/cgroup.

    On v1 below our own cgroup, which may be all we are allowed to write. On v2 at the root: a
    cgroup that holds processes, as ours does, cannot give controllers to children.
    """
    if unified:
        return [ROOT]
    found = []
    for line in membership.splitlines():
        _, controllers, path = line.split(":", 2)
        mount = controllers.removeprefix("name=") or "unified"
        found.append(ROOT / mount / path.lstrip("/"))
    return found


def create(lab: str, name: str) -> list[Path]:
    """Make the cgroups of one machine below a lab's; existing ones are taken as they are."""
    unified = is_unified()
    membership = Path("/proc/self/cgroup").read_text(encoding="ascii")
    made = []
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
        made.append(group)
    return made


def starting_in(groups: list[Path], argv: Sequence[str]) -> list[str]:
    """The command that runs `argv` inside these cgroups, from its first instruction on."""
    return ["sh", "-c", _ENTER, "sh", str(len(groups)), *map(str, groups), *argv]


def _delegate(group: Path) -> None:
    controllers = (group / "cgroup.controllers").read_text(encoding="ascii").split()
    for controller in controllers:
        # A controller the host keeps for itself costs us a limit, not the lab.
        with contextlib.suppress(OSError):
            (group / "cgroup.subtree_control").write_text(f"+{controller}", encoding="ascii")


def _prefer(lab: Path) -> None:
    """Let the lab's machines go before what else the host does, as if the processors were theirs.

    By default all of them together would get as much as one busy process beside them.
    """
    for file, share in _CPU_SHARES.items():
        if (lab / file).exists():
            (lab / file).write_text(share, encoding="ascii")


def _inherit(group: Path, file: str) -> None:
    """v1: a cpuset without cpus and mems takes no process at all."""
    path = group / file
    if path.exists() and not path.read_text(encoding="ascii").strip():
        path.write_text((group.parent / file).read_text(encoding="ascii"), encoding="ascii")


def leftovers(lab: str) -> list[Path]:
    """Every cgroup directory of this lab on the host, whoever made it."""
    found = []
    for at, names, _ in os.walk(ROOT):
        if lab in names:
            found.append(Path(at) / lab)
        # A lab's machines have thousands of groups, and no lab in them.
        names[:] = [name for name in names if not name.startswith(CGROUP)]
    return found


def processes(groups: list[Path]) -> set[int]:
    """Ids of all processes in these cgroups and below."""
    found: set[int] = set()
    for group in groups:
        for at, _, _ in os.walk(group):
            with contextlib.suppress(OSError):
                found.update(map(int, (Path(at) / "cgroup.procs").read_text().split()))
    # 0 stands for a process outside our pid namespace: not ours to touch.
    return found - {0}


def kill(groups: list[Path], *, within: float = 10) -> set[int]:
    """Kill every process in these cgroups; returns those still there after `within` seconds."""
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
    """Remove these cgroups and all below, and the lab's own when empty; what is busy stays."""
    for group in groups:
        for at, _, _ in os.walk(group, topdown=False):
            with contextlib.suppress(OSError):
                Path(at).rmdir()
        if group.parent.name.startswith(CGROUP):
            with contextlib.suppress(OSError):
                group.parent.rmdir()
