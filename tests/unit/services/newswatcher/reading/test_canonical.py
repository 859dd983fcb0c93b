"""The one URL of each article."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.newswatcher.reading.canonical import canonical, choose, is_same_site


@pytest.mark.parametrize(
    ("written", "expected"),
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
def test_irrelevant_parts_are_left_out(written: str, expected: str) -> None:
    assert canonical(written) == expected


@pytest.mark.parametrize(
    "written",
    [
        *("", "   ", "ftp://a.example/x", "javascript:alert(1)", "/only/a/path", "https://"),
        *("http://[half", "https://a.example:99999/", "mailto:a@b.example", "file:///etc/passwd"),
        "https://a.example/" + "x" * 3000,
    ],
)
def test_anything_but_a_web_address_has_no_canonical_url(written: str) -> None:
    assert canonical(written) is None


@given(st.text(max_size=60))
def test_canonical_is_idempotent_for_any_text(text: str) -> None:
    for written in (text, f"https://a.example/{text}", f"https://a.example/?{text}"):
        once = canonical(written)
        assert once is None or canonical(once) == once


@pytest.mark.parametrize(
    ("url", "other", "is_same"),
    [
        ("https://www.a.example/", "https://a.example/x", True),
        ("https://amp.a.example/", "https://www.a.example/", True),
        ("https://news.a.example/", "https://a.example/", True),
        ("https://a.example/", "https://b.example/", False),
        ("https://nota.example/", "https://a.example/", False),
    ],
)
def test_a_site_is_a_host_with_its_subdomains(url: str, other: str, is_same: bool) -> None:
    assert is_same_site(url, other) is is_same


LINK = "https://a.example/news/1"


@pytest.mark.parametrize(
    ("final", "own_link", "expected"),
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
def test_a_page_may_choose_a_url_of_its_own_site_and_a_login_page_none(
    final: str, own_link: str | None, expected: str
) -> None:
    assert choose(LINK, final, own_link) == expected
