"""Find out whether a network has no address left for new tasks.

Swarm does not say so: a task without an address stays `new` and has no error.
"""

from collections.abc import Iterable, Mapping
from ipaddress import ip_interface, ip_network
from typing import Any, Final

Json = Mapping[str, Any]
_OVER: Final = frozenset({"complete", "shutdown", "failed", "rejected", "remove", "orphaned"})
_RESERVED: Final = 3
"""In each subnet: the network's address, the gateway's, and the last one."""


def exhaustion(
    network: Json, tasks: Iterable[Json], services: Iterable[Json], node_count: int
) -> str:
    """Return a sentence if the network has no address left; otherwise, an empty string.

    `tasks` and `services` are those of the whole swarm. Each node can use one more address, which
    the engine's API does not show.
    """
    total = sum(_size(part.get("Subnet", "")) for part in _subnets(network))
    used = _used(network["Id"], tasks, services)
    if not total or used + node_count < total:
        return ""
    rest = "" if used >= total else f", and the nodes use up to {node_count}"
    return f"network {network['Name']} has no address left ({used} of {total}{rest})"


def _subnets(network: Json) -> Iterable[Json]:
    parts: Iterable[Json] = (network.get("IPAM") or {}).get("Config") or ()
    return parts


def _size(subnet: str) -> int:
    try:
        network = ip_network(subnet, strict=False)
    except ValueError:
        return 0
    return max(0, network.num_addresses - _RESERVED) if network.version == 4 else 0


def _used(network: str, tasks: Iterable[Json], services: Iterable[Json]) -> int:
    addresses = set()
    for task in tasks:
        if task["Status"]["State"] in _OVER:
            continue
        for attachment in task.get("NetworksAttachments") or ():
            if (attachment.get("Network") or {}).get("ID") == network:
                addresses |= {_address(text) for text in attachment.get("Addresses") or ()}
    for service in services:
        for part in (service.get("Endpoint") or {}).get("VirtualIPs") or ():
            if part.get("NetworkID") == network and part.get("Addr"):
                addresses.add(_address(part["Addr"]))
    return len(addresses)


def _address(text: str) -> str:
    try:
        return str(ip_interface(text).ip)
    except ValueError:
        return text
