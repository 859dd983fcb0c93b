"""The record of a deployment: what each service was before the deployment changed it.

The record is a Swarm config, made before the first change and removed when the deployment has
ended. If the command is killed, the next one finds the record, also on another manager. A config
can be read by whoever can read the services' specs, so the record exposes nothing more.

Rule: this module converts records and does no I/O. A record that cannot be read is never ignored
silently, because it is the only copy of the earlier specs.
"""

import base64
import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from cli.progress.services import ServiceProgress
from cli.progress.specs import Json, without_loan
from wire.labels import time_text

_VERSION: Final = 1
_MAX_NAME: Final = 64
"""The longest name that Swarm accepts for a config."""
_PREFIX: Final = "spotswarm.deployment."
_DIGITS: Final = 12


@dataclass(frozen=True, slots=True)
class Before:
    """A service as it was before the deployment."""

    id: str
    spec: Json
    running: int
    """How many of its tasks were running."""


@dataclass(frozen=True, slots=True)
class Record:
    """What a stack's services were before a deployment."""

    stack: str
    begun: datetime
    by: str
    """The user and host name of the command that made the record."""
    services: Mapping[str, Before] = field(default_factory=dict)

    def of(self, service: Json) -> Before | None:
        """Return what an existing service was, or None if it is a new service."""
        before = self.services.get(service["Spec"]["Name"])
        # A service that was removed and created again has another id.
        return before if before is not None and before.id == service["ID"] else None


def record_of(
    stack: str,
    services: Iterable[Json],
    progress: Iterable[ServiceProgress],
    *,
    at: datetime,
    by: str,
) -> Record:
    """Return the record of a deployment that is about to change these services."""
    running = {service.name: service.running for service in progress}
    befores: dict[str, Before] = {}
    for row in services:
        name = row["Spec"]["Name"]
        befores[name] = Before(row["ID"], without_loan(row["Spec"]), running.get(name, 0))
    return Record(stack, at, by, befores)


def name_of(stack: str) -> str:
    """Return the name of the config with the stack's record."""
    name = f"{_PREFIX}{stack}"
    if len(name) <= _MAX_NAME:
        return name
    digest = hashlib.sha256(stack.encode()).hexdigest()[:_DIGITS]
    return f"{name[: _MAX_NAME - _DIGITS - 1]}-{digest}"


def encoded(record: Record) -> bytes:
    """Return the record as the config's content. Specs repeat themselves, so it is compressed."""
    table = {
        "v": _VERSION,
        "stack": record.stack,
        "begun": time_text(record.begun),
        "by": record.by,
        "services": {
            name: {"id": before.id, "spec": before.spec, "running": before.running}
            for name, before in record.services.items()
        },
    }
    return base64.b64encode(zlib.compress(json.dumps(table, separators=(",", ":")).encode()))


def decoded(content: bytes) -> Record:
    """Return the record in a config's content.

    Raises:
        ValueError: if the content is not a record, or is a record of another version.
    """
    try:
        table = json.loads(zlib.decompress(base64.b64decode(content, validate=True)))
        if table["v"] != _VERSION:
            raise ValueError("the record was made by another version of this command")
        return Record(
            stack=str(table["stack"]),
            begun=datetime.fromisoformat(table["begun"]),
            by=str(table["by"]),
            services={name: _before(part) for name, part in table["services"].items()},
        )
    except (KeyError, TypeError, AttributeError, zlib.error) as exc:
        raise ValueError("the record is damaged") from exc


def _before(part: Mapping[str, Any]) -> Before:
    spec = part["spec"]
    if not isinstance(spec, dict) or not isinstance(spec["TaskTemplate"], dict):
        raise TypeError("not a spec")
    return Before(str(part["id"]), spec, int(part["running"]))
