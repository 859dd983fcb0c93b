"""How often nodes send a heartbeat: often in a small swarm, seldom in a large one.

The dispatcher calls a node Down after three missed heartbeats. A node that dies is Down after 10 to
14 s at Swarm's default of 5 s, after 7 to 10 s at 3 s, and after 4 to 7 s at 2 s. One heartbeat
costs 0.52 ms of the leading manager's core and 0.37 ms of every other manager's
(docs/benchmarks.md). The steps below therefore cost at most 2.6 % of a core up to 100 nodes and
6.9 % up to 400; 5,000 nodes at the default cost 52 %.

Rule: never so often that a machine which gets no CPU for a moment is called Down and its tasks are
started twice. At 1 s a node was Down 1.7 s after its last heartbeat.
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
    """Set the heartbeat if it does not fit the number of nodes."""
    view, policy = moment.view, moment.policy
    if policy.keeps_heartbeat or view.heartbeat is None:
        return
    period = policy.heartbeat or _by_size(len(view.nodes), view.heartbeat)
    if period != view.heartbeat:
        yield SetHeartbeat(
            period=period,
            reason=f"with {len(view.nodes)} nodes, a lost one should be Down after"
            f" {period.seconds * 3} s, not {view.heartbeat.seconds * 3} s",
        )


def _by_size(nodes: int, current: timedelta) -> timedelta:
    """The period for so many nodes; it changes only well past a step, so it does not flip-flop."""
    for most, seconds in _STEPS:
        slack = _SLACK if current == timedelta(seconds=seconds) else 1.0
        if nodes <= most * slack:
            return timedelta(seconds=seconds)
    return timedelta(seconds=_DEFAULT)
