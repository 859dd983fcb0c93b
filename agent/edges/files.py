"""Reads and writes the agent's files, such as the join key and the recorded reason for leaving.

A copied disk contains the identity of the original engine, and two engines with the same identity
keep replacing each other in the swarm. Rule: before the engine's first start, record which instance
owns the engine's state. Remove state that another instance owns; never reuse it.
"""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from nacl.public import PrivateKey

from runtime.errors import RefusedError
from wire.instance import InstanceFacts
from wire.sealing import private_key

_ENGINE_SERVICES: Final = ("docker.socket", "docker.service")


class LocalFiles:
    """Reads and writes the agent's files under `root`, which is `/` except in tests."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._record = root / "var/lib/spotswarm/instance"
        self._join_key = root / "var/lib/spotswarm/join.key"
        self._run = root / "run/spotswarm"
        self._etc = root / "etc/spotswarm"
        docker = root / "var/lib/docker"
        self._membership = docker / "swarm/docker-state.json"
        self._left = self._run / "left"
        self.contact = self._run / "contact"
        """The file in which `Contact` stores the time of its last contact."""
        self._identity = (
            self._join_key,
            docker / "swarm",
            docker / "engine-id",
            docker / "network/files/local-kv.db",
            root / "etc/docker/key.json",
        )

    def settings_text(self) -> str | None:
        """Return the text of `/etc/spotswarm/agent.toml`, or None if this file does not exist.

        If the file exists, it is used instead of user data.
        """
        try:
            return (self._etc / "agent.toml").read_text()
        except FileNotFoundError:
            return None

    def claim(self, instance: str) -> bool:
        """Record this instance as the owner of the engine's state.

        If the state belongs to another instance, remove it first. Return whether it was removed.

        Raises:
            RefusedError: if the engine is in a swarm and no owner is recorded.
        """
        recorded = self._record.read_text(errors="replace").strip() if self._record.exists() else ""
        if recorded == instance:
            return False
        if not recorded and self._is_member():
            raise RefusedError(
                "the engine is in a swarm that it did not join through this agent; bake the image"
                " without /var/lib/docker/swarm, or run `docker swarm leave`. If this instance"
                f" itself joined the swarm, write {instance} to {self._record}."
            )
        if recorded:
            self._remove_identity()
        self._record.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._record.write_text(f"{instance}\n")
        return bool(recorded)

    def write_leader_files(self, facts: InstanceFacts, leader_text: str | None) -> None:
        """Write the files for this machine's leader daemon.

        If `leader_text` is None, remove the leader's settings file, so that no leader daemon runs
        here.
        """
        self._run.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(self._run / "instance.json", facts.model_dump_json())
        if leader_text is None:
            (self._run / "leader.toml").unlink(missing_ok=True)
        else:
            _write(self._run / "leader.toml", leader_text)

    def store_join_key(self, text: str) -> None:
        """Store the private key for our join request, replacing any earlier key."""
        self._join_key.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(self._join_key, text)

    def join_key(self) -> PrivateKey | None:
        """Return the private key for our join request, or None if no valid key is stored."""
        try:
            return private_key(self._join_key.read_text().strip())
        # A MalformedMessage and a UnicodeDecodeError are both ValueErrors.
        except (FileNotFoundError, ValueError):
            return None

    def record_departure(self, reason: str) -> None:
        """Record why this instance is leaving.

        The instance must not join again until this record is deleted or the machine reboots.
        """
        self._run.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(self._left, reason)

    def departure_reason(self) -> str:
        """Return the recorded reason for leaving, or an empty string if there is none."""
        try:
            return self._left.read_text(errors="replace").strip()
        except FileNotFoundError:
            return ""

    def clear_departure(self) -> None:
        """Delete the recorded reason for leaving."""
        self._left.unlink(missing_ok=True)

    def _is_member(self) -> bool:
        return self._membership.exists()

    def _remove_identity(self) -> None:
        # Stopping also cancels the pending start that waits for us, so request the start again.
        _systemctl("stop", *_ENGINE_SERVICES)
        for path in self._identity:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        _systemctl("start", "--no-block", *reversed(_ENGINE_SERVICES))


def _write(path: Path, text: str) -> None:
    """Write a file atomically, because systemd starts the leader when its settings file appears."""
    fresh = path.with_suffix(".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
        file.flush()
        # Without fsync, XFS may show an empty file under the new name after a power failure.
        os.fsync(file.fileno())
    fresh.replace(path)


def _systemctl(*arguments: str) -> None:
    subprocess.run(["systemctl", *arguments], check=False, timeout=90)
