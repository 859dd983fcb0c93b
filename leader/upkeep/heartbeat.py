"""Chooses the heartbeat period: short in a small swarm, longer in a large swarm.

Swarm marks a dead node as Down after three missed heartbeats. This takes 10 to 14 s with Swarm's
default period of 5 s, 7 to 10 s with 3 s, and 4 to 7 s with 2 s.

Each heartbeat takes 0.52 ms of CPU time on the Raft leader and 0.37 ms on every other manager
(docs/benchmarks.md). With the periods below, heartbeats use at most 2.6 % of a core for up to 100
nodes, and 6.9 % for up to 400 nodes. The default period uses 52 % of a core for 5,000 nodes.

Rule: do not make the period too short. If a machine that briefly gets no CPU time is marked as
Down, its tasks run twice. With a period of 1 s, a node was marked as Down 1.7 s after its last
heartbeat.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from leader.view.actions import SetHeartbeat
from leader.view.moment import Moment

_STEPS: Final = ((100, 2), (400, 3))
_SLACK: Final = 1.1
_DEFAULT: Final = 5


def adjust_heartbeat(moment: Moment) -> Iterator[SetHeartbeat]:
    """Yield a change if the heartbeat period does not suit the number of nodes."""
    view, policy = moment.view, moment.policy
    if policy.keeps_heartbeat or view.heartbeat is None:
        return
    period = policy.heartbeat or _by_size(len(view.nodes), view.heartbeat)
    if period != view.heartbeat:
        yield SetHeartbeat(
            period=period,
            reason=f"in a swarm of size {len(view.nodes)}, a lost node should be Down after"
            f" {period.seconds * 3} s instead of {view.heartbeat.seconds * 3} s",
        )


def _by_size(nodes: int, current: timedelta) -> timedelta:
    """Return the heartbeat period for this many nodes; a tolerance prevents frequent changes."""
    for most, seconds in _STEPS:
        slack = _SLACK if current == timedelta(seconds=seconds) else 1.0
        if nodes <= most * slack:
            return timedelta(seconds=seconds)
    return timedelta(seconds=_DEFAULT)
