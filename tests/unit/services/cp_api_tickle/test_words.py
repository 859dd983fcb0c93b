"""What people are told, and what a status means."""

from datetime import UTC, datetime

import pytest

from services.cp_api_tickle.daemon import state
from services.cp_api_tickle.decide import EndAlarm, RaiseAlarm, SessionState
from services.cp_api_tickle.webhook import words
from services.peers.gateway import AuthStatus

SINCE = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)


def test_an_alarm_has_an_id_by_which_it_is_known_when_it_comes_twice() -> None:
    alarm = RaiseAlarm(reason="the gateway does not answer", since=SINCE, state="away")
    once, twice = words(alarm, at=SINCE), words(alarm, at=datetime(2026, 11, 25, tzinfo=UTC))
    assert once["id"] == twice["id"]
    assert once["event"] == "session_lost"
    assert "does not answer" in once["text"]


def test_the_word_that_it_is_back_has_another_id() -> None:
    told = words(EndAlarm(reason="well again", since=SINCE), at=SINCE)
    assert told["event"] == "session_returned"
    assert told["id"].startswith("session_returned-")


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (AuthStatus(authenticated=True, connected=True), "well"),
        (AuthStatus(connected=True), "lapsed"),
        (AuthStatus(), "logged out"),
        (AuthStatus(authenticated=True, connected=True, competing=True), "competing"),
    ],
)
def test_a_status_means_what_can_be_done_about_it(told: AuthStatus, expected: SessionState) -> None:
    assert state(told) == expected
