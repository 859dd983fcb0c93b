"""The files of this instance: what ties an engine to it, its join key, what is left in /run.

A copy of a disk carries its engine's identity along; two engines of one identity take each
other's place in the swarm in turns. Rule: the record of whose state this is is written before
the engine first starts, and state with another's record is removed, never adopted.
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


class Belongings:
    """Paths below `root` (`/` but in tests)."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._record = root / "var/lib/spotswarm/instance"
        self._join_key = root / "var/lib/spotswarm/join.key"
        self._run = root / "run/spotswarm"
        self._etc = root / "etc/spotswarm"
        docker = root / "var/lib/docker"
        self._membership = docker / "swarm/docker-state.json"
        self._left = self._run / "left"
        self.contact = self._run / "contact"
        """Where `Contact` keeps what it heard."""
        self._identity = (
            self._join_key,
            docker / "swarm",
            docker / "engine-id",
            docker / "network/files/local-kv.db",
            root / "etc/docker/key.json",
        )

    def settings_text(self) -> str | None:
        """`/etc/spotswarm/agent.toml`, which goes before user data; None without one."""
        try:
            return (self._etc / "agent.toml").read_text()
        except FileNotFoundError:
            return None

    def claim(self, instance: str) -> bool:
        """Make the engine's state this instance's; True if another's was removed.

        Raises:
            RefusedError: the engine is in a swarm, and nobody recorded whose state that is.
        """
        recorded = self._record.read_text().strip() if self._record.exists() else ""
        if recorded == instance:
            return False
        if not recorded and self._is_member():
            raise RefusedError(
                "the engine is in a swarm it did not join for us: bake the image without"
                f" /var/lib/docker/swarm, or run `docker swarm leave`, or write {instance}"
                f" to {self._record} if this is its own membership"
            )
        if recorded:
            self._remove_identity()
        self._record.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._record.write_text(f"{instance}\n")
        return bool(recorded)

    def hand_over(self, facts: InstanceFacts, leader_text: str | None) -> None:
        """Leave the leader daemon of this machine its settings, if it is to run one."""
        self._run.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(self._run / "instance.json", facts.model_dump_json())
        if leader_text is None:
            (self._run / "leader.toml").unlink(missing_ok=True)
        else:
            _write(self._run / "leader.toml", leader_text)

    def keep_join_key(self, text: str) -> None:
        """Keep the private key of the ask we are joining with, in place of any before."""
        self._join_key.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(self._join_key, text)

    def join_key(self) -> PrivateKey | None:
        """The key of the ask we joined with; None for an engine that did not join by an ask."""
        try:
            return private_key(self._join_key.read_text().strip())
        except (FileNotFoundError, MalformedMessage):
            return None

    def note_left(self, reason: str) -> None:
        """Note, until the next boot, that this instance leaves and is not to join again."""
        self._run.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(self._left, reason)

    def why_left(self) -> str:
        """What `note_left` noted; empty when nothing."""
        try:
            return self._left.read_text().strip()
        except FileNotFoundError:
            return ""

    def forget_left(self) -> None:
        """Take `note_left` back."""
        self._left.unlink(missing_ok=True)

    def _is_member(self) -> bool:
        return self._membership.exists()

    def _remove_identity(self) -> None:
        # Stopping also takes back a start that waits for us; it is asked for again after.
        _systemctl("stop", *_ENGINE_SERVICES)
        for path in self._identity:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        _systemctl("start", "--no-block", *reversed(_ENGINE_SERVICES))


def _write(path: Path, text: str) -> None:
    """Whole or not at all: the leader's path unit starts it the moment the name appears."""
    fresh = path.with_suffix(".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
        file.flush()
        # Without it XFS may show an empty file under the new name after a power cut.
        os.fsync(file.fileno())
    fresh.replace(path)


def _systemctl(*arguments: str) -> None:
    subprocess.run(["systemctl", *arguments], check=False, timeout=90)
