from datetime import UTC, datetime, timedelta

from services.webservice.visitor.remembered import Known, Remembered

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ADA = Known("ada", "ada@site.example", NOW + timedelta(minutes=10))


def test_somebody_vouched_for_is_known_for_a_while():
    known = Remembered(seconds=300)
    known.keep("t", ADA, monotonic=100)

    assert known.who("t", monotonic=399, now=NOW) == ADA
    assert known.who("t", monotonic=401, now=NOW) is None


def test_nobody_is_known_longer_than_their_token_lasts():
    known = Remembered(seconds=3600)
    known.keep("t", ADA, monotonic=100)

    assert known.who("t", monotonic=101, now=ADA.until) is None


def test_a_token_nobody_vouched_for_is_unknown():
    assert Remembered(seconds=300).who("t", monotonic=0, now=NOW) is None


def test_who_was_refused_is_forgotten():
    known = Remembered(seconds=300)
    known.keep("t", ADA, monotonic=100)
    known.forget("t")

    assert known.who("t", monotonic=100, now=NOW) is None


def test_no_number_of_visitors_fills_the_memory():
    known = Remembered(seconds=300)
    for at in range(10_050):
        known.keep(f"t{at}", ADA, monotonic=at)

    assert len(known._known) == 10_000
    assert known.who("t0", monotonic=10_050, now=NOW) is None
