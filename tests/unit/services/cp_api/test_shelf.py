"""What is kept, and for how long it may be said again."""

from services.cp_api.asked import span
from services.cp_api.market import history_seconds
from services.cp_api.shelf import Ages, Shelf

AGES = Ages(fresh_seconds=2, stale_seconds=900)


def test_a_value_is_fresh_then_stale_then_gone() -> None:
    shelf: Shelf[str, int] = Shelf(AGES)
    shelf.put("a", 1, now=0)
    assert shelf.fresh("a", now=2) == 1
    assert shelf.fresh("a", now=3) is None
    assert shelf.stale("a", now=900) == 1
    assert shelf.stale("a", now=901) is None


def test_what_was_not_looked_at_for_longest_makes_room() -> None:
    shelf: Shelf[str, int] = Shelf(AGES, most=2)
    shelf.put("a", 1, now=0)
    shelf.put("b", 2, now=0)
    assert shelf.fresh("a", now=1) == 1
    shelf.put("c", 3, now=1)
    assert len(shelf) == 2
    assert shelf.fresh("b", now=1) is None
    assert shelf.fresh("a", now=1) == 1


def test_history_is_fresh_for_a_quarter_of_its_bar_within_limits() -> None:
    assert history_seconds(span("1h", "1min")) == 15
    assert history_seconds(span("1d", "15min")) == 225
    assert history_seconds(span("1w", "1d")) == 900
