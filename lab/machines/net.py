"""A lab's network: one bridge, and a namespace and a cable for each machine.

Rule: the lab sets a machine's address from outside before the boot, in place of EC2's DHCP; nothing
in the image knows the lab's network.
"""

import json
from pathlib import Path
from typing import Final

from lab.host import run
from lab.places import METADATA, Places

_MAC: Final = "02:53:50:4f:54:{:02x}"
"""The address of a bridge: locally administered, and different for each lab."""


def up(places: Places) -> None:
    """Make the bridge with the gateway and metadata addresses."""
    bridge, mac = places.bridge, _MAC.format(places.number)
    # Without a fixed address a bridge takes the lowest one of its ports. It would change while
    # machines join, and for a minute they would send packets to an address that does not exist.
    run("ip", "link", "add", bridge, "address", mac, "type", "bridge")
    run("ip", "addr", "add", f"{places.gateway}/{places.network.prefixlen}", "dev", bridge)
    run("ip", "addr", "add", f"{METADATA}/32", "dev", bridge)
    run("ip", "link", "set", bridge, "up")
    # Elastic IPs without a machine are unreachable, and never leave for a real network.
    run("ip", "route", "add", "blackhole", str(places.elastic))


def down(places: Places) -> None:
    """Remove every link, namespace and route of the lab."""
    lines = [f"link delete {name}" for name in links(places)]
    lines += [f"netns delete {name}" for name in namespaces(places)]
    lines += [f"route delete {route}" for route in routes(places)]
    # Forced: the kernel may have removed a route together with its link.
    run("ip", "-force", "-batch", "-", check=False, stdin="\n".join(lines) + "\n")


def plug(places: Places, instance: str, address: str) -> str:
    """Give a machine its namespace and cable; returns the namespace's name."""
    namespace, link = names(places, instance, address)
    run("ip", "netns", "add", namespace)
    # With br_netfilter the bridge returns a packet to the machine's own Elastic IP: hairpin.
    outside = f"""\
link add {link} type veth peer name host0 netns {namespace}
link set {link} master {places.bridge} up
link set {link} type bridge_slave hairpin on
"""
    inside = f"""\
link set lo up
addr add {address}/{places.network.prefixlen} dev host0
link set host0 up
route add default via {places.gateway}
"""
    run("ip", "-batch", "-", stdin=outside)
    run("ip", "-n", namespace, "-batch", "-", stdin=inside)
    return namespace


def connect(places: Places, instance: str, address: str) -> None:
    """Put a machine's cable back; idempotent."""
    run("ip", "link", "set", names(places, instance, address)[1], "up")


def disconnect(places: Places, instance: str, address: str) -> None:
    """Pull a machine's cable at the host's end; it reaches nothing, not even the metadata."""
    run("ip", "link", "set", names(places, instance, address)[1], "down")


def unplug(places: Places, instance: str, address: str) -> None:
    """Remove namespace and cable; does nothing if there are none."""
    namespace, link = names(places, instance, address)
    run("ip", "link", "delete", link, check=False)
    run("ip", "netns", "delete", namespace, check=False)


def names(places: Places, instance: str, address: str) -> tuple[str, str]:
    """The names of a machine's namespace and of its cable's end on the host."""
    return places.namespace_prefix + instance, places.link_prefix + address.rsplit(".", 1)[1]


def links(places: Places) -> list[str]:
    """The lab's links on the host."""
    shown = json.loads(run("ip", "-j", "link").stdout or "[]")
    return [
        link["ifname"]
        for link in shown
        if link["ifname"] == places.bridge or link["ifname"].startswith(places.link_prefix)
    ]


def namespaces(places: Places) -> list[str]:
    """The lab's network namespaces."""
    directory = Path("/run/netns")
    if not directory.is_dir():
        return []
    # `i-` begins every instance id; it keeps lab 1 apart from lab 12.
    prefix = f"{places.namespace_prefix}i-"
    return sorted(at.name for at in directory.iterdir() if at.name.startswith(prefix))


def routes(places: Places) -> list[str]:
    """The lab's routes on the host, as `ip route delete` takes them."""
    shown = run("ip", "route", "show", "root", str(places.elastic), check=False).stdout
    return [line.strip() for line in shown.splitlines()]
