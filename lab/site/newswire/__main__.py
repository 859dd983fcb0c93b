"""Serves the news wires: feeds at `/WIRE/feed.xml`, and stories at `/WIRE/NUMBER/TITLE`.

Rule: a story appears at its publication time and never changes. Publication times are relative to
the start of the process, so a new lab always has news from the last three days.
"""

import hashlib
import re
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from html import escape
from pathlib import Path
from typing import Final

from aiohttp import web

from lab.places import Places
from lab.site.newswire import PORT, WIRES
from runtime import clock, lifecycle, logs
from runtime.web import serving

_STORIES: Final = Path(__file__).with_name("stories.toml")


@dataclass(frozen=True, slots=True)
class Story:
    """A story that a news wire publishes."""

    wire: str
    number: int
    title: str
    paragraphs: Sequence[str]
    published: datetime

    @property
    def path(self) -> str:
        """The URL path of the story's page."""
        words = re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-")
        return f"/{self.wire}/{self.number}/{words}"


def stories(start: datetime) -> list[Story]:
    """Return all stories, newest first, including those that will be published after `start`."""
    entries = tomllib.loads(_STORIES.read_text(encoding="utf-8"))["story"]
    parsed = [
        Story(
            wire=entry["wire"],
            number=number,
            title=entry["title"],
            paragraphs=[part.strip() for part in entry["text"].strip().split("\n\n")],
            published=start - timedelta(hours=entry["hours"]),
        )
        for number, entry in enumerate(entries, 1)
    ]
    return sorted(parsed, key=lambda story: story.published, reverse=True)


def feed(wire: str, out: Sequence[Story], *, base: str) -> str:
    """Return an RSS 2.0 feed of these stories."""
    items = "".join(
        f"<item><title>{escape(story.title)}</title><link>{base}{story.path}?utm_source=rss</link>"
        f'<guid isPermaLink="true">{base}{story.path}</guid>'
        f"<pubDate>{format_datetime(story.published)}</pubDate>"
        f"<description>{escape(story.paragraphs[0])}</description></item>\n"
        for story in out
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<rss version="2.0"><channel>'
        f"<title>{WIRES[wire]}</title><link>{base}/{wire}/</link>"
        f"<description>News of a lab; no such thing happened</description>\n{items}"
        "</channel></rss>\n"
    )


def page(story: Story, *, base: str) -> str:
    """Return a story's HTML page, with a menu and a footer like those of a newspaper website."""
    body = "".join(f"<p>{escape(part)}</p>\n" for part in story.paragraphs)
    return (
        f'<!doctype html><html lang="en"><head><title>{escape(story.title)}</title>'
        f'<link rel="canonical" href="{base}{story.path}"></head><body>'
        f"<nav><a href='/{story.wire}/'>{WIRES[story.wire]}</a> Markets Companies Opinion</nav>"
        f"<article><h1>{escape(story.title)}</h1>\n{body}</article>"
        "<footer>Subscribe to our newsletter. All rights reserved.</footer></body></html>\n"
    )


def application(all_stories: Sequence[Story]) -> web.Application:
    """Return the web application that serves the feeds and the pages of published stories."""

    def out_by_now(wire: str) -> list[Story]:
        if wire not in WIRES:
            raise web.HTTPNotFound
        at = clock.now()
        return [story for story in all_stories if story.wire == wire and story.published <= at]

    async def get_feed(request: web.Request) -> web.Response:
        wire = request.match_info["wire"]
        current = out_by_now(wire)
        text = feed(wire, current, base=str(request.url.origin()))
        tag = hashlib.sha256(text.encode()).hexdigest()[:16]
        newest = max((story.published for story in current), default=datetime.fromtimestamp(0, UTC))
        headers = {"ETag": f'"{tag}"', "Last-Modified": format_datetime(newest, usegmt=True)}
        if any(known.value == tag for known in request.if_none_match or ()):
            return web.Response(status=304, headers=headers)
        return web.Response(text=text, content_type="application/rss+xml", headers=headers)

    async def get_page(request: web.Request) -> web.Response:
        for story in out_by_now(request.match_info["wire"]):
            if story.path == request.path:
                text = page(story, base=str(request.url.origin()))
                return web.Response(text=text, content_type="text/html")
        raise web.HTTPNotFound

    async def robots(_request: web.Request) -> web.Response:
        return web.Response(text="User-agent: *\nDisallow: /private/\n")

    app = web.Application()
    app.router.add_get("/robots.txt", robots)
    app.router.add_get("/{wire}/feed.xml", get_feed)
    app.router.add_get(r"/{wire}/{number:\d+}/{words}", get_page)
    return app


async def _live() -> None:
    stopping = serving.Stopping(linger_seconds=0, finish_seconds=1)
    app = application(stories(clock.now()))
    await serving.serve(app, host=str(Places.here().gateway), port=PORT, stopping=stopping)


if __name__ == "__main__":
    logs.configure()
    sys.exit(lifecycle.run(_live(), name="lab.site.newswire"))
