"""A thousand joins at once: each is answered, and the rules look at the cluster when they are."""

from dataclasses import replace
from datetime import timedelta

from builders import NOW, POLICY, SECOND, ask, instance, manager_node, node, view

from leader.decide import decide
from leader.view.actions import GrantJoin, LabelNode
from leader.view.events import Done, JoinAsked, Ticked
from leader.view.model import Tokens

SEEN = view(
    manager_node("n-9", is_leader=True, labels={"spotswarm.instance": "i-9"}),
    node("n-5"),
    instances={"i-5": instance("i-5"), "i-9": instance("i-9")},
    instances_at=NOW,
    tokens=Tokens(worker_rotated=NOW),
    heartbeat=timedelta(seconds=2),
)


def asking(number, at=NOW):
    return JoinAsked(f"join-{number}", at, ask(instance(f"i-{number}"), nonce=f"{number:032x}"))


def test_a_join_that_others_follow_is_granted_and_nothing_else_is_decided():
    seen, actions = decide(SEEN, asking(100), POLICY, is_followed=True)

    assert [type(action) for action in actions] == [GrantJoin]
    assert actions[0].subject in seen.in_flight
    assert "i-100" in seen.outstanding


def test_the_last_of_many_joins_and_every_other_event_lets_the_rules_decide():
    seen, _ = decide(SEEN, asking(100), POLICY, is_followed=True)

    _, last = decide(seen, asking(101), POLICY)
    _, ticked = decide(seen, Ticked("tick", NOW), POLICY, is_followed=True)

    assert LabelNode in {type(action) for action in last}
    assert [type(action) for action in ticked] == [LabelNode]


def test_the_same_is_decided_in_the_end_whether_events_follow_or_not():
    followed, alone = SEEN, SEEN
    decided = {True: [], False: []}
    events = [asking(number) for number in range(100, 120)]
    for event in events:
        followed, actions = decide(followed, event, POLICY, is_followed=event is not events[-1])
        decided[True] += actions
        alone, actions = decide(alone, event, POLICY)
        decided[False] += actions

    assert followed == alone
    subjects = {way: {action.subject for action in actions} for way, actions in decided.items()}
    assert subjects[True] == subjects[False]


def test_a_grant_that_was_sent_waits_for_nobody():
    seen, (grant,) = decide(SEEN, asking(100), POLICY, is_followed=True)
    seen, actions = decide(seen, Done("action-1", NOW, grant), POLICY, is_followed=True)

    assert actions == ()
    assert grant.subject not in seen.in_flight


def test_an_expired_grant_is_forgotten_by_the_next_event_that_is_no_join():
    seen, _ = decide(SEEN, asking(100), POLICY, is_followed=True)
    late = NOW + POLICY.grant_lifetime + SECOND
    seen = replace(seen, nodes_at=late)

    still, _ = decide(seen, asking(101, late), POLICY, is_followed=True)
    assert "i-100" in still.outstanding

    gone, _ = decide(still, Ticked("tick", late), POLICY)
    assert "i-100" not in gone.outstanding
    assert "i-101" in gone.outstanding
