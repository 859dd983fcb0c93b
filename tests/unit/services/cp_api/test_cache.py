"""How long cached values may be reused."""

from services.cp_api.cache import Ages, Cache
from services.cp_api.queries import span
from services.cp_api.quote_service import history_seconds

AGES = Ages(fresh_seconds=2, stale_seconds=900)


def test_a_value_is_fresh_then_stale_then_gone() -> None:
    cache: Cache[str, int] = Cache(AGES)
    cache.put("a", 1, now=0)
    assert cache.fresh("a", now=2) == 1
    assert cache.fresh("a", now=3) is None
    assert cache.stale("a", now=900) == 1
    assert cache.stale("a", now=901) is None


def test_the_least_recently_used_value_makes_room() -> None:
    cache: Cache[str, int] = Cache(AGES, most=2)
    cache.put("a", 1, now=0)
    cache.put("b", 2, now=0)
    assert cache.fresh("a", now=1) == 1
    cache.put("c", 3, now=1)
    assert len(cache) == 2
    assert cache.fresh("b", now=1) is None
    assert cache.fresh("a", now=1) == 1


def test_history_is_fresh_for_a_quarter_of_its_bar_within_limits() -> None:
    assert history_seconds(span("1h", "1min")) == 15
    assert history_seconds(span("1d", "15min")) == 225
    assert history_seconds(span("1w", "1d")) == 900
