"""Which networks, volumes, configs and secrets a service uses, in Compose's short and long syntax.

Rule: nothing here raises an error for a value of an unexpected type. Docker's client, which reads
the whole document before anything is changed, says what is wrong with it.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from cli.deploy.stackfile.syntax.scalars import is_true

Table = dict[str, Any]

KINDS: Final = ("networks", "volumes", "configs", "secrets")
_DEFAULT: Final = "default"
"""The network of a service that names no network."""
_PATH: Final = re.compile(r"[./~\\]|[A-Za-z]:[\\/]")
"""The beginning of a path on the host, as opposed to the name of a volume."""


def table_of(value: Any) -> Table:
    """Return a value if it is a table; otherwise, an empty table."""
    return value if isinstance(value, dict) else {}


def items_of(value: Any) -> list[Any]:
    """Return a value if it is a list; otherwise, an empty list."""
    return value if isinstance(value, list) else []


def part(document: Table, kind: str) -> Table:
    """Return a top-level table of the document, or an empty table."""
    return table_of(document.get(kind))


def services_of(document: Table) -> Iterator[tuple[str, Table]]:
    """Yield the name and the table of every service."""
    for name, service in part(document, "services").items():
        yield name, table_of(service)


def deploy_of(service: Table) -> Table:
    """Return a service's `deploy` table, or an empty table."""
    return table_of(service.get("deploy"))


def mapping_of(value: Any) -> Table:
    """Return labels or environment variables as a table. A list item is `NAME=VALUE` or `NAME`."""
    if not isinstance(value, list):
        return table_of(value)
    pairs = [str(item).partition("=") for item in value if isinstance(item, str)]
    return {name: text if equals else None for name, equals, text in pairs}


def uses(service: Table, kind: str) -> set[str]:
    """Return the top-level names of one kind that a service uses."""
    match kind:
        case "networks":
            networks = service.get("networks") or [_DEFAULT]
            return {name for name in _iterable(networks) if isinstance(name, str)}
        case "volumes":
            volumes = items_of(service.get("volumes"))
            return {name for volume in volumes if (name := _volume(volume))}
        case _:
            names = {source(use) for use in items_of(service.get(kind))}
            if kind == "configs":
                names.add(str(table_of(service.get("credential_spec")).get("config") or ""))
            return names - {""}


def source(use: Any) -> str:
    """Return the config or secret that a service's reference names, or an empty string."""
    name = use.get("source") if isinstance(use, dict) else use
    return name if isinstance(name, str) else ""


def undefined(document: Table) -> Iterator[str]:
    """Yield a sentence for every reference to a part that the document does not define.

    Docker finds these errors only after it has changed the swarm.
    """
    for name, service in services_of(document):
        for kind in KINDS:
            defined = {*part(document, kind), *([_DEFAULT] if kind == "networks" else [])}
            for absent in sorted(uses(service, kind) - defined):
                yield (
                    f"services.{name}.{kind}: {absent} is not defined; add it to the top-level"
                    f" {kind}, or correct the name"
                )


def external_name(key: str, definition: Any) -> str | None:
    """Return the name of an external network, volume, config or secret in the swarm.

    Return None if the definition is not external.
    """
    table = table_of(definition)
    external = table.get("external")
    if isinstance(external, dict):
        return str(external.get("name") or table.get("name") or key)
    return str(table.get("name") or key) if is_true(external) else None


def _volume(volume: Any) -> str:
    if isinstance(volume, dict):
        name = volume.get("source")
        kind = volume.get("type", "volume")
        if not isinstance(name, str) or kind not in ("volume", "cluster"):
            return ""
        # A group of cluster volumes is not defined in the stack file.
        return "" if kind == "cluster" and name.startswith("group:") else name
    # The short syntax is NAME:TARGET[:OPTIONS]. Without a colon, the volume is anonymous.
    name, colon, _ = str(volume).partition(":")
    is_path = _PATH.match(str(volume)) is not None
    return name if colon and isinstance(volume, str) and not is_path else ""


def _iterable(value: Any) -> Any:
    return value if isinstance(value, list | dict) else ()
