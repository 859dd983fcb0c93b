"""Tokens that auth vouched for: how long they are believed, and that they are not kept."""

from datetime import UTC, datetime, timedelta

from services.peers.auth import Verified
from services.public_api.known import KnownTokens, mark

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
TOKEN = "ssw_abc_secret"


def who(expires: datetime | None = None) -> Verified:
    return Verified(kind="api", account="a", token="t", scopes=("news:read",), expires=expires)


def test_a_token_is_as_old_as_auths_word_on_it() -> None:
    known = KnownTokens()
    known.keep(mark(TOKEN), who(), at=100.0)
    found = known.find(mark(TOKEN), at=107.0, now=NOW)
    assert found is not None
    assert (found.who, found.age_seconds) == (who(), 7.0)


def test_a_token_that_nobody_vouched_for_is_unknown() -> None:
    known = KnownTokens()
    known.keep(mark(TOKEN), who(), at=0.0)
    assert known.find(mark(TOKEN + "x"), at=0.0, now=NOW) is None
    known.forget(mark(TOKEN))
    assert known.find(mark(TOKEN), at=0.0, now=NOW) is None


def test_a_token_ends_when_it_says_so_however_lately_it_was_vouched_for() -> None:
    known = KnownTokens()
    known.keep(mark(TOKEN), who(NOW + timedelta(seconds=1)), at=0.0)
    assert known.find(mark(TOKEN), at=0.5, now=NOW) is not None
    assert known.find(mark(TOKEN), at=1.0, now=NOW + timedelta(seconds=1)) is None


def test_the_tokens_used_least_lately_are_forgotten_first() -> None:
    known = KnownTokens()
    known.keep(mark("old"), who(), at=0.0)
    known.keep(mark("used"), who(), at=0.0)
    for number in range(9_999):
        known.find(mark("used"), at=0.0, now=NOW)
        known.keep(mark(f"new {number}"), who(), at=0.0)
    assert known.find(mark("old"), at=0.0, now=NOW) is None
    assert known.find(mark("used"), at=0.0, now=NOW) is not None


def test_no_token_can_be_read_from_what_is_kept() -> None:
    known = KnownTokens()
    known.keep(mark(TOKEN), who(), at=0.0)
    assert "secret" not in repr(vars(known))
