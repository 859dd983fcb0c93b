"""A loan to a service whose owner's update is paused keeps nothing else waiting (C3)."""

import pytest
from builders import NOW, POLICY, SECOND, view
from swarm_model import QUIET, service, task, worker

from leader.moving.loan import Loan, is_waiting_for_owner, text_of
from leader.moving.rebalance import rebalance
from leader.view.moment import Moment
from leader.view.work import Work
from wire.labels import LABEL_LOAN

LOAN = Loan("evacuate", NOW, away_from=("n-9",), template="before")


def lent(state, template):
    return service(
        "held", template=template, update_state=state, labels={LABEL_LOAN: text_of(LOAN)}
    )


def begun(*services):
    places = ("n-1",) * 4 + ("n-2",) * 2
    uneven = [
        task(f"t-{slot}", "web", on, slot=slot, created=NOW - 60 * SECOND)
        for slot, on in enumerate(places, 1)
    ]
    known = view(
        *(worker(number) for number in (1, 2, 3)),
        work=Work.of([service(replicas=6), *services], uneven),
        tokens=QUIET,
    )
    return [change.name for change in rebalance(Moment(known, POLICY, NOW, is_work_new=True))]


@pytest.mark.parametrize(
    ("state", "template", "waits"),
    [
        ("paused", "after", True),
        ("rollback_paused", "after", True),
        ("paused", "before", False),
        ("updating", "after", False),
        ("", "after", False),
    ],
)
def test_other_services_are_rebalanced_while_only_the_owner_can_end_a_loan(state, template, waits):
    one = lent(state, template)
    assert is_waiting_for_owner(one, LOAN) is waits
    assert begun(one) == (["web"] if waits else [])
