"""Keep the record of a deployment in the swarm, from its first change to its end."""

import getpass
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from cli.deploy.recovery.record import Record, decoded, encoded, name_of
from cli.edges.configs import Configs
from cli.edges.docker_cli import Docker
from cli.terminal.exits import Exit, fail, say
from runtime.errors import ClusterError, GoneError
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
        RefusedError: if another deployment of the stack has just begun.
    """
    configs, name = Configs(docker.api), name_of(record.stack)
    configs.create(name, {LABEL_DEPLOYMENT: record.stack}, encoded(record))
    config = configs.find(name)
    if config is None:
        raise GoneError(f"the config {name} has been removed; deploy again")
    return Stored(config.id, record, is_applied=False)


def mark_applied(docker: Docker, stored: Stored) -> None:
    """Note that Docker has accepted every service of the stack file.

    Without this note, the next deployment takes this one for half applied, which is safe.
    """
    configs, name = Configs(docker.api), name_of(stored.record.stack)
    with suppress(ClusterError):
        config = configs.find(name)
        if config is not None and config.id == stored.id:
            labels = {LABEL_DEPLOYMENT: stored.record.stack, LABEL_APPLIED: _YES}
            configs.label(name, config, labels)


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


def operator() -> str:
    """Return who runs this command, as `user@host`."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "somebody"
    return f"{user}@{socket.gethostname()}"
