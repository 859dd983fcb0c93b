"""Parsing articles' pages."""

import pytest

from services.newswatcher.reading import page

WORDS = "The council met on Monday and spoke of the harbour for a long while. " * 8
HTML = (
    "<html><head><link rel='alternate canonical' href=' /story '></head><body><nav>Menu</nav>"
    f"<article><h1>Head</h1><p>{WORDS}</p><p>{WORDS[::-1]}</p></article></body></html>"
)


def test_the_article_is_extracted_without_its_surroundings() -> None:
    parsed = page.parse(HTML.encode(), content_type="text/html")
    assert "spoke of the harbour" in parsed.text
    assert "Menu" not in parsed.text
    assert parsed.canonical_link == "/story"


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1", "no-such-charset", '"utf-8"'])
def test_a_fitting_charset_is_used(charset: str) -> None:
    html = HTML.replace("harbour", "harb\u00f6r")
    encoding = "iso-8859-1" if charset == "iso-8859-1" else "utf-8"
    parsed = page.parse(html.encode(encoding), content_type=f"text/html; charset={charset}")
    assert "harb\u00f6r" in parsed.text


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"\x00" * 500, b"<", b"<html>", bytes(range(256)) * 20, b"<a" * 5000),
        *(b"<html><body><p>Too short.</p></body></html>", b"\xff\xfe<\x00p\x00>\x00"),
    ],
)
def test_a_page_without_an_article_has_no_text_and_raises_nothing(body: bytes) -> None:
    assert page.parse(body, content_type="text/html; charset=utf-8").text == ""
