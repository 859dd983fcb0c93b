"""Sets how often nodes send a heartbeat: frequently in a small swarm, less often in a large one.

Swarm marks a dead node as Down after three missed heartbeats: after 10 to 14 s at Swarm's
default period of 5 s, after 7 to 10 s at 3 s, and after 4 to 7 s at 2 s.
Each heartbeat takes 0.52 ms of CPU time on the leading manager and 0.37 ms on every other manager
(docs/benchmarks.md). Therefore, the periods below use at most 2.6 % of a core with up to 100 nodes
and 6.9 % with up to 400 nodes. The default period uses 52 % of a core with 5,000 nodes.

Rule: the period must not be so short that a machine that briefly gets no CPU time is marked as
Down, because its tasks would then run twice. At a period of 1 s, a node was marked as Down 1.7 s
after its last heartbeat.
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
    """Change the heartbeat period if it does not suit the number of nodes."""
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
    """Return the period for a number of nodes, with a tolerance that prevents frequent changes."""
    for most, seconds in _STEPS:
        slack = _SLACK if current == timedelta(seconds=seconds) else 1.0
        if nodes <= most * slack:
            return timedelta(seconds=seconds)
    return timedelta(seconds=_DEFAULT)
