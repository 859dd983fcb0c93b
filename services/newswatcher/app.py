"""Sets up newswatcher, which serves health checks, metrics and the status of each feed."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict

from runtime.web import faults as web_faults
from runtime.web.application import application
from runtime.web.outgoing import outgoing
from services.newswatcher.article_writer import ArticleWriter
from services.newswatcher.edges.web import Web, web_client
from services.newswatcher.feed_states import FeedStates
from services.newswatcher.fetching import robots
from services.newswatcher.fetching.pages import Pages
from services.newswatcher.fetching.politeness import Turns
from services.newswatcher.fetching.robots import Robots
from services.newswatcher.parsing.parser import Parser
from services.newswatcher.polling import FeedPoller, Limits, Shared
from services.newswatcher.settings import Settings
from services.stores.article import Moment
from services.stores.couch import Couch
from services.stores.news import News

_STORE_SECONDS: Final = 10.0
"""A long time-out, because the first query after a view has changed must wait for its index."""


class FeedStatus(BaseModel):
    """The status of one feed, as returned by `GET /feeds`."""

    model_config = ConfigDict(frozen=True)

    name: str
    url: str
    moved_to: str | None
    every_seconds: float
    last_look: Moment | None
    last_success: Moment | None
    next_look: Moment | None
    failures: int
    reason: str
    remembered: int
    """The number of entries that are remembered because their articles are stored."""


def status(poller: FeedPoller) -> FeedStatus:
    """Return a feed's status as of its last poll."""
    state = poller.state
    return FeedStatus(
        name=poller.feed.name,
        url=poller.feed.url,
        moved_to=state.moved_to,
        every_seconds=poller.feed.every_seconds,
        last_look=state.last_look,
        last_success=state.last_success,
        next_look=state.next_look,
        failures=state.failures,
        reason=state.reason,
        remembered=len(state.seen),
    )


def user_agent(contact: str) -> str:
    """Return the User-Agent header: our robot's name and, if given, a contact address."""
    return f"{robots.NAME}/1" + (f" (+{contact})" if contact else "")


def check(pollers: Sequence[FeedPoller], parser: Parser) -> str | None:
    """Readiness check: return None if feeds can be read and parsed, otherwise the problem."""
    if parser.problem:
        return parser.problem
    failing = [poller for poller in pollers if poller.state.failures]
    if pollers and len(failing) == len(pollers):
        return "no feed can be read"
    return None


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[tuple[web.Application, list[FeedPoller]]]:
    """Yield the application and the pollers. The caller must run all of them."""
    async with (
        outgoing(name="newswatcher", timeout_seconds=_STORE_SECONDS) as stores,
        web_client(
            user_agent=user_agent(settings.contact),
            connections=settings.outgoing_connections,
            allow_private=settings.allow_private,
        ) as session,
        Parser(limit_seconds=settings.parse_seconds, memory_bytes=settings.parse_bytes) as parser,
    ):
        couch = Couch(
            stores, settings.couchdb_url, settings.couchdb_user, settings.couchdb_password
        )
        faults = web_faults.counted()
        turns = Turns(settings.host_interval_seconds)
        reader = Web(
            session,
            turns,
            allow_private=settings.allow_private,
            fetch_seconds=settings.fetch_seconds,
        )
        shared = Shared(
            web=reader,
            pages=Pages(
                reader,
                Robots(reader, turns, parser),
                parser,
                page_bytes=settings.page_bytes,
            ),
            parser=parser,
            writer=ArticleWriter(News(couch, faults=faults)),
            states=FeedStates(couch),
            faults=faults,
        )
        limits = Limits(
            feed_bytes=settings.feed_bytes,
            entries_per_poll=settings.pages_per_look,
        )
        pollers = [FeedPoller(feed, shared, limits) for feed in settings.feeds()]

        async def check_feeds() -> str | None:
            return check(pollers, parser)

        async def check_faults() -> str | None:
            return web_faults.sentence(faults)

        async def feeds(_request: web.Request) -> web.Response:
            return web.json_response(_listing(pollers))

        app = application(
            "newswatcher",
            settings=settings,
            checks={"couchdb": couch.check, "feeds": check_feeds, "faults": check_faults},
        )
        app.router.add_get("/feeds", feeds)
        yield app, pollers


def _listing(pollers: Sequence[FeedPoller]) -> dict[str, Any]:
    return {"feeds": [status(poller).model_dump(mode="json") for poller in pollers]}
