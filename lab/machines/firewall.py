"""The lab's iptables chains for Elastic IPs, outbound traffic and traffic between machines.

Rule: put every rule in one of the lab's chains. Add nothing to the built-in chains except jumps to
the lab's chains. The clean-up deletes only these jumps and chains, so it cannot remove the rules of
other programs.
"""

import re
from collections.abc import Mapping
from typing import Final

from lab.host import run
from lab.places import Places

_RULES: Final = """\
*nat
:{chains}OUT - [0:0]
:{chains}POINT - [0:0]
-A {chains}OUT -s {network} -d {network} -m conntrack --ctstate DNAT -j MASQUERADE
-A {chains}OUT -s {network} ! -o {bridge} -j MASQUERADE
-I PREROUTING -d {elastic} -j {chains}POINT
-I OUTPUT -d {elastic} -j {chains}POINT
-I POSTROUTING -s {network} -j {chains}OUT
COMMIT
*filter
:{chains}PASS - [0:0]
:{chains}STALE - [0:0]
:{chains}IN - [0:0]
-A {chains}IN -i {bridge} -j ACCEPT
-I INPUT -j {chains}IN
-A {chains}PASS -j {chains}STALE
-A {chains}PASS -i {bridge} -j ACCEPT
-A {chains}PASS -o {bridge} -j ACCEPT
-I FORWARD -j {chains}PASS
COMMIT
"""


def up(places: Places) -> None:
    """Install the lab's chains and their initial rules.

    When a machine connects to an Elastic IP, even its own, the replies must return through the
    host. The first rule ensures this.
    """
    rules = _RULES.format(
        chains=places.chain_prefix,
        network=places.network,
        elastic=places.elastic,
        bridge=places.bridge,
    )
    _restore(rules)


def point(places: Places, addresses: Mapping[str, str]) -> None:
    """Forward each of these Elastic IPs to its private address; stop forwarding all others.

    If an Elastic IP has moved, existing connections to its previous instance are reset. They would
    break on AWS too. Without a reset, conntrack would keep forwarding them to the old instance.
    """
    chain, stale_chain = f"{places.chain_prefix}POINT", f"{places.chain_prefix}STALE"
    bridge = places.bridge
    nat = [f"-A {chain} -d {at}/32 -j DNAT --to-destination {to}" for at, to in addresses.items()]
    stale = [
        f"-A {stale_chain} -p tcp -m conntrack --ctstate DNAT --ctorigdst {at} ! --ctreplsrc {to}"
        " -j REJECT --reject-with tcp-reset"
        for at, to in addresses.items()
    ]
    _restore(
        "\n".join(
            [
                *("*nat", f":{chain} - [0:0]", *nat, "COMMIT"),
                *("*filter", f":{stale_chain} - [0:0]", *stale, "COMMIT", ""),
            ]
        )
    )
    # The host routes packets before it translates addresses, so each Elastic IP needs a route.
    argv = ("ip", "route", "show", "root", str(places.elastic), "dev", bridge)
    shown = run(*argv, check=False).stdout
    for line in shown.splitlines():
        if line.split()[0] not in addresses:
            run("ip", "route", "delete", line.split()[0], "dev", bridge, check=False)
    for at in addresses:
        run("ip", "route", "replace", at, "dev", bridge, "src", str(places.gateway))


def down(places: Places) -> None:
    """Remove all of the lab's rules and chains, even if some are already missing."""
    for table in ("nat", "filter"):
        rules = remains(places, table)
        chains = [rule.split()[1] for rule in rules if rule.startswith("-N")]
        jumps = [
            rule.removeprefix("-A ")
            for rule in rules
            if rule.startswith("-A") and not rule.startswith(f"-A {places.chain_prefix}")
        ]
        # Flush all chains first, because iptables cannot delete a chain that is a jump target.
        lines = [f"-D {jump}" for jump in jumps]
        lines += [f"{verb} {chain}" for verb in ("-F", "-X") for chain in chains]
        if lines:
            text = "\n".join([f"*{table}", *lines, "COMMIT", ""])
            run("iptables-restore", "-w", "--noflush", check=False, stdin=text)


def remains(places: Places, table: str) -> list[str]:
    """Return the lab's rules and chains in one table, as `iptables -S` prints them."""
    shown = run("iptables", "-w", "-t", table, "-S", check=False).stdout
    return [line for line in shown.splitlines() if re.search(rf" {places.chain_prefix}", line)]


def _restore(rules: str) -> None:
    run("iptables-restore", "-w", "--noflush", stdin=rules)
