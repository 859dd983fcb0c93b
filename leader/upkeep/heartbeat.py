"""How often nodes say that they live: often in a small swarm, seldom in a large one.

The dispatcher calls a node Down after three missed heartbeats: at Swarm's default of 5 s 10 to 14 s
after its end, at 3 s 7 to 10, at 2 s 4 to 7. One heartbeat takes 0.52 ms of the leading manager's
core and 0.37 ms of each other's (docs/benchmarks.md), so the steps cost 2.6 % of a core at most up
to 100 nodes and 6.9 % up to 400; 5,000 nodes at the default cost 52 %. Rule: never so short that a
machine starved for a moment is called dead and its tasks are started twice; at 1 s it was Down
1.7 s after its last beat.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from leader.view.actions import SetHeartbeat
from leader.view.model import Policy, View

_STEPS: Final = ((100, 2), (400, 3))
_SLACK: Final = 1.1
_DEFAULT: Final = 5


def pace(view: View, policy: Policy, cause: str) -> Iterator[SetHeartbeat]:
    """Set the heartbeat if it is not what this many nodes should have."""
    if policy.keeps_heartbeat or view.heartbeat is None:
        return
    wanted = policy.heartbeat or _by_size(len(view.nodes), view.heartbeat)
    if wanted != view.heartbeat:
        yield SetHeartbeat(
            period=wanted,
            reason=f"{len(view.nodes)} nodes: a lost one is to be Down after"
            f" {wanted.seconds * 3} s, not {view.heartbeat.seconds * 3}",
            cause=cause,
        )


def _by_size(nodes: int, held: timedelta) -> timedelta:
    """A step is left only when the number is well past it: no back and forth at the edge."""
    for most, seconds in _STEPS:
        slack = _SLACK if held == timedelta(seconds=seconds) else 1.0
        if nodes <= most * slack:
            return timedelta(seconds=seconds)
    return timedelta(seconds=_DEFAULT)
