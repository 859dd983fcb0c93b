"""No feed, page or robots.txt file takes more time than its length justifies."""

import pytest
from linear import is_linear

from services.newswatcher.reading import entries, fingerprint, page, robots_txt, text

ITEM = "<item><title>t</title><link>https://a.example/1</link>"
HEAD = f'<?xml version="1.0"?><rss version="2.0"><channel><title>x</title>{ITEM}'
FEED_SIZE, PAGE_SIZE = 40_000, 8_000


def parse_feed(body: bytes) -> None:
    try:
        entries.parse(body, url="https://a.example/f", content_type="text/xml")
    except entries.NotAFeedError:
        return


@pytest.mark.parametrize(
    "unit",
    [
        *("&lt;!--", "&lt;?", "&lt;a a=' ", "&lt;a&gt;", "&lt;/", '&lt;a b="', "&lt;!DOCTYPE "),
        *("&lt;![", "&lt;div&gt;", "&amp;#", "&lt;p&gt;", "&lt;b&gt;&lt;/p&gt;", "&lt;a style='a:"),
        *("<", "<!--", "<![CDATA[", "<a ", "&", "<item>", "<a b='", "<!DOCTYPE [", "<?", "]]>"),
        *("<title>", "<title><![CDATA[", "<title>a<br></title>", "<title><![CDATA[]]></title>"),
        *(
            "<title",
            "<title ",
            "<content a='",
            "<a>",
            "</a>",
            "<a:b>",
            "<!",
            "<category>a</category>",
            "<author>a</author>",
        ),
        *("<link>javascript:x</link>", "<guid>x</guid>", "<content>x</content>", "</item>" + ITEM),
    ],
)
def test_any_repetition_in_a_feed(unit: str) -> None:
    def made(size: int) -> bytes:
        return (HEAD + "<description>" * unit.startswith("&") + unit * (size // len(unit))).encode()

    assert is_linear(made, parse_feed, FEED_SIZE)


@pytest.mark.parametrize("unit", ["<!x>", "<?x?>", "<!-- -->", "<!", "<?", "<!x["])
def test_any_repetition_before_a_feed(unit: str) -> None:
    assert is_linear(
        lambda size: (unit * (size // len(unit)) + HEAD).encode(), parse_feed, FEED_SIZE
    )


def test_one_long_author_or_many_different_names() -> None:
    def author(size: int) -> bytes:
        return f"{HEAD}<author>{'a' * size}@</author></item>".encode()

    def names(size: int) -> bytes:
        count = range(size // 20)
        attributes = " ".join(f"a{number}='1'" for number in count)
        elements = "".join(f"<b{number} xmlns:c{number}='u:{number}'/>" for number in count)
        return f"{HEAD}<a {attributes}/>{elements}</item>".encode()

    assert is_linear(author, parse_feed, FEED_SIZE)
    assert is_linear(names, parse_feed, FEED_SIZE)


@pytest.mark.parametrize(
    "unit",
    [
        *("<!--", "<p>The council met on Monday. ", "<div>", "<a href=x>", "<table>", "<b></p>"),
        *("<script>", "<li>x", "<br>", "<a a='", "</div>", "<td>", "<font>", "<ul><li>", "a\n"),
    ],
)
def test_any_repetition_in_a_page(unit: str) -> None:
    assert is_linear(
        lambda size: f"<html><body>{unit * (size // len(unit))}".encode(),
        lambda body: page.parse(body, content_type="text/html"),
        PAGE_SIZE,
    )


@pytest.mark.parametrize("unit", ["a", " ", "\n", " \n", "<", "&", "&a", "a.", "a,", "_", "\u4e2d"])
def test_any_repetition_in_a_text(unit: str) -> None:
    def work(repeated: str) -> None:
        plain = text.from_markup(repeated, most=10**9)
        text.plain(repeated, most=10**9)
        fingerprint.fingerprint("title", plain)

    assert is_linear(lambda size: unit * (size // len(unit)), work, FEED_SIZE // 4)


@pytest.mark.parametrize(
    "rule", ["Disallow: /*a*a*a*a*a*a*a*b$\n", "Disallow: /a\n", "User-agent: a\n", "x", "*", "/"]
)
def test_any_repetition_in_a_robots_txt_file(rule: str) -> None:
    url = f"https://a.example/{'a' * 1000}"
    assert is_linear(
        lambda size: f"User-agent: *\n{rule * (size // len(rule))}".encode(),
        lambda body: robots_txt.parse(body, url=url, robot="Spotswarm-newswatcher"),
        FEED_SIZE // 2,
    )
