"""A node that must leave while its tasks are not known is never called empty."""

from dataclasses import replace

import pytest
from builders import NOW
from leaving_nodes import LEAVE_BY, LISTENER, TO_STAY, drained, seen, step, steps

from leader.term.journal import Journal
from leader.term.metrics import Metrics
from leader.view.actions import OrderLeave, SettleNode, TerminateInstance
from leader.view.events import Done
from leader.view.notices import Notices
from leader.view.work import Work

UNKNOWN = {"not listed": None, "incomplete": replace(Work.of((), ()), is_complete=False)}
WAITING = Notices(listeners={"i-1": LISTENER})


@pytest.mark.parametrize("work", UNKNOWN.values(), ids=UNKNOWN)
def test_a_node_whose_tasks_are_not_known_waits_until_it_must_leave(work):
    assert steps(seen(drained(TO_STAY), work=work), NOW) == []


@pytest.mark.parametrize("work", UNKNOWN.values(), ids=UNKNOWN)
@pytest.mark.parametrize(
    ("node", "fields", "kind"),
    [
        (drained(TO_STAY), {}, SettleNode),
        (drained(), {"notices": WAITING}, OrderLeave),
        (drained(), {}, TerminateInstance),
    ],
)
def test_the_reason_says_that_it_is_not_known_what_still_ran(work, node, fields, kind):
    action = step(seen(node, work=work, **fields), LEAVE_BY)

    assert isinstance(action, kind)
    assert "it is not known what still ran" in action.reason
    assert not action.is_work_known


@pytest.mark.parametrize("node", [drained(TO_STAY), drained()])
def test_an_empty_node_is_still_called_empty(node):
    action = step(seen(node, notices=WAITING), NOW)

    assert action.is_work_known
    assert "the node is empty" in action.reason


def test_a_departure_with_unknown_tasks_is_counted():
    metrics = Metrics()
    journal = Journal(metrics)
    known = step(seen(drained(TO_STAY)), NOW)
    unknown = step(seen(drained(TO_STAY), work=None), LEAVE_BY)

    for action in (known, unknown):
        journal.received(Done("d-1", NOW, action))

    assert metrics.registry.get_sample_value("spotswarm_departures_unknown_total") == 1
