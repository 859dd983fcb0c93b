"""The lab's network: a bridge and, for each machine, a network namespace and a virtual cable.

Rule: the lab sets a machine's address from outside before the machine boots, whereas EC2 uses DHCP.
Nothing in the image depends on the lab's network.
"""

import json
from pathlib import Path
from typing import Final

from lab.host import run
from lab.places import METADATA, Places

NAMESPACES: Final = Path("/run/netns")
"""Where `ip netns` keeps the named namespaces."""
_MAC: Final = "02:53:50:4f:54:{:02x}"
"""The MAC address of a bridge: locally administered, and different for each lab."""


def up(places: Places) -> None:
    """Create the bridge, and give it the addresses of the gateway and the metadata service."""
    bridge, mac = places.bridge, _MAC.format(places.number)
    # By default, a bridge takes the lowest MAC address of its ports. This address would change when
    # machines start, and for a minute they would send packets to an address that no longer exists.
    run("ip", "link", "add", bridge, "address", mac, "type", "bridge")
    run("ip", "addr", "add", f"{places.gateway}/{places.network.prefixlen}", "dev", bridge)
    run("ip", "addr", "add", f"{METADATA}/32", "dev", bridge)
    run("ip", "link", "set", bridge, "up")
    # Packets to an Elastic IP without a machine must not leave for a real network.
    run("ip", "route", "add", "blackhole", str(places.elastic))


def down(places: Places) -> None:
    """Remove the lab's network interfaces, namespaces and routes."""
    lines = [f"link delete {name}" for name in links(places)]
    lines += [f"netns delete {name}" for name in namespaces(places)]
    lines += [f"route delete {route}" for route in routes(places)]
    # Continue after errors, because the kernel may have removed a route together with its link.
    run("ip", "-force", "-batch", "-", check=False, stdin="\n".join(lines) + "\n")


def plug(places: Places, instance: str, address: str) -> str:
    """Create a machine's namespace and cable; return the namespace's name."""
    namespace, link = names(places, instance, address)
    # A reboot must not change the MAC address, because other machines remember it.
    mac = ":".join(("02", "53", *(f"{int(octet):02x}" for octet in address.split("."))))
    run("ip", "netns", "add", namespace)
    # With br_netfilter, a machine can reach its own Elastic IP only in hairpin mode.
    outside = f"""\
link add {link} type veth peer name host0 address {mac} netns {namespace}
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


def replug(places: Places, instance: str, address: str) -> None:
    """Replace a machine's namespace and cable before the machine boots.

    The old namespace still has the iptables rules of the previous engine. A real power cut would
    remove these rules. With Docker 20.10, ports that were published in an old namespace often
    refused connections.
    """
    if (NAMESPACES / names(places, instance, address)[0]).exists():
        unplug(places, instance, address)
    plug(places, instance, address)


def connect(places: Places, instance: str, address: str) -> None:
    """Reconnect a machine's cable, unless it is already connected."""
    run("ip", "link", "set", names(places, instance, address)[1], "up")


def disconnect(places: Places, instance: str, address: str) -> None:
    """Disconnect a machine's cable; the machine then cannot even reach the metadata service."""
    run("ip", "link", "set", names(places, instance, address)[1], "down")


def unplug(places: Places, instance: str, address: str) -> None:
    """Remove a machine's namespace and cable, if they exist."""
    namespace, link = names(places, instance, address)
    run("ip", "link", "delete", link, check=False)
    run("ip", "netns", "delete", namespace, check=False)


def names(places: Places, instance: str, address: str) -> tuple[str, str]:
    """Return the names of a machine's namespace and of its network interface on the host."""
    return places.namespace_prefix + instance, places.link_prefix + address.rsplit(".", 1)[1]


def links(places: Places) -> list[str]:
    """Return the names of the lab's network interfaces on the host."""
    shown = json.loads(run("ip", "-j", "link").stdout or "[]")
    return [
        link["ifname"]
        for link in shown
        if link["ifname"] == places.bridge or link["ifname"].startswith(places.link_prefix)
    ]


def namespaces(places: Places) -> list[str]:
    """Return the names of the lab's network namespaces."""
    directory = Path("/run/netns")
    if not directory.is_dir():
        return []
    # Every instance id begins with `i-`, which distinguishes lab 1 from lab 12.
    prefix = f"{places.namespace_prefix}i-"
    return sorted(at.name for at in directory.iterdir() if at.name.startswith(prefix))


def routes(places: Places) -> list[str]:
    """Return the lab's routes on the host, in the form that `ip route delete` accepts."""
    shown = run("ip", "route", "show", "root", str(places.elastic), check=False).stdout
    return [line.strip() for line in shown.splitlines()]
