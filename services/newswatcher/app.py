"""newswatcher's web side: health, metrics, and how each feed is."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict

from runtime.web.application import application
from runtime.web.outgoing import outgoing
from services.newswatcher.edges.web import Web, opened
from services.newswatcher.fetching import robots
from services.newswatcher.fetching.pages import Pages
from services.newswatcher.fetching.politeness import Turns
from services.newswatcher.fetching.robots import Robots
from services.newswatcher.filing import Filing
from services.newswatcher.settings import Settings
from services.newswatcher.states import States
from services.newswatcher.threads import Threads
from services.newswatcher.watching import Limits, Tools, Watch
from services.stores.article import Moment
from services.stores.couch import Couch
from services.stores.news import News

_STORE_SECONDS: Final = 10.0
"""An index that is built anew takes its time."""


class FeedStatus(BaseModel):
    """One feed, for people and dashboards."""

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
    """Entries whose articles are written."""


def status(watch: Watch) -> FeedStatus:
    """How a feed is, as it was after its last look."""
    state = watch.state
    return FeedStatus(
        name=watch.feed.name,
        url=watch.feed.url,
        moved_to=state.moved_to,
        every_seconds=watch.feed.every_seconds,
        last_look=state.last_look,
        last_success=state.last_success,
        next_look=state.next_look,
        failures=state.failures,
        reason=state.reason,
        remembered=len(state.seen),
    )


def user_agent(contact: str) -> str:
    """Who we say we are: our name, which robots.txt may use, and where to complain."""
    return f"{robots.NAME}/1" + (f" (+{contact})" if contact else "")


def checked(watches: Sequence[Watch], threads: Threads) -> str | None:
    """None while feeds are read, else a sentence."""
    if threads.lost:
        return f"{threads.lost} pages are being read for too long"
    failing = [one for one in watches if one.state.failures]
    if watches and len(failing) == len(watches):
        return "no feed can be read"
    return None


@asynccontextmanager
async def assembled(settings: Settings) -> AsyncIterator[tuple[web.Application, list[Watch]]]:
    """The application, and a watch for each feed to run while it serves."""
    async with (
        outgoing(name="newswatcher", timeout_seconds=_STORE_SECONDS) as stores,
        opened(
            user_agent=user_agent(settings.contact),
            connections=settings.outgoing_connections,
            allow_private=settings.allow_private,
        ) as session,
    ):
        couch = Couch(
            stores, settings.couchdb_url, settings.couchdb_user, settings.couchdb_password
        )
        threads = Threads()
        turns = Turns(settings.host_interval_seconds)
        reader = Web(
            session,
            turns,
            allow_private=settings.allow_private,
            fetch_seconds=settings.fetch_seconds,
        )
        tools = Tools(
            web=reader,
            pages=Pages(
                reader,
                Robots(reader, turns),
                threads,
                page_bytes=settings.page_bytes,
                parse_seconds=settings.parse_seconds,
            ),
            threads=threads,
            filing=Filing(News(couch)),
            states=States(couch),
        )
        limits = Limits(
            feed_bytes=settings.feed_bytes,
            pages_per_look=settings.pages_per_look,
            parse_seconds=settings.parse_seconds,
        )
        watches = [Watch(feed, tools, limits) for feed in settings.feeds()]

        async def look() -> str | None:
            return checked(watches, threads)

        async def feeds(_request: web.Request) -> web.Response:
            return web.json_response(_told(watches))

        app = application(
            "newswatcher", settings=settings, checks={"couchdb": couch.check, "feeds": look}
        )
        app.router.add_get("/feeds", feeds)
        yield app, watches


def _told(watches: Sequence[Watch]) -> dict[str, Any]:
    return {"feeds": [status(one).model_dump(mode="json") for one in watches]}
