from dataclasses import replace

import pytest
from builders import NOW, POLICY, SECOND, instance
from leaving_term import MINUTE, Term, cluster, notice
from swarm_model import QUIET, worker

from leader.decide import decide, first_view
from leader.view.actions import DeleteNotices, PauseNode
from leader.view.events import Done, Noticed
from leader.view.notices import Listener


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
