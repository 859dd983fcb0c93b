"""The agent's files: whose engine state this is, the join key, and what it leaves in /run.

A copied disk carries its engine's identity, and two engines with one identity keep replacing
each other in the swarm. Rule: write the record of the owning instance before the engine first
starts; remove state that another instance owns, never adopt it.
"""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from nacl.public import PrivateKey

from runtime.errors import RefusedError
from wire.instance import InstanceFacts
from wire.messages import MalformedMessage
from wire.sealing import private_key

_ENGINE_SERVICES: Final = ("docker.socket", "docker.service")


class LocalFiles:
    """The files below `root`, which is `/` except in tests."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._record = root / "var/lib/spotswarm/instance"
        self._join_key = root / "var/lib/spotswarm/join.key"
        self._run = root / "run/spotswarm"
        self._etc = root / "etc/spotswarm"
        docker = root / "var/lib/docker"
        self._membership = docker / "swarm/docker-state.json"
        self._left = self._run / "left"
        self.contact = self._run / "contact"
        """Where `Contact` stores its last contact."""
        self._identity = (
            self._join_key,
            docker / "swarm",
            docker / "engine-id",
            docker / "network/files/local-kv.db",
            root / "etc/docker/key.json",
        )

    def settings_text(self) -> str | None:
        """The text of `/etc/spotswarm/agent.toml`, which replaces user data; None if absent."""
        try:
            return (self._etc / "agent.toml").read_text()
        except FileNotFoundError:
            return None

    def claim(self, instance: str) -> bool:
        """Make this instance the owner of the engine's state; True if another's was removed.

        Raises:
            RefusedError: the engine is in a swarm, and there is no record of the owner.
        """
        recorded = self._record.read_text().strip() if self._record.exists() else ""
        if recorded == instance:
            return False
        if not recorded and self._is_member():
            raise RefusedError(
                "the engine is in a swarm that it did not join through us: bake the image without"
                f" /var/lib/docker/swarm, or run `docker swarm leave`, or write {instance}"
                f" to {self._record} if the membership is this instance's own"
            )
        if recorded:
            self._remove_identity()
        self._record.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._record.write_text(f"{instance}\n")
        return bool(recorded)

    def write_leader_files(self, facts: InstanceFacts, leader_text: str | None) -> None:
        """Write what this machine's leader daemon reads; without a text, it must not run."""
        self._run.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(self._run / "instance.json", facts.model_dump_json())
        if leader_text is None:
            (self._run / "leader.toml").unlink(missing_ok=True)
        else:
            _write(self._run / "leader.toml", leader_text)

    def store_join_key(self, text: str) -> None:
        """Store the private key of the request that we join with, in place of any earlier one."""
        self._join_key.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(self._join_key, text)

    def join_key(self) -> PrivateKey | None:
        """The key of the request that we joined with; None if the engine joined in another way."""
        try:
            return private_key(self._join_key.read_text().strip())
        except (FileNotFoundError, MalformedMessage):
            return None

    def record_departure(self, reason: str) -> None:
        """Note, until the next boot, that this instance leaves and must not join again."""
        self._run.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(self._left, reason)

    def departure_reason(self) -> str:
        """What `record_departure` noted; empty if it noted nothing."""
        try:
            return self._left.read_text().strip()
        except FileNotFoundError:
            return ""

    def clear_departure(self) -> None:
        """Undo `record_departure`."""
        self._left.unlink(missing_ok=True)

    def _is_member(self) -> bool:
        return self._membership.exists()

    def _remove_identity(self) -> None:
        # Stopping also cancels the start that waits for us, so it is requested again below.
        _systemctl("stop", *_ENGINE_SERVICES)
        for path in self._identity:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        _systemctl("start", "--no-block", *reversed(_ENGINE_SERVICES))


def _write(path: Path, text: str) -> None:
    """Write all or nothing: systemd starts the leader as soon as the name appears."""
    fresh = path.with_suffix(".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
        file.flush()
        # Without this, XFS may show an empty file under the new name after a power cut.
        os.fsync(file.fileno())
    fresh.replace(path)


def _systemctl(*arguments: str) -> None:
    subprocess.run(["systemctl", *arguments], check=False, timeout=90)
