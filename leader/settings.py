"""The leader's settings: the `[leader]` part of user data, and who this machine is.

The agent leaves both in `/run/spotswarm`; a machine outside AWS has them in
`/etc/spotswarm`, written by hand.
"""

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Final

from leader.joining.intake import IntakePolicy
from leader.view.model import Policy
from runtime.errors import RefusedError, UnavailableError
from wire import keys, user_data
from wire.instance import InstanceFacts
from wire.messages import MalformedMessage

RUN: Final = Path("/run/spotswarm")
ETC: Final = Path("/etc/spotswarm")
OWN_RUN: Final = Path("/run/spotswarm-leader")
ADMIN_SOCKET: Final = OWN_RUN / "admin.sock"


@dataclass(frozen=True)
class Settings:
    """Everything the daemon is told at its start."""

    cluster: str
    facts: InstanceFacts
    part: user_data.LeaderPart

    @cached_property
    def policy(self) -> Policy:
        """What `decide` is given."""
        part = self.part
        return Policy(
            cluster=self.cluster,
            managers=part.managers,
            identity=part.identity,
            grant_lifetime=keys.GRANT_LIFETIME,
            worker_batch=part.worker_batch,
            worker_token_age=timedelta(minutes=part.worker_token_minutes),
            drain_within=timedelta(seconds=part.drain_seconds),
            hint_patience=timedelta(seconds=part.hint_seconds),
            absent_for=timedelta(seconds=part.absent_seconds),
            down_for=timedelta(seconds=part.down_seconds),
            orphan_after=timedelta(seconds=part.orphan_seconds),
            removals_at_once=part.removals_at_once,
            is_rebalancing=part.rebalance,
            rebalance_cooldown=timedelta(seconds=part.rebalance_cooldown_seconds),
            rebalances_per_hour=part.rebalances_per_hour,
            heartbeat=(
                timedelta(seconds=part.heartbeat) if isinstance(part.heartbeat, int) else None
            ),
            keeps_heartbeat=part.heartbeat == "keep",
        )

    @property
    def intake(self) -> IntakePolicy:
        """What a request is screened by."""
        return IntakePolicy(
            cluster=self.cluster,
            identity=self.part.identity,
            regions=frozenset({self.facts.region}),
        )


def load(*, run: Path = RUN, etc: Path = ETC) -> Settings:
    """Read the settings.

    Raises:
        UnavailableError: they are not there yet; the agent writes them.
        RefusedError: they are there and wrong; the message names what.
    """
    text = _first(run / "leader.toml", etc / "leader.toml")
    facts = _first(run / "instance.json", etc / "instance.json")
    try:
        told = user_data.parse(text)
        found = InstanceFacts.read(facts)
    except MalformedMessage as exc:
        raise RefusedError(str(exc)) from exc
    if told.leader is None:
        raise RefusedError("leader.toml has no [leader] part: see docs/operations.md")
    return Settings(cluster=told.cluster, facts=found, part=told.leader)


def _first(*paths: Path) -> str:
    for path in paths:
        try:
            return path.read_text()
        except FileNotFoundError:
            continue
    raise UnavailableError(f"{paths[0]} is not there yet; spotswarm-agent writes it")
