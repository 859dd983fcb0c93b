"""A message of the queue is deleted only when the next leader can do without it."""

from datetime import timedelta

from builders import NOW, POLICY, SECOND, manager_node
from leader_play import Play, swarm
from leaving_term import MINUTE, Term, cluster, notice
from swarm_model import worker

from leader.decide import decide
from leader.view.actions import DeleteNotices, PauseNode
from leader.view.events import Done, Noticed, Ticked
from leader.view.ids import InstanceId
from leader.view.notices import Notice
from wire.labels import LEAVING

LATER = NOW + timedelta(days=10)


def maintenance(who="i-1", deadline=LATER):
    return notice("maintenance", who, deadline=deadline, action="AWS_EC2_INSTANCE_RETIREMENT")


def receipts(term):
    return [receipt for action in term.of(DeleteNotices) for receipt in action.receipts]


def test_a_message_about_maintenance_stays_until_the_node_leaves_or_the_time_is_past():
    term = Term().notice(maintenance(), "r-1")
    term.tick(NOW + MINUTE)
    assert receipts(term) == []

    term.tick(LATER - POLICY.maintenance_lead + SECOND)

    assert term.phase() == LEAVING
    assert receipts(term) == ["r-1"]


def test_a_message_about_maintenance_of_a_manager_stays_until_it_is_past():
    manager = manager_node("n-1", labels={"spotswarm.instance": "i-1"})
    term = Term(cluster(manager, worker(2))).notice(maintenance(), "r-1")
    term.tick(LATER - SECOND)
    assert receipts(term) == []

    term.tick(LATER)
    assert receipts(term) == ["r-1"]


def test_a_message_that_is_delivered_again_and_again_is_remembered_once():
    term = Term()
    for number in range(100):
        term.notice(maintenance(), f"r-{number}", at=NOW + number * SECOND)

    assert len(term.view.notices.receipts["i-1"]) <= 10
    term.tick(LATER)
    assert "r-99" in receipts(term)


def test_a_message_about_two_instances_stays_until_both_are_leaving():
    soon = NOW + 5 * MINUTE
    term = Term(is_busy=True)
    for who in ("i-1", "i-2"):
        term.notice(maintenance(who, soon), "r-1")
    first, second = term.of(PauseNode)
    term.hear(Done("d-1", NOW, first))
    assert receipts(term) == []

    term.hear(Done("d-2", NOW, second))

    assert receipts(term) == ["r-1"]


def test_a_message_about_an_instance_of_ours_and_a_foreign_one_stays():
    term = Term()
    others = {"i-77": ("i-1",), "i-1": ("i-77",)}
    for who in ("i-77", "i-1"):
        event = Noticed("e-1", NOW, maintenance(who), "r-1", others=others[who])
        term.hear(event)
    assert receipts(term) == []


def test_the_next_leader_knows_the_maintenance():
    play = Play(swarm(), crashes={20})
    at = play.swarm.at + timedelta(minutes=30)
    play.queue["r"] = Notice(InstanceId("i-1"), "maintenance", "queue", play.swarm.at, at, "stop")

    play.run(40)

    assert play.view.notices.of(InstanceId("i-1"), "maintenance") is not None
    assert "r" in play.queue


def test_an_interruption_is_deleted_when_it_is_on_the_label_though_maintenance_is_announced():
    term = Term().notice(maintenance(), "r-1").notice(notice(), "r-2")

    assert receipts(term) == ["r-1", "r-2"]


def test_deciding_again_deletes_nothing_new():
    term = Term().notice(maintenance(), "r-1")
    _, actions = decide(term.view, Ticked("t", NOW), POLICY)
    assert not [action for action in actions if isinstance(action, DeleteNotices)]
