"""Takes a lab down, completely and after any crash.

Rule: it relies only on the state of the host. It finds processes by our cgroups, the daemon by its
command, and everything else by this lab's names. It ends only processes that it can identify as
this lab's, and never touches other labs.
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
"""The module of the daemon; its first argument is the lab directory."""
REGISTRY: Final = "lab.images.registry"
"""The module of the registry; same first argument."""
NEWSWIRE: Final = "lab.site.newswire"
"""The module of the news wires; same first argument."""
WINDOW: Final = "lab.site.window"
"""The module that forwards browsers to the site; same first argument."""
_PROCESSES: Final = (DAEMON, REGISTRY, NEWSWIRE, WINDOW)


def sweep(places: Places) -> list[str]:
    """Remove everything of the lab but the image cache; returns what could not be removed."""
    if (owner := sharing.owner(places)) not in {None, places.name}:
        return [f"nothing of {places.name}: the lab {owner}, which is up, uses its number"]
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
        # Last: a second attempt needs the files in it.
        remove_trees(places.lab)
    sharing.release(places)
    return remains(places)


def remains(places: Places) -> list[str]:
    """A line for everything of this lab on the host; empty when the lab is down."""
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
    """Process id of this lab's daemon, if it runs."""
    return process(places, DAEMON)


def process(places: Places, module: str) -> int | None:
    """Process id of this lab's daemon, registry, wires or window, if it runs."""
    return processes(places).get(module)


def processes(places: Places) -> dict[str, int]:
    """Module → process id, of this lab's daemon, registry, wires and window while they run.

    Identifies them by module and lab directory in their commands: a process id in a file could
    belong to another process by now.
    """
    running = {}
    for at in Path("/proc").glob("[0-9]*"):
        try:
            argv = (at / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        # A zombie has no command.
        if argv[1:2] == [b"-m"] and argv[3:4] == [str(places.lab).encode()]:
            running[argv[2].decode()] = int(at.name)
    return {module: pid for module, pid in running.items() if module in _PROCESSES}


def mounts(places: Places) -> list[str]:
    """Mounts below the lab's directories, oldest first."""
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
