"""The alarms that people get, and what a status means."""

from datetime import UTC, datetime

import pytest

from services.cp_api_tickle.daemon import state
from services.cp_api_tickle.decide import EndAlarm, RaiseAlarm, SessionState
from services.cp_api_tickle.webhook import message
from services.peers.gateway import AuthStatus

SINCE = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)


def test_an_alarm_that_is_sent_twice_keeps_its_id() -> None:
    alarm = RaiseAlarm(reason="the gateway does not respond", since=SINCE, state="away")
    once, twice = message(alarm, at=SINCE), message(alarm, at=datetime(2026, 11, 25, tzinfo=UTC))
    assert once["id"] == twice["id"]
    assert once["event"] == "session_lost"
    assert "does not respond" in once["text"]


def test_the_end_of_an_alarm_has_a_different_id() -> None:
    ended = message(EndAlarm(reason="well again", since=SINCE), at=SINCE)
    assert ended["event"] == "session_returned"
    assert ended["id"].startswith("session_returned-")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (AuthStatus(authenticated=True, connected=True), "well"),
        (AuthStatus(connected=True), "lapsed"),
        (AuthStatus(), "logged out"),
        (AuthStatus(authenticated=True, connected=True, competing=True), "competing"),
    ],
)
def test_a_status_means_what_can_be_done_about_it(
    status: AuthStatus, expected: SessionState
) -> None:
    assert state(status) == expected
