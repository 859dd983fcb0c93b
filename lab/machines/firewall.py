"""The lab's iptables chains: way out, way between, and Elastic IPs.

Rule: rules of ours stand in chains of ours, and a built-in chain holds nothing but a jump to
one; so clean-up is "delete the jumps and the chains" and cannot hit anybody else's rule.
"""

import re
import shlex
from collections.abc import Mapping
from typing import Final

from lab.host import run
from lab.places import BRIDGE, CHAIN_PREFIX, ELASTIC, GATEWAY, NETWORK

_OUT: Final = f"{CHAIN_PREFIX}OUT"
_POINT: Final = f"{CHAIN_PREFIX}POINT"
_PASS: Final = f"{CHAIN_PREFIX}PASS"
_STALE: Final = f"{CHAIN_PREFIX}STALE"
_IN: Final = f"{CHAIN_PREFIX}IN"

_RULES: Final = f"""\
*nat
:{_OUT} - [0:0]
:{_POINT} - [0:0]
-A {_OUT} -s {NETWORK} -d {NETWORK} -m conntrack --ctstate DNAT -j MASQUERADE
-A {_OUT} -s {NETWORK} ! -o {BRIDGE} -j MASQUERADE
-I PREROUTING -d {ELASTIC} -j {_POINT}
-I OUTPUT -d {ELASTIC} -j {_POINT}
-I POSTROUTING -s {NETWORK} -j {_OUT}
COMMIT
*filter
:{_PASS} - [0:0]
:{_STALE} - [0:0]
:{_IN} - [0:0]
-A {_IN} -i {BRIDGE} -j ACCEPT
-I INPUT -j {_IN}
-A {_PASS} -j {_STALE}
-A {_PASS} -i {BRIDGE} -j ACCEPT
-A {_PASS} -o {BRIDGE} -j ACCEPT
-I FORWARD -j {_PASS}
COMMIT
"""


def up() -> None:
    """Install the chains. A machine that asks an Elastic IP gets its answer by way of the host:
    that is what the first rule is for, also when it asks its own.
    """
    _restore(_RULES)


def point(addresses: Mapping[str, str]) -> None:
    """Point each Elastic IP at a private address, all at once; others are pointed nowhere.

    Connections that began when an address pointed elsewhere are refused from now on. On AWS
    they break as well; without this conntrack would keep them on the old instance for ever.
    """
    nat = [f"-A {_POINT} -d {at}/32 -j DNAT --to-destination {to}" for at, to in addresses.items()]
    stale = [
        f"-A {_STALE} -p tcp -m conntrack --ctstate DNAT --ctorigdst {at} ! --ctreplsrc {to}"
        " -j REJECT --reject-with tcp-reset"
        for at, to in addresses.items()
    ]
    _restore(
        "\n".join(
            [
                *("*nat", f":{_POINT} - [0:0]", *nat, "COMMIT"),
                *("*filter", f":{_STALE} - [0:0]", *stale, "COMMIT", ""),
            ]
        )
    )
    # The host itself routes before it translates: give it a way for those that lead somewhere.
    shown = run("ip", "route", "show", "root", str(ELASTIC), "dev", BRIDGE, check=False).stdout
    for line in shown.splitlines():
        if line.split()[0] not in addresses:
            run("ip", "route", "delete", line.split()[0], "dev", BRIDGE, check=False)
    for at in addresses:
        run("ip", "route", "replace", at, "dev", BRIDGE, "src", str(GATEWAY))


def down() -> None:
    """Remove every rule and chain of ours, in whatever state they are; quiet when none is."""
    for table in ("nat", "filter"):
        for rule in remains(table):
            if rule.startswith("-A") and not rule.startswith(f"-A {CHAIN_PREFIX}"):
                run("iptables", "-w", "-t", table, "-D", *shlex.split(rule)[1:], check=False)
        ours = [rule.split()[1] for rule in remains(table) if rule.startswith("-N")]
        # Flush all before deleting any: a chain another one jumps to cannot go.
        for verb in ("-F", "-X"):
            for chain in ours:
                run("iptables", "-w", "-t", table, verb, chain, check=False)


def remains(table: str) -> list[str]:
    """What is ours in one table, as `iptables -S` says it."""
    shown = run("iptables", "-w", "-t", table, "-S", check=False).stdout
    return [line for line in shown.splitlines() if re.search(rf" {CHAIN_PREFIX}", line)]


def _restore(rules: str) -> None:
    run("iptables-restore", "-w", "--noflush", stdin=rules)
