"""Articles out of pages."""

import pytest

from services.newswatcher.reading import page

WORDS = "The council met on Monday and spoke of the harbour for a long while. " * 8
HTML = (
    "<html><head><link rel='alternate canonical' href=' /story '></head><body><nav>Menu</nav>"
    f"<article><h1>Head</h1><p>{WORDS}</p><p>{WORDS[::-1]}</p></article></body></html>"
)


def test_the_article_is_found_and_what_is_around_it_is_not() -> None:
    read = page.read(HTML.encode(), content_type="text/html")
    assert "spoke of the harbour" in read.text
    assert "Menu" not in read.text
    assert read.told == "/story"


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1", "no-such-charset", '"utf-8"'])
def test_a_charset_is_believed_when_it_fits(charset: str) -> None:
    html = HTML.replace("harbour", "harb\u00f6r")
    encoding = "iso-8859-1" if charset == "iso-8859-1" else "utf-8"
    read = page.read(html.encode(encoding), content_type=f"text/html; charset={charset}")
    assert "harb\u00f6r" in read.text


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"\x00" * 500, b"<", b"<html>", bytes(range(256)) * 20, b"<a" * 5000),
        *(b"<html><body><p>Too short.</p></body></html>", b"\xff\xfe<\x00p\x00>\x00"),
    ],
)
def test_what_is_no_article_gives_none_and_never_raises(body: bytes) -> None:
    assert page.read(body, content_type="text/html; charset=utf-8").text == ""
