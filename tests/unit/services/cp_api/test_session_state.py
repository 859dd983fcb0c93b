"""What a session's status means."""

import pytest

from services.cp_api.session_state import SENTENCES, SessionState, session_state
from services.peers.gateway import AuthStatus


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (AuthStatus(authenticated=True, connected=True), SessionState.WELL),
        (AuthStatus(connected=True), SessionState.LAPSED),
        (AuthStatus(connected=True, competing=True), SessionState.COMPETING),
        (AuthStatus(authenticated=True, connected=True, competing=True), SessionState.COMPETING),
        (AuthStatus(), SessionState.LOGGED_OUT),
    ],
)
def test_only_a_connected_session_that_does_not_compete_has_lapsed(
    status: AuthStatus, expected: SessionState
) -> None:
    assert session_state(status) is expected


def test_every_state_has_a_sentence() -> None:
    assert "competing" in SENTENCES[SessionState.COMPETING]
    assert set(SENTENCES) == set(SessionState)
