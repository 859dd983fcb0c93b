"""The simulator's session is lost and had again as the broker's is."""

from services.cp_simulator.desk import Desk, Trouble
from services.cp_simulator.pacing import Watch
from services.cp_simulator.session import Refusal, Session

SNAPSHOT = "/iserver/marketdata/snapshot"


def test_snapshots_want_the_accounts_asked_for_first() -> None:
    session = Session(idle_seconds=360)
    assert session.refusal(SNAPSHOT) is Refusal.ACCOUNTS
    session.has_accounts = True
    assert session.refusal(SNAPSHOT) is None


def test_a_lost_session_answers_what_needs_none_and_comes_back_without_streams() -> None:
    session = Session(idle_seconds=360, has_accounts=True)
    session.stream(1, now=0, after_seconds=0)
    session.lose()
    assert session.refusal(SNAPSHOT) is Refusal.BROKERAGE
    assert session.refusal("/trsrv/stocks") is None
    assert session.refusal("/iserver/auth/status") is None
    session.reauthenticate(compete=False)
    assert session.refusal(SNAPSHOT) is Refusal.ACCOUNTS
    assert not session.stream(1, now=10, after_seconds=0)


def test_nothing_answers_without_a_login_and_asking_again_does_not_make_one() -> None:
    session = Session(idle_seconds=360)
    session.log_out()
    session.reauthenticate(compete=True)
    assert session.refusal("/tickle") is Refusal.LOGIN
    session.log_in()
    assert session.refusal("/tickle") is None


def test_a_competing_session_is_only_taken_over_when_asked_to() -> None:
    session = Session(idle_seconds=360, is_competing=True)
    session.reauthenticate(compete=False)
    assert not session.is_authenticated
    session.reauthenticate(compete=True)
    assert session.is_authenticated


def test_a_session_nobody_tickles_ends() -> None:
    session = Session(idle_seconds=360)
    session.heard(now=350)
    assert session.is_authenticated
    session.heard(now=711)
    assert not session.is_authenticated


def test_the_first_snapshot_of_a_contract_brings_no_data() -> None:
    session = Session(idle_seconds=360)
    assert not session.stream(7, now=1.0, after_seconds=0.3)
    assert not session.stream(7, now=1.2, after_seconds=0.3)
    assert session.stream(7, now=1.4, after_seconds=0.3)


def test_trouble_changes_only_what_it_tells() -> None:
    desk = Desk(Session(idle_seconds=360), Watch(900), preflight_seconds=0)
    desk.make(Trouble(slow_seconds=2), now=0)
    desk.make(Trouble(session="lost", halted=("AAPL",)), now=0)
    assert desk.slow_seconds == 2
    assert not desk.session.is_authenticated
    assert desk.halted == {"AAPL"}
