"""Who can do something about a session."""

import pytest

from services.cp_api.outlook import SENTENCES, Outlook, outlook
from services.peers.gateway import AuthStatus


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (AuthStatus(authenticated=True, connected=True), Outlook.WELL),
        (AuthStatus(connected=True), Outlook.LAPSED),
        (AuthStatus(connected=True, competing=True), Outlook.COMPETING),
        (AuthStatus(authenticated=True, connected=True, competing=True), Outlook.COMPETING),
        (AuthStatus(), Outlook.LOGGED_OUT),
    ],
)
def test_only_a_lapsed_session_is_worth_asking_for(status: AuthStatus, expected: Outlook) -> None:
    assert outlook(status) is expected


def test_a_competing_session_is_said_plainly() -> None:
    assert "competing" in SENTENCES[Outlook.COMPETING]
    assert set(SENTENCES) == set(Outlook)
