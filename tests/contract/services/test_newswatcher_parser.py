"""The parser's process: limits, crashes, and what they cost."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from services.newswatcher.parsing.parser import Parser, ParsingError
from services.newswatcher.reading.entries import NotAFeedError

HEAD = "<rss><item><title>T</title><link>https://a.example/1</link>"
FEED = f"{HEAD}</item></rss>".encode()
SLOW = f"{HEAD}{'<description>&lt;a&gt;</description>' * 100_000}".encode()
URL = "https://a.example/feed"
MEMORY = 200_000_000


async def titles(parser: Parser, body: bytes = FEED) -> list[str]:
    parsed = await parser.feed(body, url=URL, content_type="text/xml")
    return [entry.title for entry in parsed.entries]


@pytest.fixture
async def parser() -> AsyncIterator[Parser]:
    async with Parser(limit_seconds=600, memory_bytes=MEMORY) as opened:
        yield opened


def pid(parser: Parser) -> int:
    assert parser._process is not None
    return parser._process.pid


async def test_one_process_parses_feeds_pages_and_robots_txt_files(parser: Parser) -> None:
    assert await titles(parser) == ["T"]
    first = pid(parser)
    with pytest.raises(NotAFeedError, match="not an RSS or Atom feed"):
        await titles(parser, b"{}")
    page = await parser.page(b"<html><link rel=canonical href=/x>", content_type="text/html")
    assert (page.text, page.canonical_link) == ("", "/x")
    text = b"User-agent: *\nDisallow: /private/\nCrawl-delay: 3"
    verdict = await parser.robots(text, url="https://a.example/private/1", robot="R")
    assert (verdict.is_allowed, verdict.delay_seconds) == (False, 3.0)
    assert await asyncio.gather(*(titles(parser) for _ in range(5))) == [["T"]] * 5
    assert pid(parser) == first
    assert parser.problem is None


async def test_a_text_that_takes_too_long_costs_only_itself() -> None:
    # How fast the host is does not matter: this text takes a hundred times as long.
    async with Parser(limit_seconds=0.02, memory_bytes=MEMORY) as parser:
        with pytest.raises(ParsingError, match=r"longer than 0\.02 s"):
            await titles(parser, SLOW)
        assert parser._process is None
        parser._limit_seconds = 600
        assert await titles(parser) == ["T"]


async def test_a_text_that_needs_too_much_memory_costs_only_itself() -> None:
    async with Parser(limit_seconds=600, memory_bytes=40_000_000) as parser:
        with pytest.raises(ParsingError):
            await titles(parser, HEAD.encode() + "\U0001f4a3".encode() * 2_500_000)
        assert await titles(parser) == ["T"]


async def test_a_text_that_ends_the_process_costs_only_itself(parser: Parser) -> None:
    assert await titles(parser) == ["T"]
    first, process = pid(parser), parser._process
    assert process is not None
    parsing = asyncio.create_task(titles(parser, SLOW))
    await asyncio.sleep(0)
    process.kill()
    with pytest.raises(ParsingError, match="ended the parser's process"):
        await parsing
    assert await titles(parser) == ["T"]
    assert pid(parser) != first


async def test_a_process_that_ended_between_two_texts_costs_none(parser: Parser) -> None:
    await titles(parser)
    process = parser._process
    assert process is not None
    process.kill()
    await process.wait()
    assert await titles(parser) == ["T"]


async def test_after_a_cancellation_no_text_gets_the_answer_to_another(parser: Parser) -> None:
    await titles(parser)
    parsing = asyncio.create_task(titles(parser, SLOW))
    await asyncio.sleep(0.01)
    parsing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await parsing
    assert await titles(parser) == ["T"]


async def test_the_process_has_limits_and_no_secrets(
    parser: Parser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COUCHDB_PASSWORD", "secret-of-couchdb")
    await titles(parser)
    place = Path("/proc", str(pid(parser)))
    assert b"secret-of-couchdb" not in (place / "environ").read_bytes()
    limits = {line[:26].strip(): line[26:47].strip() for line in _limits(place)}
    assert int(limits["Max cpu time"]) < 700
    assert int(limits["Max address space"]) > MEMORY
    assert limits["Max core file size"] == "0"


def _limits(place: Path) -> list[str]:
    return (place / "limits").read_text().splitlines()


async def test_a_process_that_cannot_start_is_a_problem_until_it_can(
    parser: Parser, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(sys, "executable", "/nonexistent/python")
        with pytest.raises(ParsingError, match="cannot be started"):
            await titles(parser)
        assert parser.problem is not None
    assert await titles(parser) == ["T"]
    assert parser.problem is None
