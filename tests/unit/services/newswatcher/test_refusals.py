"""Retry-After, robots.txt, and threads that do not end."""

import threading
from datetime import UTC, datetime

import pytest

from services.newswatcher.edges.web import host_of, retry_after
from services.newswatcher.fetching.robots import NAME, parse
from services.newswatcher.threads import OverdueError, Threads

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("120", 120),
        (" 7 ", 7),
        ("Tue, 24 Nov 2026 03:05:00 GMT", 300),
        ("Tue, 24 Nov 2026 02:00:00 GMT", 0),
        ("soon", None),
        ("-5", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, at=NOW) == seconds


def test_a_huge_number_is_shortened() -> None:
    assert retry_after("9" * 400, at=NOW) == 999_999_999


def test_a_hosts_port_is_part_of_it() -> None:
    assert host_of("https://a.example/x") == "a.example"
    assert host_of("http://a.example:8080/x") == "a.example:8080"


@pytest.mark.parametrize(
    ("text", "is_allowed"),
    [
        ("", True),
        ("User-agent: *\nDisallow: /", False),
        (f"User-agent: {NAME}\nDisallow: /private\n\nUser-agent: *\nDisallow: /", True),
        (f"User-agent: {NAME.upper()}\nDisallow: /news\n\nUser-agent: *\nAllow: /", False),
        ("<html>not robots</html>", True),
    ],
)
def test_robots_txt_rules_for_our_name_and_for_everybody_apply(text: str, is_allowed: bool) -> None:
    assert parse(text).can_fetch(NAME, "https://a.example/news/1") is is_allowed


async def test_work_that_does_not_end_is_abandoned_and_its_end_noticed() -> None:
    threads = Threads()
    may_end, has_ended = threading.Event(), threading.Event()

    def work() -> None:
        may_end.wait()
        has_ended.set()

    with pytest.raises(OverdueError):
        await threads.run(work, limit_seconds=0.01)
    assert threads.lost == 1
    assert await threads.run(lambda: 7, limit_seconds=60) == 7
    may_end.set()
    has_ended.wait(60)
    while threads.lost:
        await threads.run(lambda: None, limit_seconds=60)


async def test_an_error_in_the_work_is_raised() -> None:
    def work() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        await Threads().run(work, limit_seconds=60)


async def test_too_much_abandoned_work_blocks_more_of_it() -> None:
    threads = Threads()
    may_end = threading.Event()
    for _ in range(8):
        with pytest.raises(OverdueError):
            await threads.run(may_end.wait, limit_seconds=0.001)
    with pytest.raises(OverdueError, match="too many"):
        await threads.run(lambda: 1, limit_seconds=60)
    may_end.set()
