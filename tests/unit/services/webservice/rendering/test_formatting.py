from datetime import UTC, date, datetime, timedelta

import pytest

from services.webservice import flash, watch_list
from services.webservice.rendering import formatting

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "just now"),
        (59, "just now"),
        (60, "1 min ago"),
        (3 * 3600 + 5, "3 h ago"),
        (86_400, "yesterday"),
        (3 * 86_400, "3 days ago"),
        (8 * 86_400, "16 Nov 2026"),
    ],
)
def test_times_are_relative_and_in_words(seconds: int, text: str):
    assert formatting.ago(NOW - timedelta(seconds=seconds), now=NOW) == text


def test_a_moment_names_its_zone():
    assert formatting.moment(NOW) == "24 Nov 2026, 12:00 UTC"
    assert formatting.day(date(2026, 5, 1)) == "1 May 2026"


def test_signs_are_typographic_and_zero_has_no_sign():
    assert formatting.signed(0.4) == "+0.40"
    assert formatting.signed(-0.4) == "\N{MINUS SIGN}0.40"
    assert formatting.signed(-0.001) == "0.00"


def test_a_missing_price_is_a_dash():
    assert formatting.price(None) == "\N{EN DASH}"
    assert formatting.price(1234.5) == "1,234.50"
    assert formatting.price(0.12345) == "0.1235"


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "//evil.example",
        "",
        "http://",
        "http://[",
        "ftp://a",
    ],
)
def test_only_web_addresses_become_links(url: str):
    assert formatting.web_address(url) == ""


def test_a_web_address_is_unchanged():
    assert (
        formatting.web_address("https://www.wire.example/a?b=c") == "https://www.wire.example/a?b=c"
    )
    assert formatting.host("https://www.wire.example/a") == "wire.example"


def test_paragraphs_are_split_at_empty_lines():
    assert formatting.paragraphs("one\nstill one\n\ntwo\n\n\n") == ["one\nstill one", "two"]
    assert formatting.paragraphs("one\ntwo") == ["one", "two"]


def test_an_unknown_flash_code_shows_nothing():
    assert flash.message("<script>") is None
    assert flash.message(None) is None
    assert flash.message("signed-out") is not None


def test_a_watch_list_is_parsed_as_people_type_it():
    assert watch_list.parse(" aapl, msft;BRK.B  aapl ") == (["AAPL", "MSFT", "BRK.B"], [])
    assert watch_list.parse("AAPL <script> $$")[1] == ["<script>", "$$"]
    assert watch_list.parse("") == ([], [])


def test_a_watch_list_is_limited():
    assert len(watch_list.parse(" ".join(f"S{at}" for at in range(40)))[0]) == watch_list.LONGEST


def test_a_watch_list_survives_its_cookie():
    assert watch_list.parse(watch_list.dump(["AAPL", "BRK.B"]))[0] == ["AAPL", "BRK.B"]
