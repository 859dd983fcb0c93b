"""Taking a lab down, completely and after any crash.

Rule: it trusts nothing but what is there. It finds processes by our cgroups, the daemon by its
command, everything else by this lab's names, and ends no process that it cannot tell to be the
lab's. Other labs are left alone.
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
"""The module of the daemon, which is started with the lab directory as its first argument."""
REGISTRY: Final = "lab.images.registry"
"""The module of the registry, which is started like the daemon."""
NEWSWIRE: Final = "lab.site.newswire"
"""The module of the news wires, which is started like the daemon."""
WINDOW: Final = "lab.site.window"
"""The module that leads browsers to the site, which is started like the daemon."""
_PROCESSES: Final = (DAEMON, REGISTRY, NEWSWIRE, WINDOW)


def sweep(places: Places) -> list[str]:
    """Remove everything of the lab but the image cache; returns what could not be removed."""
    if (owner := sharing.owner(places)) not in {None, places.name}:
        return [f"nothing of {places.name}: its number is that of the lab {owner}, which is up"]
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
        # Last: it holds what a second attempt needs to know.
        remove_trees(places.lab)
    sharing.release(places)
    return remains(places)


def remains(places: Places) -> list[str]:
    """Everything of this lab that is on the host, in words; empty when the lab is down."""
    groups = cgroups.leftovers(places.cgroup)
    found = [f"process {pid}" for pid in sorted(cgroups.processes(groups))]
    found += [f"{module} {pid}" for module, pid in processes(places).items()]
    found += [f"cgroup {group}" for group in groups]
    found += [f"mount {mount}" for mount in mounts(places)]
    found += [f"namespace {name}" for name in net.namespaces(places)]
    found += [f"link {name}" for name in net.links(places)]
    found += [f"route {route}" for route in net.routes(places)]
    for table in ("nat", "filter"):
        found += [f"iptables -t {table} {rule}" for rule in firewall.remains(places, table)]
    if places.lab.exists():
        found.append(f"directory {places.lab}")
    return found


def daemon(places: Places) -> int | None:
    """Process id of this lab's daemon, if it runs."""
    return process(places, DAEMON)


def process(places: Places, module: str) -> int | None:
    """Process id of this lab's daemon, registry, wires or window, if it runs."""
    return processes(places).get(module)


def processes(places: Places) -> dict[str, int]:
    """Module → process id, of this lab's daemon, registry, wires and window, as far as they run.

    By their commands, module and lab directory included: a number in a file could be anybody's.
    """
    found = {}
    for at in Path("/proc").glob("[0-9]*"):
        try:
            argv = (at / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        # A zombie has no command any more.
        if argv[1:2] == [b"-m"] and argv[3:4] == [str(places.lab).encode()]:
            found[argv[2].decode()] = int(at.name)
    return {module: pid for module, pid in found.items() if module in _PROCESSES}


def mounts(places: Places) -> list[str]:
    """Mounts below the lab's directories, in the order they were made."""
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
