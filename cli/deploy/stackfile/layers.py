"""Several stack files that Docker merges, seen as one document.

Rule: Docker itself merges the files that it gets. The merged document here is only for what we read
from it, such as the networks and the constraints.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from cli.deploy.stackfile.references import Table, deploy_of, part, services_of, table_of

_REPLACED: Final = frozenset({"command", "entrypoint", "test"})
"""Lists that a later file replaces. It extends every other list."""
_SECTIONS: Final = ("services", "networks", "volumes", "configs", "secrets")


def merged(layers: Sequence[Table]) -> Table:
    """Return the files' tables as one table. A later file takes precedence."""
    document = layers[0]
    for layer in layers[1:]:
        document = _merged(document, layer)
    return document


def without_nulls(table: Table) -> Table:
    """Return a stack file's table without the keys that have no value.

    All lines of a section may be commented out. Compose accepts this everywhere, Docker in some
    places. A null has a meaning in environments, labels, networks and volumes, where it stays.
    """
    document = {
        key: value for key, value in table.items() if key not in _SECTIONS or value is not None
    }
    for name, service in services_of(document):
        if service:
            stated = {key: value for key, value in service.items() if value is not None}
            for key in ("deploy", "healthcheck", "logging"):
                if key in stated:
                    stated[key] = _pruned(stated[key])
            document["services"][name] = stated
    return document


def fill_environment(document: Table, values: Mapping[str, str]) -> None:
    """Give each environment variable without a value the value of the same variable in `values`."""
    for _, service in services_of(document):
        match service.get("environment"):
            case dict() as table:
                for name, value in table.items():
                    if value is None and name in values:
                        table[name] = values[name]
            case list() as lines:
                service["environment"] = [
                    f"{line}={values[line]}" if isinstance(line, str) and line in values else line
                    for line in lines
                ]


def drop_unused(layers: Sequence[Table], used: Mapping[str, set[str]]) -> None:
    """Remove the top-level networks, volumes, configs and secrets that no service uses."""
    for layer in layers:
        for kind, names in used.items():
            if isinstance(layer.get(kind), dict):
                layer[kind] = {key: item for key, item in layer[kind].items() if key in names}


def constraints(document: Table) -> list[tuple[str, str]]:
    """Return the service name and the text of every placement constraint."""
    return [
        (name, str(constraint))
        for name, service in services_of(document)
        for constraint in _items(table_of(deploy_of(service).get("placement")).get("constraints"))
    ]


def is_empty(document: Table) -> bool:
    """Return whether the document has no service."""
    return not part(document, "services")


def _pruned(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {
        key: item if key == "labels" else _pruned(item)
        for key, item in value.items()
        if item is not None
    }


def _merged(below: Any, above: Any, key: str = "") -> Any:
    if above is None:
        return below
    if isinstance(below, list) and isinstance(above, dict):
        below = {str(item): None for item in below}
    if isinstance(below, dict) and isinstance(above, list):
        above = {str(item): None for item in above}
    if isinstance(below, dict) and isinstance(above, dict):
        return {
            name: _merged(below.get(name), above.get(name), name) for name in {**below, **above}
        }
    if isinstance(below, list) and isinstance(above, list) and key not in _REPLACED:
        return below + above
    return above


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
