from datetime import UTC, datetime, timedelta

from services.webservice.visitor.verified_logins import Identity, VerifiedLogins

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ADA = Identity("ada", "ada@site.example", NOW + timedelta(minutes=10))


def test_a_verified_login_is_known_for_a_while():
    logins = VerifiedLogins(seconds=300)
    logins.keep("t", ADA, monotonic=100)

    assert logins.identity("t", monotonic=399, now=NOW) == ADA
    assert logins.identity("t", monotonic=401, now=NOW) is None


def test_a_login_is_forgotten_when_its_token_expires():
    logins = VerifiedLogins(seconds=3600)
    logins.keep("t", ADA, monotonic=100)

    assert logins.identity("t", monotonic=101, now=ADA.until) is None


def test_an_unverified_token_is_unknown():
    assert VerifiedLogins(seconds=300).identity("t", monotonic=0, now=NOW) is None


def test_a_refused_token_is_forgotten():
    logins = VerifiedLogins(seconds=300)
    logins.keep("t", ADA, monotonic=100)
    logins.forget("t")

    assert logins.identity("t", monotonic=100, now=NOW) is None


def test_no_number_of_visitors_fills_the_memory():
    logins = VerifiedLogins(seconds=300)
    for at in range(10_050):
        logins.keep(f"t{at}", ADA, monotonic=at)

    assert len(logins._identities) == 10_000
    assert logins.identity("t0", monotonic=10_050, now=NOW) is None
