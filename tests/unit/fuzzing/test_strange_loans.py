"""Whatever the label of a loan says, decisions and reports go on."""

import json

from builders import NOW, POLICY, SECOND, manager_node, view
from hypothesis import example, given
from hypothesis import strategies as st
from randomness import at_most
from strange import VALUES, mutated
from swarm_model import QUIET, service, worker
from swarm_orchestration import task

from leader.decide import decide
from leader.moving.loan import loan_of, restore
from leader.report.plans import rebalance_plans
from leader.report.progress import leaving
from leader.view.events import Ticked, WorkListed
from leader.view.moment import Moment
from wire.labels import LABEL_LOAN
from wire.messages import Availability

LOANS = (
    {
        "v": 1,
        "for": "evacuate",
        "since": 1795464005.0,
        "from": ["n-1"],
        "constraints": ["node.id!=n-1"],
        "own": {"Parallelism": 1},
        "lent": {"Parallelism": 0, "Order": "start-first"},
        "template": "7aaf8196692d8899",
    },
    {"v": 1, "for": "spread", "since": 1795464005.0, "replicas": [2, 3]},
)
PHASE = {"spotswarm.phase": "leaving", "spotswarm.deadline": "2026-11-23T20:02:00.000+00:00"}


def text(document):
    return document if isinstance(document, str) else json.dumps(document)


@example("[" * 100_000)
@example(LOANS[0] | {"since": 1e300})
@example(LOANS[0] | {"since": 253402300799})
@example(LOANS[1] | {"replicas": [10**400, -1]})
@given(st.one_of([mutated(document) for document in LOANS]) | VALUES)
@at_most(60)
def test_no_loan_stops_a_decision(document):
    changed = service(labels={LABEL_LOAN: text(document)}, constraints=("node.id!=n-1",))
    loan = loan_of(changed)
    if loan is not None:
        restore(changed, loan, reason="a test")
    leaves = worker(1, labels=PHASE, availability=Availability.PAUSE)
    known = view(leaves, worker(2), manager_node("n-3", is_leader=True), tokens=QUIET)
    known, _ = decide(known, WorkListed("e-1", NOW, (changed,), (task("t-1"),)), POLICY)
    for seconds in (1, 60, 4000):
        known, _ = decide(known, Ticked("e-2", NOW + seconds * SECOND), POLICY)
    leaving(Moment(known, POLICY, NOW))
    rebalance_plans(known, (), NOW)
