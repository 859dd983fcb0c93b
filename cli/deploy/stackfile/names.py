"""The names that a stack's parts get in the swarm.

Rule: a name that Swarm refuses is an error before anything is changed. Docker would make networks,
secrets and configs first, and fail at the first service.
"""

import re
from collections.abc import Iterator
from typing import Final

from cli.deploy.stackfile.references import Table, external_name, part, services_of, table_of, uses

_LONGEST: Final = 63
_LONGEST_OBJECT: Final = 64
_NAME: Final = re.compile(r"[a-zA-Z0-9](?:[-_]*[A-Za-z0-9]+)*")
_OBJECT: Final = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9._-]*[a-zA-Z0-9])?")


def refused(stack: str, document: Table) -> Iterator[str]:
    """Yield a sentence for every service, network, secret or config whose name Swarm refuses."""
    used_networks: set[str] = set()
    for key, service in services_of(document):
        used_networks |= uses(service, "networks")
        yield from _problems("service", key, f"{stack}_{key}")
    networks = part(document, "networks")
    for key in sorted(used_networks & {"default", *networks}):
        network = networks.get(key)
        if external_name(key, network) is None:
            name = str(table_of(network).get("name") or f"{stack}_{key}")
            yield from _problems("network", key, name)
    for kind, singular in (("secrets", "secret"), ("configs", "config")):
        for key, definition in part(document, kind).items():
            external = external_name(key, definition)
            name = external or str(table_of(definition).get("name") or f"{stack}_{key}")
            yield from _object_problems(singular, key, name)


def _problems(kind: str, key: str, name: str) -> Iterator[str]:
    if len(name) > _LONGEST:
        yield (
            f"{kind} {key}: the name {name} has {len(name)} characters, and Swarm allows"
            f" {_LONGEST}; shorten the key or the stack's name"
        )
    elif not _NAME.fullmatch(name):
        yield (
            f"{kind} {key}: Swarm refuses the name {name}; use letters, digits, - and _, and end"
            " with a letter or digit"
        )


def _object_problems(kind: str, key: str, name: str) -> Iterator[str]:
    if len(name) > _LONGEST_OBJECT:
        yield (
            f"{kind} {key}: the name {name} has {len(name)} characters, and Swarm allows"
            f" {_LONGEST_OBJECT}; shorten it"
        )
    elif not _OBJECT.fullmatch(name):
        yield (
            f"{kind} {key}: Swarm refuses the name {name}; use letters, digits, - _ and ., and"
            " begin and end with a letter or digit"
        )
