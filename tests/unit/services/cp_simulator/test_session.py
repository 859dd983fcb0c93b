"""The simulator's session ends and returns as the real gateway's does."""

from services.cp_simulator.pacing import PacingMonitor
from services.cp_simulator.session import Refusal, Session
from services.cp_simulator.state import SimulatorState, Trouble

SNAPSHOT = "/iserver/marketdata/snapshot"


def test_a_snapshot_needs_a_request_for_the_accounts_first() -> None:
    session = Session(idle_seconds=360)
    assert session.refusal(SNAPSHOT) is Refusal.ACCOUNTS
    session.has_accounts = True
    assert session.refusal(SNAPSHOT) is None


def test_without_a_session_some_paths_answer_and_its_return_starts_afresh() -> None:
    session = Session(idle_seconds=360, has_accounts=True)
    session.stream(1, now=0, after_seconds=0)
    session.lose()
    assert session.refusal(SNAPSHOT) is Refusal.BROKERAGE
    assert session.refusal("/trsrv/stocks") is None
    assert session.refusal("/iserver/auth/status") is None
    session.reauthenticate(compete=False)
    assert session.refusal(SNAPSHOT) is Refusal.ACCOUNTS
    assert not session.stream(1, now=10, after_seconds=0)


def test_nothing_answers_without_a_login_and_reauthentication_does_not_help() -> None:
    session = Session(idle_seconds=360)
    session.log_out()
    session.reauthenticate(compete=True)
    assert session.refusal("/tickle") is Refusal.LOGIN
    session.log_in()
    assert session.refusal("/tickle") is None


def test_a_competing_session_is_taken_over_only_on_request() -> None:
    session = Session(idle_seconds=360, is_competing=True)
    session.reauthenticate(compete=False)
    assert not session.is_authenticated
    session.reauthenticate(compete=True)
    assert session.is_authenticated


def test_a_session_without_requests_ends() -> None:
    session = Session(idle_seconds=360)
    session.touch(now=350)
    assert session.is_authenticated
    session.touch(now=711)
    assert not session.is_authenticated


def test_the_first_snapshot_of_a_contract_has_no_data() -> None:
    session = Session(idle_seconds=360)
    assert not session.stream(7, now=1.0, after_seconds=0.3)
    assert not session.stream(7, now=1.2, after_seconds=0.3)
    assert session.stream(7, now=1.4, after_seconds=0.3)


def test_trouble_changes_only_the_given_fields() -> None:
    state = SimulatorState(Session(idle_seconds=360), PacingMonitor(900), preflight_seconds=0)
    state.apply(Trouble(slow_seconds=2), now=0)
    state.apply(Trouble(session="lost", halted=("AAPL",)), now=0)
    assert state.slow_seconds == 2
    assert not state.session.is_authenticated
    assert state.halted == {"AAPL"}
