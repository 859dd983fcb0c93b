import json
from dataclasses import replace

import pytest
from builders import NOW
from hypothesis import given
from hypothesis import strategies as st
from randomness import at_most
from swarm_model import service

from leader.moving.loan import (
    Loan,
    is_our_update,
    keep_away,
    loan_of,
    restore,
    restore_all_but_scale,
    scale,
    text_of,
)
from wire.labels import LABEL_LOAN

SAID = {"reason": "x"}

names = st.lists(st.sampled_from(["n-1", "n-2", "n-3"]), unique=True, max_size=3).map(tuple)
updates = st.one_of(
    st.none(),
    st.fixed_dictionaries(
        {},
        optional={
            "Parallelism": st.integers(0, 3),
            "Delay": st.integers(0, 3),
            "Order": st.sampled_from(["start-first", "stop-first"]),
            "FailureAction": st.sampled_from(["pause", "continue", "rollback"]),
        },
    ),
)
services = st.builds(
    service,
    constraints=st.lists(
        st.sampled_from(["node.role==worker", "node.id!=n-1", "node.labels.a!=b"]), unique=True
    ).map(tuple),
    update=updates,
    replicas=st.integers(0, 9),
    labels=st.dictionaries(st.sampled_from("ab"), st.text(max_size=3)),
)


def lent(to, change):
    """The service as it is after a change of ours."""
    labels = {key: one for key, one in to.labels.items() if key != LABEL_LOAN}
    return replace(
        to,
        version=to.version + 1,
        constraints=change.constraints,
        # The engine leaves zero values out.
        update=change.update and {key: one for key, one in change.update.items() if one},
        replicas=change.replicas,
        labels=labels | ({LABEL_LOAN: change.label} if change.label else {}),
    )


def test_an_update_is_ours_until_its_owner_changes_what_its_tasks_are_made_of():
    one = service(template="a", labels={})
    held = borrowed(one)
    loan = loan_of(held)

    assert is_our_update(held, loan)
    assert is_our_update(replace(held, constraints=(), update=None, replicas=9), loan)
    assert not is_our_update(replace(held, template="b"), loan)
    assert not is_our_update(one, None)
    assert not is_our_update(one, Loan("rebalance", NOW, own_replicas=2, lent_replicas=3))


def test_a_loan_of_a_leader_that_noted_no_template_is_our_update():
    held = borrowed(service(template=""))

    assert "template" not in held.labels[LABEL_LOAN]
    assert is_our_update(replace(held, template="b"), loan_of(held))


def borrowed(one, nodes=("n-1",)):
    loan = Loan(purpose="evacuate", since=NOW)
    return lent(one, keep_away(one, loan, nodes, order="start-first", **SAID))


def returned(one):
    return lent(one, restore(one, loan_of(one), **SAID))


def zeroless(update):
    return {key: one for key, one in (update or {}).items() if one}


@at_most(60)
@given(
    st.builds(
        Loan,
        purpose=st.sampled_from(["evacuate", "rebalance"]),
        since=st.just(NOW),
        own_replicas=st.none(),
    ),
    services,
    names.filter(bool),
)
def test_a_loan_is_read_back_from_its_label(loan, one, nodes):
    change = keep_away(one, loan, nodes, order="start-first", **SAID)
    held = loan_of(lent(one, change))

    assert held.purpose == loan.purpose
    assert held.since == NOW
    assert held.away_from == nodes
    assert text_of(held) == change.label


@at_most(60)
@given(services, st.lists(names, min_size=1, max_size=3), st.integers(1, 4))
def test_what_was_lent_in_any_order_is_given_back_as_it_was(one, moves, more):
    loan = Loan(
        purpose="rebalance",
        since=NOW,
        own_replicas=one.replicas,
        lent_replicas=one.replicas + more,
    )
    held = lent(one, scale(one, loan, **SAID))
    for nodes in moves:
        change = keep_away(held, loan_of(held), nodes, order="start-first", **SAID)
        held = lent(held, change)

    after = returned(held)

    assert after.constraints == one.constraints
    assert zeroless(after.update) == zeroless(one.update)
    assert (after.replicas, after.labels) == (one.replicas, one.labels)


def test_a_constraint_that_was_the_services_own_stays():
    one = service(constraints=("node.id!=n-1",))

    held = borrowed(one, ("n-1", "n-2"))

    assert held.constraints == ("node.id!=n-1", "node.id!=n-2")
    assert returned(held).constraints == ("node.id!=n-1",)


def test_what_a_person_changed_meanwhile_stays_his():
    one = service(update={"Parallelism": 1, "Delay": 5}, replicas=3)
    held = replace(
        borrowed(one),
        constraints=("node.id!=n-1", "node.labels.a==b"),
        replicas=7,
    )
    held = replace(held, update=held.update | {"Parallelism": 4})

    after = returned(held)

    assert after.constraints == ("node.labels.a==b",)
    assert after.replicas == 7
    assert after.update == {"Parallelism": 4, "Delay": 5}


def test_what_a_person_changed_meanwhile_survives_a_further_loan():
    one = service(update={"Delay": 5, "Order": "stop-first"})
    held = borrowed(one)
    held = replace(held, update=held.update | {"MaxFailureRatio": 0.5, "Order": "stop-first"})

    further = keep_away(held, loan_of(held), ("n-1", "n-2"), order="start-first", **SAID)

    assert returned(lent(held, further)).update == {
        "Delay": 5,
        "Order": "stop-first",
        "MaxFailureRatio": 0.5,
    }


def test_a_service_without_update_settings_has_none_again():
    assert returned(borrowed(service(update=None))).update is None


def test_a_scale_a_person_changed_is_not_taken_back():
    one = service(replicas=6)
    loan = Loan(purpose="rebalance", since=NOW, own_replicas=6, lent_replicas=8)
    held = lent(one, scale(one, loan, **SAID))

    assert held.replicas == 8
    assert returned(held).replicas == 6
    assert returned(replace(held, replicas=10)).replicas == 10


def test_a_loan_without_a_scale_sets_none():
    one = service(replicas=6)

    assert scale(one, Loan(purpose="rebalance", since=NOW), **SAID).replicas == 6


def test_what_spreading_lent_is_handed_on_with_its_scale():
    one = service(replicas=3, constraints=("node.role==worker",), update={"Delay": 1})
    loan = Loan(purpose="evacuate", since=NOW, own_replicas=3, lent_replicas=5)
    held = lent(
        replace(one, replicas=5),
        keep_away(replace(one, replicas=5), loan, ("n-1",), order="start-first", **SAID),
    )

    after = lent(held, restore_all_but_scale(held, loan_of(held), **SAID))

    assert (after.constraints, after.update) == (one.constraints, one.update)
    assert after.replicas == 5
    assert loan_of(after) == replace(loan, purpose="rebalance")
    assert returned(after).replicas == 3


@pytest.mark.parametrize(
    "text",
    [
        "",
        "what?",
        "[]",
        "null",
        '"text"',
        '{"v":2,"for":"evacuate","since":0}',
        '{"v":1}',
        '{"v":1,"for":"evacuate","since":"long ago"}',
        '{"v":1,"for":"spread","since":0,"replicas":[]}',
        '{"v":1,"for":"spread","since":0,"replicas":5}',
        '{"v":1,"for":"spread","since":0,"from":7}',
        '{"v":1,"for":"spread","since":1e99}',
    ],
)
def test_a_label_somebody_spoilt_counts_as_no_loan(text):
    assert loan_of(service(labels={LABEL_LOAN: text})) is None


@pytest.mark.parametrize("field", ["own", "lent", "constraints"])
@pytest.mark.parametrize("spoilt", ["text", 7, ["x", 1], {"a": 1}])
def test_a_label_with_one_spoilt_field_can_be_given_back_or_is_no_loan(field, spoilt):
    held = borrowed(service())
    text = json.dumps(json.loads(held.labels[LABEL_LOAN]) | {field: spoilt})
    held = replace(held, labels={LABEL_LOAN: text})

    loan = loan_of(held)

    assert loan is None or restore(held, loan, **SAID).label is None


def test_a_service_without_the_label_has_no_loan():
    assert loan_of(service()) is None


def test_a_change_names_the_nodes_because_of_which_it_is_made():
    one = service()
    loan = Loan("evacuate", NOW, away_from=("n-1",))

    assert keep_away(one, loan, ("n-2",), order="start-first", **SAID).nodes == ("n-1", "n-2")
    assert restore(one, loan, **SAID).nodes == ("n-1",)
    assert restore_all_but_scale(one, loan, **SAID).nodes == ("n-1",)
    assert scale(one, Loan("rebalance", NOW), **SAID).nodes == ()
