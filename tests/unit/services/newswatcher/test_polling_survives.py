"""Whatever a server, the parser, the database or one entry raises, the poller goes on."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import GoneError, RefusedError, UnavailableError
from runtime.faults import Faults
from services.newswatcher.article_writer import ArticleWriter
from services.newswatcher.edges.web import Answer
from services.newswatcher.feeds import Feed
from services.newswatcher.parsing.answers import ParsedFeed
from services.newswatcher.parsing.parser import ParsingError
from services.newswatcher.polling import FeedPoller, Limits, Shared
from services.newswatcher.reading.entries import Entry, NotAFeedError
from services.newswatcher.schedule import FeedState
from services.stores.article import Article

FEED = Feed(name="F", url="https://a.example/feed", pages=True)
ENTRIES = tuple(
    Entry(
        link=f"https://a.example/{number}",
        title=f"T{number}",
        summary="s",
        content="c",
        published=datetime(2026, 11, 29, tzinfo=UTC),
    )
    for number in range(4)
)
BUGS: tuple[Exception, ...] = (
    *(ZeroDivisionError(), KeyError("x"), TypeError(), OverflowError(), RecursionError()),
    *(UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates"), AssertionError()),
)
ANSWERS: tuple[Exception, ...] = (
    *(GoneError("a.example returned 410"), RefusedError("x"), UnavailableError("x")),
    *(ParsingError("x"), NotAFeedError("x")),
)


class Surroundings:
    """Everything around a poller. Each part raises what the test says, and otherwise works."""

    def __init__(self, faults: dict[str, Exception]) -> None:
        self._faults = faults
        self.docs: dict[str, Article] = {}
        self.states = 0

    def _at(self, place: str) -> None:
        if place in self._faults:
            raise self._faults[place]

    async def get(self, url: str, **_options: Any) -> Answer:
        self._at("fetching")
        return Answer(200, url, None, "text/xml", '"1"', None, b"")

    async def feed(self, _body: bytes, **_options: Any) -> ParsedFeed:
        self._at("parsing")
        return ParsedFeed(entries=ENTRIES, refused=2, reasons=("KeyError",))

    async def read(self, link: str) -> Any:
        self._at(f"page {link[-1]}")
        return type("Page", (), {"canonical_url": link, "text": ""})

    async def article(self, article_id: str) -> Article:
        if article_id not in self.docs:
            raise GoneError(article_id)
        return self.docs[article_id]

    async def near(self, _fingerprint: str) -> dict[str, str]:
        self._at("near")
        return {}

    async def save(self, value: Any) -> Any:
        if isinstance(value, FeedState):
            self._at("state")
            self.states += 1
            return value
        self._at(f"article {value.url[-1]}")
        self.docs[value.id] = value
        return value


PLACES = [f"{kind} {number}" for kind in ("page", "article") for number in range(4)]


def poller_of(faults: dict[str, Exception]) -> tuple[FeedPoller, Surroundings, Faults]:
    around, noted = Surroundings(faults), Faults()
    every: Any = around
    shared = Shared(
        web=every,
        pages=every,
        parser=every,
        writer=ArticleWriter(every),
        states=every,
        faults=noted,
    )
    return FeedPoller(FEED, shared, Limits(feed_bytes=1, entries_per_poll=9)), around, noted


@given(
    st.dictionaries(st.sampled_from(PLACES), st.sampled_from(BUGS)),
    st.dictionaries(st.just("state"), st.sampled_from(BUGS)),
)
async def test_what_one_entry_raises_costs_only_this_entry(
    entries: dict[str, Exception], state: dict[str, Exception]
) -> None:
    poller, around, noted = poller_of({**entries, **state})
    await poller.poll()
    bad = {int(place[-1]) for place in entries}
    titles = {article.title for article in around.docs.values()}
    assert titles == {f"T{number}" for number in range(4) if number not in bad}
    assert poller.state.failures == 0
    counts = {fault["path"]: 0 for fault in noted.recent()}
    for fault in noted.recent():
        counts[fault["path"]] += fault["count"]
    assert counts.get("entries of feeds", 0) == len(bad)
    assert ("states of feeds" in counts) is bool(state)


@given(
    st.sampled_from(["fetching", "parsing"]),
    st.sampled_from(BUGS + ANSWERS),
    st.integers(min_value=1, max_value=3),
)
async def test_what_a_feed_raises_is_a_failed_poll_and_the_next_poll_works(
    place: str, error: Exception, times: int
) -> None:
    faults = {place: error}
    poller, around, noted = poller_of(faults)
    for _ in range(times):
        await poller.poll()
    assert poller.state.failures == times
    assert poller.state.reason
    assert len(noted.recent()) == (error in BUGS)
    faults.clear()
    await poller.poll()
    assert poller.state.failures == 0
    assert len(around.docs) == 4


async def test_an_entry_that_fails_three_times_is_skipped_until_a_restart() -> None:
    poller, around, noted = poller_of({"article 2": KeyError("x")})
    for _ in range(5):
        await poller.poll()
    assert sum(fault["count"] for fault in noted.recent()) == 3
    assert len(around.docs) == 3
