"""How long verified tokens are remembered, and that their texts are not stored."""

from datetime import UTC, datetime, timedelta

from services.peers.auth import Verified
from services.public_api.verified_tokens import VerifiedTokens, token_hash

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
TOKEN = "ssw_abc_secret"


def identity(expires: datetime | None = None) -> Verified:
    return Verified(kind="api", account="a", token="t", scopes=("news:read",), expires=expires)


def test_a_verification_has_the_age_of_auths_answer() -> None:
    tokens = VerifiedTokens()
    tokens.keep(token_hash(TOKEN), identity(), at=100.0)
    verification = tokens.find(token_hash(TOKEN), at=107.0, now=NOW)
    assert verification is not None
    assert (verification.identity, verification.age_seconds) == (identity(), 7.0)


def test_an_unverified_token_is_unknown() -> None:
    tokens = VerifiedTokens()
    tokens.keep(token_hash(TOKEN), identity(), at=0.0)
    assert tokens.find(token_hash(TOKEN + "x"), at=0.0, now=NOW) is None
    tokens.forget(token_hash(TOKEN))
    assert tokens.find(token_hash(TOKEN), at=0.0, now=NOW) is None


def test_an_expired_token_is_forgotten_however_recently_it_was_verified() -> None:
    tokens = VerifiedTokens()
    tokens.keep(token_hash(TOKEN), identity(NOW + timedelta(seconds=1)), at=0.0)
    assert tokens.find(token_hash(TOKEN), at=0.5, now=NOW) is not None
    assert tokens.find(token_hash(TOKEN), at=1.0, now=NOW + timedelta(seconds=1)) is None


def test_the_least_recently_used_tokens_are_forgotten_first() -> None:
    tokens = VerifiedTokens()
    tokens.keep(token_hash("old"), identity(), at=0.0)
    tokens.keep(token_hash("used"), identity(), at=0.0)
    for number in range(9_999):
        tokens.find(token_hash("used"), at=0.0, now=NOW)
        tokens.keep(token_hash(f"new {number}"), identity(), at=0.0)
    assert tokens.find(token_hash("old"), at=0.0, now=NOW) is None
    assert tokens.find(token_hash("used"), at=0.0, now=NOW) is not None


def test_no_token_is_stored_in_clear() -> None:
    tokens = VerifiedTokens()
    tokens.keep(token_hash(TOKEN), identity(), at=0.0)
    assert "secret" not in repr(vars(tokens))
