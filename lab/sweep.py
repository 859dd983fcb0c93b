"""Takes a lab down completely, even after a crash.

Rule: do not rely on saved state; look at the host instead. Find the machines' processes by the
lab's cgroups, the lab's daemon and servers by their command lines, and everything else by name. End
a process only if it certainly belongs to this lab, and never touch other labs.
"""

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import Final

from lab import sharing
from lab.host import remove_trees, run
from lab.machines import cgroups, firewall, net
from lab.machines.power import PROPAGATE
from lab.places import Places

DAEMON: Final = "lab.daemon"
"""The daemon's module; its first argument is the lab's directory."""
REGISTRY: Final = "lab.images.registry"
"""The registry's module; its first argument is the lab's directory."""
NEWSWIRE: Final = "lab.site.newswire"
"""The news wires' module; its first argument is the lab's directory."""
WINDOW: Final = "lab.site.window"
"""The module that forwards browsers to the site; its first argument is the lab's directory."""
_PROCESSES: Final = (DAEMON, REGISTRY, NEWSWIRE, WINDOW)


def sweep(places: Places) -> list[str]:
    """Remove the lab but keep the image cache; return a list of what could not be removed."""
    if (owner := sharing.owner(places)) not in {None, places.name}:
        return [f"all of {places.name}, because the lab {owner} is up and uses the same number"]
    _end(places)
    groups = cgroups.leftovers(places.cgroup)
    cgroups.kill(groups)
    if mounted := mounts(places):
        run("umount", *reversed(mounted), check=False)
    firewall.down(places)
    net.down(places)
    cgroups.remove(groups)
    if PROPAGATE.is_dir():
        for at in PROPAGATE.glob(f"{places.namespace_prefix}i-*"):
            with contextlib.suppress(OSError):
                at.rmdir()
    if not mounts(places):
        disks = places.machines.glob("*") if places.machines.is_dir() else ()
        remove_trees(*disks, *places.cache.glob(f"{places.building_prefix}*"))
        # Remove this directory last, because a second attempt would need its files.
        remove_trees(places.lab)
    sharing.release(places)
    return remains(places)


def remains(places: Places) -> list[str]:
    """List everything on the host that belongs to this lab (an empty list if the lab is down)."""
    groups = cgroups.leftovers(places.cgroup)
    leftovers = [f"process {pid}" for pid in sorted(cgroups.processes(groups))]
    leftovers += [f"{module} {pid}" for module, pid in processes(places).items()]
    leftovers += [f"cgroup {group}" for group in groups]
    leftovers += [f"mount {mount}" for mount in mounts(places)]
    leftovers += [f"namespace {name}" for name in net.namespaces(places)]
    leftovers += [f"link {name}" for name in net.links(places)]
    leftovers += [f"route {route}" for route in net.routes(places)]
    for table in ("nat", "filter"):
        leftovers += [f"iptables -t {table} {rule}" for rule in firewall.remains(places, table)]
    if places.lab.exists():
        leftovers.append(f"directory {places.lab}")
    return leftovers


def daemon(places: Places) -> int | None:
    """Return the process id of this lab's daemon, or None if it is not running."""
    return process(places, DAEMON)


def process(places: Places, module: str) -> int | None:
    """Return the id of this lab's process that runs `module`, or None if there is none."""
    return processes(places).get(module)


def processes(places: Places) -> dict[str, int]:
    """Return the process ids of this lab's daemon and servers, by module.

    Processes are found by the module and the lab's directory in their command lines. A process id
    that was saved in a file could now belong to another process.
    """
    running = {}
    for at in Path("/proc").glob("[0-9]*"):
        try:
            argv = (at / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        # A zombie has an empty command line.
        if argv[1:2] == [b"-m"] and argv[3:4] == [str(places.lab).encode()]:
            running[argv[2].decode()] = int(at.name)
    return {module: pid for module, pid in running.items() if module in _PROCESSES}


def mounts(places: Places) -> list[str]:
    """List the mount points below the lab's directories, oldest first."""
    table = Path("/proc/self/mountinfo").read_text(encoding="utf-8")
    points = [line.split()[4].encode().decode("unicode_escape") for line in table.splitlines()]
    roots = (f"{places.lab}/", f"{places.cache}/{places.building_prefix}")
    return [point for point in points if point.startswith(roots)]


def _end(places: Places) -> None:
    for pid in processes(places).values():
        _send(pid, signal.SIGTERM)
    deadline = time.monotonic() + 5
    while running := processes(places):
        if time.monotonic() > deadline:
            for pid in running.values():
                _send(pid, signal.SIGKILL)
        time.sleep(0.05)


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
