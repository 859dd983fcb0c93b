from dataclasses import replace
from datetime import timedelta

import pytest
from builders import NOW, POLICY, SECOND, instance, manager_node, node, view
from hypothesis import given
from hypothesis import strategies as st
from randomness import at_most
from swarm_model import QUIET, worker

from leader.decide import decide, first_view
from leader.leaving.starting import start
from leader.view.actions import ActivateNode, DeleteNotices, PauseNode, Refuse, ReplaceInstance
from leader.view.events import Done, DrainAsked, Noticed, ReturnAsked, Ticked
from leader.view.moment import Moment
from leader.view.notices import Listener, Notice
from leader.view.terms import Then, leaving_of
from wire.messages import Availability

MINUTE = timedelta(minutes=1)
DEADLINE = NOW + 2 * MINUTE


def notice(kind="interruption", who="i-1", **said):
    fields = {"instance": who, "kind": kind, "source": "queue", "announced_at": NOW}
    if kind == "interruption":
        fields |= {"deadline": DEADLINE, "action": "terminate"}
    return Notice(**(fields | said))


def cluster(*nodes, **said):
    nodes = nodes or tuple(worker(number) for number in range(1, 5))
    fields = {
        "instances": {one.instance: instance(one.instance) for one in nodes if one.instance},
        "instances_at": NOW,
        "tokens": QUIET,
    }
    return view(*nodes, **(fields | said))


class Term:
    """One leader's view, each action done as soon as it is decided, if it is to be."""

    def __init__(self, known=None, *, is_busy=False):
        self.view = known or cluster()
        self.is_busy = is_busy
        self.decided = []

    def hear(self, *events):
        for event in events:
            self.view = replace(self.view, nodes_at=event.at, instances_at=event.at)
            self.view, actions = decide(self.view, event, POLICY)
            self.decided += actions
            if not self.is_busy:
                self.hear(*(Done("done", event.at, action) for action in actions))
        return self

    def notice(self, said, receipt=None, *, at=NOW, **more):
        return self.hear(Noticed("e-1", at, said, receipt, **more))

    def tick(self, at):
        return self.hear(Ticked("tick", at))

    def of(self, kind):
        return [action for action in self.decided if isinstance(action, kind)]

    def phase(self, name="n-1"):
        return self.view.nodes[name].phase


# Interruptions


def test_an_interruption_pauses_its_node_at_once_with_all_the_next_leader_needs():
    term = Term().notice(notice())

    (pause,) = term.of(PauseNode)
    held = leaving_of(term.view.nodes["n-1"])
    assert (held.why, held.since, held.deadline) == ("interruption", NOW, DEADLINE)
    assert held.then is Then.TERMINATE
    assert "20:02:00 UTC (reported by the queue)" in pause.reason


def test_a_notice_without_a_time_has_the_two_minutes_aws_gives():
    term = Term().notice(notice(deadline=None, action=""))

    assert leaving_of(term.view.nodes["n-1"]).deadline == DEADLINE


@pytest.mark.parametrize("action", ["stop", "hibernate"])
def test_what_aws_stops_is_not_ours_to_end(action):
    term = Term().notice(notice(action=action))

    assert leaving_of(term.view.nodes["n-1"]).then is Then.AWS


@pytest.mark.parametrize("apart", [0, 1, 60])
def test_the_second_path_tells_nothing_new(apart):
    again = notice(source="agent", announced_at=NOW + apart * SECOND)
    term = Term().notice(notice()).notice(again, at=NOW + apart * SECOND)

    assert len(term.of(PauseNode)) == 1


def test_an_earlier_deadline_counts_whenever_it_is_heard():
    sooner = notice(source="agent", deadline=NOW + MINUTE)
    for order in ([notice(), sooner], [sooner, notice()]):
        term = Term()
        for one in order:
            term.notice(one)
        assert leaving_of(term.view.nodes["n-1"]).deadline == NOW + MINUTE
        assert leaving_of(term.view.nodes["n-1"]).since == NOW


def test_a_notice_that_arrives_after_its_deadline_still_empties_the_node():
    late = NOW + 3 * MINUTE
    term = Term().notice(notice(), at=late)

    assert leaving_of(term.view.nodes["n-1"]).deadline == DEADLINE
    assert term.phase() == "leaving"


def test_a_notice_aws_never_acted_on_is_forgotten():
    term = Term(is_busy=True).notice(notice())
    term.tick(DEADLINE + 3 * MINUTE)

    assert term.view.notices.standing == {}


def test_an_interruption_of_a_drained_node_ends_it_without_making_it_active():
    empty = worker(1, availability=Availability.DRAIN, labels={"spotswarm.phase": "drained"})
    term = Term(cluster(empty, worker(2))).notice(notice())

    assert term.of(PauseNode)[0].is_drained
    assert leaving_of(term.of(PauseNode)[0] and term.view.nodes["n-1"]).then is Then.TERMINATE


def test_an_interruption_hastens_an_operators_drain_and_ends_the_instance():
    term = Term().hear(DrainAsked("e-1", NOW, "n-1", 10 * MINUTE))
    assert leaving_of(term.view.nodes["n-1"]).then is Then.STAY

    term.notice(notice(), at=NOW + SECOND)

    held = leaving_of(term.view.nodes["n-1"])
    assert (held.then, held.deadline, held.since) == (Then.TERMINATE, DEADLINE, NOW)


def test_an_interruption_of_what_an_operators_drain_left_long_ago_begins_anew():
    term = Term().hear(DrainAsked("e-1", NOW, "n-1", MINUTE))
    later = NOW + 5 * MINUTE
    term.notice(notice(announced_at=later, deadline=later + 2 * MINUTE), at=later)

    held = leaving_of(term.view.nodes["n-1"])
    assert (held.since, held.deadline) == (later, later + 2 * MINUTE)


def test_a_node_that_is_down_already_is_not_paused():
    term = Term(cluster(worker(1, status="down"), worker(2))).notice(notice())

    assert term.of(PauseNode) == []


# The queue


def test_a_message_about_nobody_of_ours_is_deleted_and_changes_nothing():
    term = Term()
    before = term.view
    term.notice(notice(who="i-77"), "r-1")

    (deleted,) = term.of(DeleteNotices)
    assert deleted.receipts == ("r-1",)
    assert term.view == before


def test_an_agents_word_about_nobody_of_ours_is_dropped():
    assert Term().notice(notice(who="i-77", source="agent")).decided == []


@pytest.mark.parametrize("missing", ["nodes_at", "instances_at"])
def test_a_leader_without_both_lists_deletes_no_message(missing):
    blind = replace(
        first_view(), tokens=QUIET, **{"nodes_at": NOW, "instances_at": NOW, missing: None}
    )

    known, actions = decide(blind, Noticed("e-1", NOW, notice(), "r-1"), POLICY)

    assert not [one for one in actions if isinstance(one, DeleteNotices)]
    assert known.notices.receipts == {"i-1": ("r-1",)}


def test_a_message_is_deleted_when_the_leaving_is_written_on_the_node():
    term = Term(is_busy=True).notice(notice(), "r-1")
    (pause,) = term.of(PauseNode)
    assert term.of(DeleteNotices) == []

    term.hear(Done("e-2", NOW, pause))

    (deleted,) = term.of(DeleteNotices)
    assert deleted.receipts == ("r-1",)
    term.hear(Done("e-3", NOW, deleted))
    assert term.view.notices.receipts == {}


def test_a_message_delivered_again_is_deleted_too():
    term = Term().notice(notice(), "r-1").notice(notice(), "r-2", at=NOW + SECOND)

    assert [one.receipts for one in term.of(DeleteNotices)] == [("r-1",), ("r-2",)]


def test_a_message_about_an_instance_without_a_node_is_not_kept():
    known = replace(cluster(worker(2)), instances={"i-1": instance("i-1")})

    assert [one.receipts for one in Term(known).notice(notice(), "r-1").of(DeleteNotices)] == [
        ("r-1",)
    ]


def test_a_change_of_state_makes_ec2_be_asked_and_is_done_with():
    term = Term(is_busy=True).notice(notice("state", action="terminated"), "r-1")

    assert {type(one).__name__ for one in term.decided} == {"DeleteNotices", "ListInstances"}
    term.notice(notice("state", action="terminated"), "r-2")
    assert [type(one).__name__ for one in term.decided].count("ListInstances") == 1


def test_a_new_interruption_makes_its_pool_avoided_for_a_while():
    term = Term().notice(notice()).notice(notice(), at=NOW + MINUTE)

    assert term.view.pools.avoided == {("t3.small", "eu-central-1a"): NOW + POLICY.pool_penalty}
    term.tick(NOW + POLICY.pool_penalty)
    assert term.view.pools.avoided == {}


def test_a_waiting_agent_is_remembered_until_it_is_gone_for_long():
    listener = Listener("reply", "key", 0, NOW + 5 * SECOND)
    term = Term().notice(notice(source="agent"), listener=listener)

    term.tick(NOW + 14 * SECOND)
    assert term.view.notices.listeners == {"i-1": listener}
    term.tick(NOW + 15 * SECOND)
    assert term.view.notices.listeners == {}


# Hints


def hint(number, **said):
    return notice("rebalance", f"i-{number}", **said)


def test_a_hint_pauses_its_node_and_asks_for_a_replacement_once():
    term = Term().notice(hint(1)).tick(NOW + SECOND).tick(NOW + MINUTE)

    assert term.phase() == "hinted"
    assert term.view.nodes["n-1"].availability is Availability.PAUSE
    (asked,) = term.of(ReplaceInstance)
    assert asked.instance == "i-1"
    assert asked.avoid == (("t3.small", "eu-central-1a"),)


@pytest.mark.parametrize("is_busy", [True, False])
@at_most(25)
@given(st.integers(1, 7), st.permutations(range(1, 8)))
def test_hints_never_pause_more_than_half_of_the_workers(is_busy, workers, order):
    term = Term(cluster(*(worker(number) for number in range(1, workers + 1))), is_busy=is_busy)

    for number in order:
        term.notice(hint(number))
    term.tick(NOW + SECOND)

    assert len(term.of(PauseNode)) == workers // 2


def test_a_hint_that_had_no_room_is_heeded_when_there_is():
    term = Term(cluster(worker(1), worker(2))).notice(hint(1)).notice(hint(2))
    assert term.phase("n-2") == ""

    grown = {f"n-{n}": worker(n) for n in (3, 4)}
    term.view = replace(term.view, nodes={**term.view.nodes, **grown})
    term.tick(NOW + SECOND)

    assert term.phase("n-2") == "hinted"


def test_a_manager_is_never_hinted():
    boss = manager_node("n-1", labels={"spotswarm.instance": "i-1"})
    term = Term(cluster(boss, worker(2), worker(3))).notice(hint(1))

    assert term.of(PauseNode) == []


def test_a_hinted_node_leaves_when_one_more_takes_tasks_than_before():
    term = Term().notice(hint(1))
    assert term.phase() == "hinted"

    term.view = replace(term.view, nodes={**term.view.nodes, "n-9": worker(9)})
    term.tick(NOW + MINUTE)

    held = leaving_of(term.view.nodes["n-1"])
    assert (held.why, held.then) == ("rebalance", Then.TERMINATE)
    assert held.deadline == NOW + MINUTE + POLICY.drain_within


def test_a_hinted_node_takes_tasks_again_when_nothing_came_of_it_and_is_not_hinted_twice():
    term = Term().notice(hint(1))
    term.tick(NOW + POLICY.hint_patience - SECOND)
    assert term.of(ActivateNode) == []

    term.tick(NOW + POLICY.hint_patience)
    assert len(term.of(ActivateNode)) == 1
    assert term.phase() == ""

    term.notice(hint(1, source="agent"), at=NOW + POLICY.hint_patience + MINUTE)
    assert len(term.of(PauseNode)) == 1


def test_a_hint_is_followed_by_its_interruption_without_delay():
    term = Term().notice(hint(1)).notice(notice(), at=NOW + SECOND)

    assert term.phase() == "leaving"
    assert leaving_of(term.view.nodes["n-1"]).deadline == DEADLINE


def test_a_hinted_node_whose_labels_were_spoilt_waits_for_its_patience():
    labels = {
        "spotswarm.phase": "hinted",
        "spotswarm.others": "few",
        "spotswarm.deadline": (NOW + MINUTE).isoformat(),
    }
    paused = worker(1, availability=Availability.PAUSE, labels=labels)
    known = cluster(paused, worker(2))

    (asked,) = start(Moment(known, POLICY, NOW))
    assert isinstance(asked, ReplaceInstance)
    (back,) = start(Moment(known, POLICY, NOW + MINUTE))
    assert isinstance(back, ActivateNode)


def test_a_replacement_for_an_instance_that_is_not_known_avoids_what_is_penalised():
    paused = worker(
        1,
        availability=Availability.PAUSE,
        labels={"spotswarm.phase": "hinted", "spotswarm.deadline": (NOW + MINUTE).isoformat()},
    )
    known = replace(cluster(paused, worker(2)), instances={})
    known = replace(known, pools=known.pools.avoid(("m5.large", "a"), DEADLINE))

    (asked,) = start(Moment(known, POLICY, NOW))

    assert asked.avoid == (("m5.large", "a"),)


# Maintenance


def test_maintenance_begins_when_it_is_near_and_not_before():
    planned = notice("maintenance", deadline=NOW + 60 * MINUTE, action="system-reboot")
    term = Term().notice(planned)
    term.tick(NOW + 44 * MINUTE)
    assert term.of(PauseNode) == []

    term.tick(NOW + 45 * MINUTE)
    held = leaving_of(term.view.nodes["n-1"])
    assert (held.why, held.deadline) == ("maintenance", NOW + 60 * MINUTE)
    term.tick(NOW + 46 * MINUTE)
    assert len(term.of(PauseNode)) == 1


def test_maintenance_that_is_over_in_no_time_still_gets_two_minutes():
    term = Term().notice(notice("maintenance", deadline=NOW, action="instance-stop"))

    assert leaving_of(term.view.nodes["n-1"]).deadline == NOW + 2 * MINUTE


def test_maintenance_without_a_time_waits_for_one():
    assert Term().notice(notice("maintenance", action="x")).of(PauseNode) == []


def test_maintenance_of_a_manager_is_the_operators_and_is_said_once():
    boss = manager_node("n-1", labels={"spotswarm.instance": "i-1"})
    term = Term(cluster(boss, worker(2)))
    term.notice(notice("maintenance", deadline=NOW + MINUTE, action="system-reboot"))
    term.tick(NOW + SECOND)

    (refusal,) = term.of(Refuse)
    assert "launch another manager" in refusal.reason
    assert "system-reboot" in refusal.reason
    assert term.of(PauseNode) == []


# The operator's wishes


def test_a_drain_is_written_on_the_node_and_the_wish_forgotten():
    term = Term().hear(DrainAsked("e-1", NOW, "n-1", 3 * MINUTE))

    held = leaving_of(term.view.nodes["n-1"])
    assert (held.why, held.deadline, held.then) == ("operator", NOW + 3 * MINUTE, Then.STAY)
    assert term.view.moves.wishes == {}


def test_a_wish_about_a_node_that_is_gone_does_nothing():
    assert Term().hear(DrainAsked("e-1", NOW, "n-77", MINUTE)).of(PauseNode) == []


def test_a_leaving_node_that_is_wanted_back_returns():
    term = Term().hear(DrainAsked("e-1", NOW, "n-1", MINUTE), ReturnAsked("e-2", NOW, "n-1"))

    assert term.phase() == "returning"
    assert term.view.moves.wishes == {}


def test_a_hinted_node_that_is_wanted_back_is_not_kept_by_its_hint():
    term = Term().notice(hint(1)).hear(ReturnAsked("e-2", NOW, "n-1"))

    assert term.phase() == "returning"


def test_an_interruption_is_stronger_than_the_wish_to_have_a_node_back():
    term = Term().notice(notice()).hear(ReturnAsked("e-2", NOW, "n-1")).tick(NOW + SECOND)

    assert term.phase() == "leaving"


def test_a_node_nobody_knows_an_instance_of_is_left_alone():
    assert list(start(Moment(cluster(node("n-1"), worker(2)), POLICY, NOW))) == []
