"""One article, one URL."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.newswatcher.reading.canonical import canonical, chosen, is_same_site


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("https://A.Example/x#part", "https://a.example/x"),
        ("HTTPS://a.example:443/x", "https://a.example/x"),
        ("http://a.example:8080/x", "http://a.example:8080/x"),
        ("https://a.example", "https://a.example/"),
        ("https://a.example./x", "https://a.example/x"),
        ("https://user:pw@a.example/x", "https://a.example/x"),
        ("https://a.example/x?utm_source=rss&utm_campaign=y", "https://a.example/x"),
        ("https://a.example/x?id=7&fbclid=zz&.tsrc=rss", "https://a.example/x?id=7"),
        ("https://a.example/x?b=2&a=1", "https://a.example/x?a=1&b=2"),
        ("https://a.example/caf\u00e9", "https://a.example/caf%C3%A9"),
        ("  https://a.example/x\n", "https://a.example/x"),
        ("http://[2001:DB8::1]/x", "http://[2001:db8::1]/x"),
    ],
)
def test_what_does_not_matter_is_left_out(written: str, meant: str) -> None:
    assert canonical(written) == meant


@pytest.mark.parametrize(
    "written",
    [
        *("", "   ", "ftp://a.example/x", "javascript:alert(1)", "/only/a/path", "https://"),
        *("http://[half", "https://a.example:99999/", "mailto:a@b.example", "file:///etc/passwd"),
        "https://a.example/" + "x" * 3000,
    ],
)
def test_what_is_none_of_the_web_has_none(written: str) -> None:
    assert canonical(written) is None


@given(st.text(max_size=60))
def test_any_text_is_judged_and_the_judgement_stands(text: str) -> None:
    for written in (text, f"https://a.example/{text}", f"https://a.example/?{text}"):
        once = canonical(written)
        assert once is None or canonical(once) == once


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("https://www.a.example/", "https://a.example/x", True),
        ("https://amp.a.example/", "https://www.a.example/", True),
        ("https://news.a.example/", "https://a.example/", True),
        ("https://a.example/", "https://b.example/", False),
        ("https://nota.example/", "https://a.example/", False),
    ],
)
def test_a_site_is_a_host_and_what_is_below_it(one: str, other: str, is_same: bool) -> None:
    assert is_same_site(one, other) is is_same


LINK = "https://a.example/news/1"


@pytest.mark.parametrize(
    ("final", "told", "by"),
    [
        (LINK, None, LINK),
        (LINK, "/story/1", "https://a.example/story/1"),
        (LINK, "https://www.a.example/story/1?utm_source=x", "https://www.a.example/story/1"),
        (LINK, "https://thief.example/1", LINK),
        (LINK, "https://a.example/", LINK),
        (LINK, "javascript:x", LINK),
        (LINK, "http://[half", LINK),
        ("https://b.example/1", None, "https://b.example/1"),
        ("https://b.example/1", "https://b.example/2", "https://b.example/2"),
        ("https://consent.b.example/1", None, LINK),
        ("https://a.example/login?to=1", None, LINK),
        ("https://a.example/", None, LINK),
    ],
)
def test_a_page_speaks_for_its_own_site_and_a_wall_for_nothing(
    final: str, told: str | None, by: str
) -> None:
    assert chosen(LINK, final, told) == by
