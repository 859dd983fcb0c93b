"""Nodes that leave or return, and the steps that are due for them."""

from datetime import timedelta

from builders import NOW, POLICY, SECOND, instance, node, view
from swarm_model import worker

from leader.leaving.steps import depart
from leader.view.model import Tokens
from leader.view.moment import Moment
from leader.view.notices import Listener
from leader.view.terms import Leaving, Then
from leader.view.work import Work
from wire.messages import Availability

DEADLINE = NOW + 120 * SECOND
TO_END = Leaving("interruption", NOW, DEADLINE, Then.TERMINATE)
TO_STAY = Leaving("operator", NOW, DEADLINE, Then.STAY)
LISTENER = Listener("reply", "key", 0, NOW + timedelta(hours=1))
DRAIN_BY, LEAVE_BY = DEADLINE - 30 * SECOND, DEADLINE - 15 * SECOND


def leaver(leaving=TO_END, *, availability=Availability.PAUSE, **fields):
    labels = {"spotswarm.instance": "i-1"} | leaving.labels() | fields.pop("labels", {})
    return node("n-1", availability=availability, labels=labels, **fields)


def drained(leaving=TO_END, **fields):
    return leaver(leaving, availability=Availability.DRAIN, **fields)


def seen(*nodes, services=(), tasks=(), **fields):
    kept = {
        "instances": {"i-1": instance("i-1")},
        "instances_at": NOW,
        "tokens": Tokens(worker_rotated=NOW),
        "work": Work.of(services, tasks),
    }
    return view(*nodes, worker(2), **(kept | fields))


def steps(known, at=NOW):
    return list(depart(Moment(known, POLICY, at)))


def step(known, at=NOW):
    (action,) = steps(known, at)
    return action


def returner(**fields):
    return node(
        "n-1",
        availability=Availability.PAUSE,
        labels={"spotswarm.phase": "returning", **fields.pop("labels", {})},
        **fields,
    )
