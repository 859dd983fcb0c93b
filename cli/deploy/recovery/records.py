"""Keep the record of a deployment in the swarm, from its first change to its end."""

import getpass
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from cli.deploy.recovery.record import Record, decoded, encoded, name_of
from cli.edges.configs import Configs
from cli.edges.docker_cli import Docker
from cli.terminal.exits import Exit, fail, say
from runtime.errors import ClusterError, GoneError, RefusedError
from wire.labels import LABEL_APPLIED, LABEL_DEPLOYMENT

_YES: Final = "true"


@dataclass(frozen=True, slots=True)
class Stored:
    """A record in the swarm."""

    id: str
    record: Record
    is_applied: bool
    """Whether Docker accepted every service of the stack file."""


def find(docker: Docker, stack: str) -> Stored | None:
    """Return the record of a deployment that has not ended, or None. Exit if it is unreadable."""
    config = Configs(docker.api).find(name_of(stack))
    if config is None:
        return None
    try:
        record = decoded(config.content)
    except ValueError as exc:
        fail(
            Exit.REFUSED,
            f"an earlier deployment of {stack} has not ended, and what its services were before"
            f" cannot be read: {exc}",
            next_step="end it with the version of this command that began it, or check the"
            f" services yourself and run `docker config rm {name_of(stack)}`",
        )
    return Stored(config.id, record, config.labels.get(LABEL_APPLIED) == _YES)


def keep(docker: Docker, record: Record) -> Stored:
    """Store a new record, before the first change.

    Raises:
        RefusedError: if another deployment of the stack has just begun, or if the engine rejects
            the record.
    """
    configs, name = Configs(docker.api), name_of(record.stack)
    try:
        configs.create(name, {LABEL_DEPLOYMENT: record.stack}, encoded(record))
    except RefusedError as exc:
        if configs.find(name) is None:
            raise
        raise RefusedError(
            f"another deployment of {record.stack} has just begun; wait until it has ended"
        ) from exc
    config = configs.find(name)
    if config is None:
        raise GoneError(f"the config {name} has been removed; deploy again")
    return Stored(config.id, record, is_applied=False)


def mark_applied(docker: Docker, stored: Stored) -> None:
    """Note that Docker has accepted every service of the stack file.

    Without this note, the next deployment takes this one for half applied, which is safe.
    """
    with suppress(ClusterError):
        _label(docker, stored, {LABEL_APPLIED: _YES})


def take_over(docker: Docker, stored: Stored) -> None:
    """Note, before the first change, that another deployment goes on with this record.

    Otherwise, that deployment would count as applied although it may end half applied.

    Raises:
        ClusterError: if the note cannot be made.
    """
    if stored.is_applied:
        _label(docker, stored, {})


def forget(docker: Docker, stored: Stored) -> None:
    """Remove the record of a deployment that has ended.

    If this fails, the next deployment finds the record and judges it by the services.
    """
    try:
        Configs(docker.api).remove(stored.id)
    except GoneError:
        return
    except ClusterError as exc:
        say(f"could not remove the record of this deployment: {exc}")


def _label(docker: Docker, stored: Stored, labels: Mapping[str, str]) -> None:
    """Replace the labels of a record, unless it has been removed or replaced."""
    configs, name = Configs(docker.api), name_of(stored.record.stack)
    config = configs.find(name)
    if config is not None and config.id == stored.id:
        configs.label(name, config, {LABEL_DEPLOYMENT: stored.record.stack, **labels})


def operator() -> str:
    """Return who runs this command, as `user@host`."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "somebody"
    return f"{user}@{socket.gethostname()}"
