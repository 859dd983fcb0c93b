"""CouchDB says 200 and means no: every reader and writer treats it as an outage."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import aiohttp
import pytest
from aiohttp import web
from hypothesis import example, given
from hypothesis import strategies as st
from memory_connections import Connector
from randomness import at_most

from runtime.errors import UnavailableError
from services.ml.follower import Follower
from services.stores import couch_answers
from services.stores.couch import Couch
from services.stores.news import News, NewsQuery

TIMED_OUT: Final = '{"error":"timeout","reason":"The request could not be processed in time."}'
BAD: Final = (
    TIMED_OUT,
    '{"results":[\n{"seq":1,"id":"a"},\n',
    '{"results":[{"id":"a"}],"last_seq":1}',
    '{"results":{"error":"timeout"},"last_seq":1}',
    '{"rows":[1]}',
    "null",
    "[[]]",
    "",
)
CALLS: Final[dict[str, Callable[[Couch], Awaitable[Any]]]] = {
    "get": lambda couch: couch.get("news", "a"),
    "put": lambda couch: couch.put("news", {"_id": "a"}),
    "bulk": lambda couch: couch.bulk("news", [{"_id": "a"}]),
    "view": lambda couch: couch.view("news", "news", "by_time"),
    "changes": lambda couch: couch.changes("news"),
    "local": lambda couch: couch.local("news", "a"),
    "put_local": lambda couch: couch.put_local("news", "a", {}),
    "ensure_design": lambda couch: couch.ensure_design("news", {"_id": "_design/a"}),
    "page": lambda couch: News(couch).page(NewsQuery()),
    "symbols": lambda couch: News(couch).symbols(),
}


@asynccontextmanager
async def couch_that_says(text: str) -> AsyncIterator[Couch]:
    async def answer(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(text=text, status=201 if "_bulk_docs" in request.path else 200)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    async with aiohttp.ClientSession(connector=Connector({"couchdb": runner.server})) as session:
        yield Couch(session, "http://couchdb:5984")
    await runner.cleanup()


@pytest.mark.parametrize("text", BAD)
@pytest.mark.parametrize("name", CALLS)
async def test_an_error_with_a_good_status_is_an_outage(name: str, text: str) -> None:
    async with couch_that_says(text) as couch:
        with pytest.raises(UnavailableError) as raised:
            await CALLS[name](couch)
    if text == TIMED_OUT:
        assert "CouchDB reported the error timeout" in str(raised.value)
    assert "could not be processed" not in str(raised.value)


async def test_the_follower_survives_it_and_says_so() -> None:
    async with couch_that_says(TIMED_OUT) as couch:
        follower = Follower(couch, batch=5, wait_seconds=0.1)
        task = asyncio.create_task(follower.run())
        while "timeout" not in (await follower.check() or ""):
            await asyncio.sleep(0.01)
            assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["results", "last_seq", "rows", "id", "seq", "_id", "rev", "error"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(documents)
@example({"error": "timeout"})
@example({"results": [{"id": None, "seq": 1}], "last_seq": 1})
@at_most(60)
def test_no_document_raises_anything_but_an_outage(answer: object) -> None:
    for check in (
        couch_answers.document,
        couch_answers.revision,
        couch_answers.view_rows,
        couch_answers.change_rows,
        lambda rows, attempt: couch_answers.written_rows(rows, 1, attempt),
    ):
        with suppress(UnavailableError):
            check(answer, "reading")
