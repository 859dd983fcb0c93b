"""Reads generic resources, such as GPUs, as the engine describes them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any


def generic_resources(resources: Mapping[str, Any] | None) -> dict[str, int]:
    """Return how many there are of each kind, in a node's resources or a task's reservations.

    The engine names a kind with a number, or each resource of the kind by itself.
    """
    counts: Counter[str] = Counter()
    listed: Iterable[Mapping[str, Any]] = (resources or {}).get("GenericResources") or ()
    for each in listed:
        discrete, named = each.get("DiscreteResourceSpec"), each.get("NamedResourceSpec")
        if discrete:
            counts[str(discrete.get("Kind", ""))] += int(discrete.get("Value", 0))
        elif named:
            counts[str(named.get("Kind", ""))] += 1
    return dict(counts)
