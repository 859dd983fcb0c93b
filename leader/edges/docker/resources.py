"""Reads generic resources, such as GPUs, as the engine describes them."""

from collections import Counter

from leader.edges.docker.fields import Table, number, table, tables, text


def generic_resources(resources: Table | None) -> dict[str, int]:
    """Return how many there are of each kind, in a node's resources or a task's reservations.

    The engine names a kind with a number, or each resource of the kind by itself. Raises
    `StrangeRow` if the resources cannot be read.
    """
    counts: Counter[str] = Counter()
    for each in tables(resources or {}, "GenericResources"):
        discrete, named = table(each, "DiscreteResourceSpec"), table(each, "NamedResourceSpec")
        if discrete:
            counts[text(discrete, "Kind")] += number(discrete, "Value")
        elif named:
            counts[text(named, "Kind")] += 1
    return dict(counts)
