import pytest
from builders import NOW, POLICY, SECOND, manager_node, node
from leaving_term import DEADLINE, MINUTE, Term, cluster, hint, notice
from swarm_model import worker

from leader.leaving.starting import start
from leader.view.actions import PauseNode, Refuse
from leader.view.events import DrainAsked, ReturnAsked
from leader.view.moment import Moment
from leader.view.terms import Then, leaving_of
from wire.messages import Availability

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
