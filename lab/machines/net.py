"""The lab's wires: one bridge, one namespace and cable for each machine.

Rule: a machine's address is set from outside before it boots, as EC2's DHCP would have it at
boot; nothing in the image knows the lab's network.
"""

import json
from pathlib import Path
from typing import Final

from lab.host import run
from lab.places import (
    BRIDGE,
    ELASTIC,
    GATEWAY,
    LINK_PREFIX,
    METADATA,
    NAMESPACE_PREFIX,
    NETWORK,
)

_SYSCTLS: Final = {
    "net.ipv4.ip_forward": 1,
    # Each systemd and each engine takes a handful; the usual 128 ends at about ten machines.
    "fs.inotify.max_user_instances": 8192,
    # Neighbour entries of all machines' overlays live in one table of the host's.
    "net.ipv4.neigh.default.gc_thresh3": 16384,
}
_PROC: Final = Path("/proc/sys")


_BRIDGE_MAC = "02:53:50:4f:54:01"
"""Locally administered, ours."""


def up(saved: Path) -> None:
    """Make the bridge with the gateway and metadata addresses; remember the sysctls in `saved`."""
    # Some are the host's alone: a lab in a container goes without them.
    known = [name for name in _SYSCTLS if _sysctl(name).exists()]
    before = {name: int(_sysctl(name).read_text(encoding="ascii")) for name in known}
    if not saved.exists():
        saved.write_text(json.dumps(before), encoding="ascii")
    for name, value in before.items():
        if value < _SYSCTLS[name]:
            _sysctl(name).write_text(str(_SYSCTLS[name]), encoding="ascii")
    # Of its own accord a bridge takes the lowest address of its ports: it would change under the
    # machines as others join, and their packets go to a gateway that is no more for a minute.
    run("ip", "link", "add", BRIDGE, "address", _BRIDGE_MAC, "type", "bridge")
    run("ip", "addr", "add", f"{GATEWAY}/{NETWORK.prefixlen}", "dev", BRIDGE)
    run("ip", "addr", "add", f"{METADATA}/32", "dev", BRIDGE)
    run("ip", "link", "set", BRIDGE, "up")
    # What is not pointed at a machine goes nowhere, least of all to a real network.
    run("ip", "route", "add", "blackhole", str(ELASTIC))


def down(saved: Path) -> None:
    """Take away every link, namespace and route of the lab and restore the sysctls."""
    for name in links():
        run("ip", "link", "delete", name, check=False)
    for name in namespaces():
        run("ip", "netns", "delete", name, check=False)
    for route in routes():
        run("ip", "route", "delete", *route.split(), check=False)
    if saved.exists():
        for name, value in json.loads(saved.read_text(encoding="ascii")).items():
            _sysctl(name).write_text(str(value), encoding="ascii")


def plug(instance: str, address: str) -> str:
    """Give a machine its namespace and cable; returns the namespace's name."""
    namespace, link = names(instance, address)
    inside = ("ip", "-n", namespace)
    run("ip", "netns", "add", namespace)
    run("ip", "link", "add", link, "type", "veth", "peer", "name", "host0", "netns", namespace)
    run("ip", "link", "set", link, "master", BRIDGE, "up")
    # With br_netfilter a packet to one's own Elastic IP is turned round inside the bridge.
    run("ip", "link", "set", link, "type", "bridge_slave", "hairpin", "on")
    run(*inside, "link", "set", "lo", "up")
    run(*inside, "addr", "add", f"{address}/{NETWORK.prefixlen}", "dev", "host0")
    run(*inside, "link", "set", "host0", "up")
    run(*inside, "route", "add", "default", "via", str(GATEWAY))
    return namespace


def connect(instance: str, address: str) -> None:
    """Put a machine's cable back; again is harmless."""
    run("ip", "link", "set", names(instance, address)[1], "up")


def disconnect(instance: str, address: str) -> None:
    """Pull a machine's cable at the host's end; nothing reaches it, metadata neither."""
    run("ip", "link", "set", names(instance, address)[1], "down")


def unplug(instance: str, address: str) -> None:
    """Take them away again; quiet when they are gone."""
    namespace, link = names(instance, address)
    run("ip", "link", "delete", link, check=False)
    run("ip", "netns", "delete", namespace, check=False)


def names(instance: str, address: str) -> tuple[str, str]:
    """Names of a machine's namespace and of its cable's end on the host."""
    return NAMESPACE_PREFIX + instance, LINK_PREFIX + address.rsplit(".", 1)[1]


def links() -> list[str]:
    """The lab's links on the host."""
    shown = json.loads(run("ip", "-j", "link").stdout or "[]")
    return [
        link["ifname"]
        for link in shown
        if link["ifname"] == BRIDGE or link["ifname"].startswith(LINK_PREFIX)
    ]


def namespaces() -> list[str]:
    """The lab's network namespaces."""
    held = Path("/run/netns")
    if not held.is_dir():
        return []
    return sorted(at.name for at in held.iterdir() if at.name.startswith(NAMESPACE_PREFIX))


def routes() -> list[str]:
    """The lab's routes on the host, as `ip route delete` takes them."""
    shown = run("ip", "route", "show", "root", str(ELASTIC), check=False).stdout
    return [line.strip() for line in shown.splitlines()]


def _sysctl(name: str) -> Path:
    return _PROC / name.replace(".", "/")
