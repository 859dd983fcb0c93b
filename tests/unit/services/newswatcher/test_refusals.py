"""Retry-After and robots.txt."""

from datetime import UTC, datetime

import pytest

from runtime.errors import RefusedError
from services.newswatcher.edges.web import host_of, retry_after
from services.newswatcher.fetching.robots import NAME
from services.newswatcher.reading import robots_txt

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
        ("Tue, 24 Nov 99999999999999999999 03:05:00 GMT", None),
        ("Tue, 24 Nov 2026 03:05:00 +99999999999999999999", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, at=NOW) == seconds


def test_a_huge_number_is_shortened() -> None:
    assert retry_after("9" * 400, at=NOW) == 999_999_999


def test_a_hosts_port_is_part_of_it() -> None:
    assert host_of("https://a.example/x") == "a.example"
    assert host_of("http://a.example:8080/x") == "a.example:8080"
    assert host_of("http://A\u3002example/") == "a.example"
    with pytest.raises(RefusedError):
        host_of("http://[::1")


def verdict(text: str, path: str = "/news/1") -> robots_txt.Verdict:
    return robots_txt.parse(text.encode(), url=f"https://a.example{path}", robot=NAME)


@pytest.mark.parametrize(
    ("text", "is_allowed"),
    [
        ("", True),
        ("User-agent: *\nDisallow: /", False),
        (f"User-agent: {NAME}\nDisallow: /private\n\nUser-agent: *\nDisallow: /", True),
        (f"User-agent: {NAME.upper()}\nDisallow: /news\n\nUser-agent: *\nAllow: /", False),
        ("<html>not robots</html>", True),
        ("\ufeffUser-agent: *\nDisallow: /", False),
        ("\0\nUser-agent: *\r\nDisallow: /news/\0", False),
    ],
)
def test_robots_txt_rules_for_our_name_and_for_everybody_apply(text: str, is_allowed: bool) -> None:
    assert verdict(text).is_allowed is is_allowed


@pytest.mark.parametrize(
    ("path", "is_allowed"),
    [
        ("/public/1", True),
        ("/private/1", False),
        ("/private/but/1", True),
        ("/papers/1.pdf", False),
        ("/papers/1.pdf?page=2", True),
        ("/a/secret/b", False),
    ],
)
def test_the_longest_rule_and_wildcards_count_as_in_rfc_9309(path: str, is_allowed: bool) -> None:
    text = (
        "User-agent: *\nAllow: /\nDisallow: /private/\nAllow: /private/but/\n"
        "Disallow: /*.pdf$\nDisallow: /*/secret/\n"
    )
    assert verdict(text, path).is_allowed is is_allowed


@pytest.mark.parametrize(
    ("delay", "seconds"),
    [("7", 7), ("0.5", 0.5), ("nan", None), ("inf", None), ("-1", None), ("soon", None)],
)
def test_a_crawl_delay_is_a_number_of_seconds(delay: str, seconds: float | None) -> None:
    assert verdict(f"User-agent: *\nCrawl-delay: {delay}").delay_seconds == seconds
