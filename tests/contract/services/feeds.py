"""Feeds and articles on real HTTP, as good and as bad as the web has them.

What a path answers is set by the test; what was asked is kept. The server answers under
`127.0.0.1` and `localhost`, which are two hosts to whoever asks.
"""

import asyncio
import gzip
import html
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Final

from aiohttp import web
from ports import free_port

START: Final = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
Answering = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Item:
    """One entry of a feed."""

    link: str
    title: str
    summary: str = "What the feed says of it."
    published: datetime = START


@dataclass(frozen=True)
class Asked:
    """One request."""

    host: str
    path: str
    query: str
    headers: dict[str, str]


@dataclass
class FeedServer:
    """One server for all tests' feeds; every test sets its own paths."""

    port: int
    asked: list[Asked] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    _paths: dict[str, Answering] = field(default_factory=dict)
    _leaving: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def other_url(self) -> str:
        """The same server under another host name."""
        return f"http://localhost:{self.port}"

    def times(self, path: str) -> int:
        """How often a path was requested."""
        return sum(one.path == path for one in self.asked)

    def answer(self, path: str, answering: Answering) -> None:
        self._paths[path] = answering

    def says(
        self,
        path: str,
        body: str | bytes,
        *,
        status: int = 200,
        content_type: str = "text/html; charset=utf-8",
        **headers: str,
    ) -> None:
        """Always give this answer; underscores in header names stand for hyphens."""
        raw = body.encode() if isinstance(body, str) else body
        told = {name.replace("_", "-"): value for name, value in headers.items()}

        async def answering(_request: web.Request) -> web.Response:
            return web.Response(
                body=raw, status=status, headers={"Content-Type": content_type} | told
            )

        self.answer(path, answering)

    def feed(self, path: str, items: Sequence[Item], *, etag: str = '"1"') -> None:
        """A valid RSS feed with an ETag, which is answered with 304."""
        body = gzip.compress(rss(items).encode())

        async def answering(request: web.Request) -> web.Response:
            if request.headers.get("If-None-Match") == etag:
                return web.Response(status=304, headers={"ETag": etag})
            return web.Response(
                body=body,
                headers={
                    "Content-Type": "application/rss+xml",
                    "Content-Encoding": "gzip",
                    "ETag": etag,
                },
            )

        self.answer(path, answering)

    def article(self, path: str, text: str, *, canonical: str | None = None) -> None:
        self.says(path, page(text, canonical=canonical))

    def moves(self, path: str, to: str, *, status: int = 301) -> None:
        self.says(path, "", status=status, Location=to)

    def hangs(self, path: str) -> None:
        """Accepts the request and never answers."""

        async def answering(_request: web.Request) -> web.Response:
            await self._leaving.wait()
            return web.Response()

        self.answer(path, answering)

    def drips(self, path: str) -> None:
        """A feed that never ends, a little at a time."""

        async def answering(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(headers={"Content-Type": "application/rss+xml"})
            await response.prepare(request)
            while not self._leaving.is_set():
                await response.write(b"<rss> ")
                await asyncio.sleep(0.05)
            return response

        self.answer(path, answering)

    def pours(self, path: str) -> None:
        """A feed that never ends, as fast as it is read."""

        async def answering(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(headers={"Content-Type": "application/rss+xml"})
            await response.prepare(request)
            while not self._leaving.is_set():
                await response.write(b"<item><title>More</title></item>" * 4096)
            return response

        self.answer(path, answering)

    def breaks_off(self, path: str) -> None:
        """Announces more bytes than it sends."""

        async def answering(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(
                headers={"Content-Type": "application/rss+xml", "Content-Length": "1000"}
            )
            await response.prepare(request)
            await response.write(b"<rss>")
            assert request.transport is not None
            request.transport.abort()
            return response

        self.answer(path, answering)

    def leave(self) -> None:
        self._leaving.set()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(
            Asked(
                request.host.partition(":")[0],
                request.path,
                request.query_string,
                dict(request.headers),
            )
        )
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            answering = self._paths.get(request.path)
            if answering is None:
                return web.Response(status=404)
            return await answering(request)
        finally:
            self.at_once -= 1


@asynccontextmanager
async def serving() -> AsyncIterator[FeedServer]:
    """A server with only the paths that the test sets."""
    server = FeedServer(free_port())
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", server.port).start()
        yield server
    finally:
        server.leave()
        await runner.cleanup()


def rss(items: Sequence[Item]) -> str:
    told = "".join(
        f"<item><title>{html.escape(item.title)}</title><link>{html.escape(item.link)}</link>"
        f"<description>{html.escape(item.summary)}</description>"
        f"<pubDate>{format_datetime(item.published)}</pubDate></item>"
        for item in items
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?><rss version="2.0"><channel><title>T</title>'
        f"<link>https://example.com/</link><description>D</description>{told}</channel></rss>"
    )


def page(text: str, *, canonical: str | None = None) -> str:
    told = f'<link rel="canonical" href="{html.escape(canonical)}">' if canonical else ""
    paragraphs = "".join(f"<p>{html.escape(one)}</p>" for one in text.split("\n"))
    return (
        f"<!doctype html><html><head><meta charset=utf-8><title>T</title>{told}</head><body>"
        f"<nav><a href=/>Home</a> <a href=/more>More</a></nav><main><article>{paragraphs}"
        "</article></main><footer>All rights reserved</footer></body></html>"
    )


_SYLLABLES: Final = (
    *("ba", "co", "di", "fen", "gar", "hol", "in", "jus", "ker", "lam"),
    *("mon", "nor", "op", "per", "qui", "ran", "sol", "ter", "us", "vil"),
)


def story(number: int, sentences: int = 24) -> str:
    """A text of invented words, unique to its number and long enough for an article."""
    rng = random.Random(number)
    told = []
    for _ in range(sentences):
        words = ["".join(rng.choices(_SYLLABLES, k=rng.randint(1, 3))) for _ in range(9)]
        told.append(" ".join(words).capitalize() + ".")
    return "\n".join(" ".join(told[at : at + 4]) for at in range(0, sentences, 4))


def items(server: FeedServer, count: int, *, first: int = 1, prefix: str = "a") -> list[Item]:
    """Entries whose articles are on the server."""
    made = []
    for number in range(first, first + count):
        server.article(f"/{prefix}/{number}", story(number))
        made.append(
            Item(
                f"{server.url}/{prefix}/{number}",
                f"Headline number {number}",
                published=START + timedelta(minutes=number),
            )
        )
    return made
