"""Which encoding the bytes of feeds and pages have, whatever is said about them."""

import codecs
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.newswatcher.reading import decoding
from services.newswatcher.reading.entries import parse

DATA = Path(__file__).parents[1] / "data"
TITLE = "Zürich: Börse €5"


def feed(declared: str, title: str = TITLE) -> str:
    declaration = f"<?xml version='1.0' encoding='{declared}'?>" if declared else ""
    return (
        f"{declaration}<rss><channel><item><title>{title}</title>"
        "<link>https://n.example/a</link></item></channel></rss>"
    )


def title_of(body: bytes, content_type: str = "application/xml") -> str:
    (entry,) = parse(body, url="https://n.example/feed.xml", content_type=content_type)
    return entry.title


@pytest.mark.parametrize(
    ("file", "title"),
    [
        ("blank-1251.xml", "Рубль растёт"),
        ("one-bad-byte.xml", TITLE),
        ("says-utf16-even.xml", "Ünï!"),
        ("says-utf16-odd.xml", "Ünï"),
    ],
)
def test_the_feeds_of_case_31_are_read_as_browsers_read_them(file: str, title: str) -> None:
    assert title_of((DATA / file).read_bytes()) == title


def test_an_invalid_byte_becomes_a_replacement_character_and_spoils_no_other() -> None:
    for declared in ("utf-8", ""):
        body = feed(declared, "Zürich ~ €").encode().replace(b"~", b"\xff")
        assert title_of(body) == "Zürich \ufffd €"


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
)
@pytest.mark.parametrize("said", ["iso-8859-1", "utf-8", "utf-16", "nonsense"])
def test_a_byte_order_mark_counts_more_than_what_is_said(
    mark: bytes, encoding: str, said: str
) -> None:
    body = mark + feed(said).encode(encoding)
    assert title_of(body, f"text/xml; charset={said}") == TITLE


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_wide_characters_are_recognised_without_a_mark(encoding: str) -> None:
    assert title_of(feed("utf-8").encode(encoding), "text/xml; charset=utf-8") == TITLE


@pytest.mark.parametrize(
    ("encoding", "header", "declared"),
    [
        ("windows-1252", "windows-1252", "utf-8"),
        ("windows-1252", "iso-8859-1", ""),
        ("windows-1252", "", "ISO-8859-1"),
        ("windows-1252", "", ""),
        ("utf-8", "UTF8", "windows-1251"),
        ("utf-8", "utf-16", "utf-8"),
        ("utf-8", "unicode", "utf-16"),
        ("utf-8", "", "UTF-32"),
        ("utf-8", "utf8mb4", "utf-8"),
        ("utf-8", "punycode", "idna"),
        ("utf-8", "unicode_escape", "rot13"),
        ("utf-8", "utf-7", ""),
        ("utf-8", "", ""),
        ("gb18030", "gb2312", ""),
    ],
)
def test_the_header_counts_more_than_the_declaration_unless_the_bytes_refute_it(
    encoding: str, header: str, declared: str
) -> None:
    content_type = f'application/rss+xml; charset="{header}"' if header else "text/xml"
    assert title_of(feed(declared).encode(encoding), content_type) == TITLE


@pytest.mark.parametrize("before", ["\n", "\r\n \t\n", "<br />\n<b>Warning</b>: in x.php\n"])
def test_what_precedes_the_declaration_does_not_hide_it(before: str) -> None:
    body = f"{before}{feed('windows-1251', 'Рубль')}".encode("windows-1251")
    assert title_of(body, "text/xml") == "Рубль"


def test_a_page_is_read_by_mark_header_and_meta_element_in_this_order() -> None:
    page = "<html><head><meta charset='windows-1251'></head><body>Рубль</body></html>"
    body = page.encode("windows-1251")
    assert "Рубль" in decoding.from_html(body, "text/html")
    assert "Рубль" in decoding.from_html(page.encode(), "text/html; charset=utf-8")
    marked = codecs.BOM_UTF8 + page.encode()
    assert "Рубль" in decoding.from_html(marked, "text/html; charset=iso-8859-1")


@given(st.binary(max_size=60), st.text(max_size=30))
def test_any_bytes_with_any_header_become_text(body: bytes, charset: str) -> None:
    for decode in (decoding.from_xml, decoding.from_html):
        decode(body, f"text/xml; charset={charset}").encode()
