"""The kinds of feeds, and what feeds often get wrong."""

import pytest

from services.newswatcher.reading import entries
from services.newswatcher.reading.entries import Entry, parse

URL = "https://a.example/feed.xml"


def first(body: str) -> Entry:
    return parse(body.encode(), url=URL, content_type="text/xml")[0]


def item(fields: str, attributes: str = "") -> Entry:
    body = f"<rss {attributes}><channel><title>F</title><item>{fields}</item></channel></rss>"
    return first(body)


LINKED = "<title>T</title><link>https://a.example/1</link>"


def test_rdf() -> None:
    entry = first(
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
        ' xmlns="http://purl.org/rss/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        "<channel><title>F</title></channel><item><title>One</title><link>/1</link>"
        "<dc:creator>Bob</dc:creator><dc:date>2026-11-01T01:02:03+01:00</dc:date></item></rdf:RDF>"
    )
    assert (entry.title, entry.link, entry.authors) == ("One", "https://a.example/1", ("Bob",))
    assert str(entry.published) == "2026-11-01 00:02:03+00:00"


def test_atom_0_3() -> None:
    entry = first(
        '<feed xmlns="http://purl.org/atom/ns#"><entry><title>One</title>'
        '<link rel="alternate" href="/1"/><issued>2026-11-01</issued>'
        '<content mode="escaped">&lt;b&gt;hi&lt;/b&gt;</content></entry></feed>'
    )
    assert (entry.link, entry.content) == ("https://a.example/1", "hi")


def test_atom_with_markup_relative_links_and_links_to_other_things() -> None:
    entry = first(
        '<feed xmlns="http://www.w3.org/2005/Atom" xml:base="https://b.example/dir/"><entry>'
        '<title type="xhtml"><h:div xmlns:h="http://www.w3.org/1999/xhtml">A &lt; <h:b>B</h:b>'
        "</h:div></title>"
        '<link rel="self" href="no"/><link type="application/pdf" href="1.pdf"/>'
        '<link type="text/html" href="y z?a=1&amp;b=2"/><content type="xhtml">'
        '<div xmlns="http://www.w3.org/1999/xhtml"><p>one</p><p>two &amp; &lt;3</p></div></content>'
        "</entry></feed>"
    )
    assert entry.title == "A < B"
    assert entry.link == "https://b.example/dir/y%20z?a=1&b=2"
    assert entry.content == "one\ntwo & <3"


@pytest.mark.parametrize(
    ("fields", "link"),
    [
        ("<guid>https://a.example/2</guid>", "https://a.example/2"),
        ("<link/><guid isPermaLink='true'>https://a.example/2</guid>", "https://a.example/2"),
        ("<atom:link href='/3'/>", "https://a.example/3"),
        ("<atom:link rel='self' href='/no'/><link>/4</link>", "https://a.example/4"),
        ("<link>javascript:x</link><guid>https://a.example/2</guid>", "https://a.example/2"),
        ("<fb:origLink>/5</fb:origLink><link>/feed/5</link>", "https://a.example/5"),
        ("<link>/6?a=1&amp;amp;b=2</link>", "https://a.example/6?a=1&b=2"),
    ],
)
def test_an_items_link_may_be_elsewhere(fields: str, link: str) -> None:
    namespaces = (
        "xmlns:atom='http://www.w3.org/2005/Atom'"
        " xmlns:fb='http://rssnamespace.org/feedburner/ext/1.0'"
    )
    assert item(f"<title>T</title>{fields}", namespaces).link == link


def test_an_item_without_a_link_is_about_its_address() -> None:
    entry = first(
        '<r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
        ' xmlns="http://purl.org/rss/1.0/"><item r:about="https://a.example/1">'
        "<title>T</title></item></r:RDF>"
    )
    assert entry.link == "https://a.example/1"


def test_without_a_description_the_content_is_the_summary() -> None:
    content = "<content:encoded><![CDATA[<p>All of it</p>]]></content:encoded>"
    assert item(LINKED + content).summary == "All of it"
    both = item(f"{LINKED}<description>Some</description>{content}")
    assert (both.summary, both.content) == ("Some", "All of it")


@pytest.mark.parametrize("end", ["/", ""])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_namespace_may_be_written_differently(scheme: str, end: str) -> None:
    fields = f"{LINKED}<c:encoded>All</c:encoded><d:creator>Ann</d:creator>"
    namespaces = (
        f"xmlns:c='{scheme}://purl.org/rss/1.0/modules/content{end}'"
        f" xmlns:d='{scheme}://purl.org/dc/elements/1.1{end}'"
    )
    entry = item(fields, namespaces)
    assert (entry.content, entry.authors) == ("All", ("Ann",))


def test_paragraphs_with_a_prefix_are_separated() -> None:
    entry = first(
        '<feed xmlns="http://www.w3.org/2005/Atom" xmlns:h="http://www.w3.org/1999/xhtml"><entry>'
        '<title>T</title><link href="/1"/><content type="xhtml"><h:div><h:p>one: 1</h:p>'
        "<h:p>&lt;b:two</h:p></h:div></content></entry></feed>"
    )
    assert entry.content == "one: 1\n<b:two"


def test_a_guid_that_is_no_link_is_none() -> None:
    body = "<rss><item><title>T</title><guid isPermaLink='false'>https://a/1</guid></item></rss>"
    assert parse(body.encode(), url=URL, content_type="") == ()


def test_the_title_of_a_picture_is_not_the_items() -> None:
    entry = item(
        f"<media:title>Picture</media:title>{LINKED}", "xmlns:media='http://search.yahoo.com/mrss/'"
    )
    assert entry.title == "T"


@pytest.mark.parametrize(
    ("author", "names"),
    [
        ("ann@a.example (Ann Bee)", ("Ann Bee",)),
        ("Ann Bee &lt;ann@a.example&gt;", ("Ann Bee",)),
        ("Ann Bee (ann@a.example)", ("Ann Bee",)),
        ("ann@a.example", ()),
        ("Ann", ("Ann",)),
        ("@" * 100_000, ()),
    ],
)
def test_an_author_has_a_name(author: str, names: tuple[str, ...]) -> None:
    assert item(f"{LINKED}<author>{author}</author>").authors == names


def test_stray_ampersands_html_characters_and_windows_characters_are_read() -> None:
    entry = item(
        "<title>AT&T &nbsp;&eacute; & &foo; &#8217; &#146; \x01</title>"
        "<link>https://a.example/?x=1&y=2</link><description><![CDATA[a &amp; b]]></description>"
    )
    assert entry.title == "AT&T é & &foo; \u2019 \u2019"
    assert entry.link == "https://a.example/?x=1&y=2"
    assert entry.summary == "a & b"


@pytest.mark.parametrize(
    "body",
    [
        f"<RSS><CHANNEL><ITEM>{LINKED.upper().replace('HTTPS://A.EXAMPLE', 'https://a.example')}",
        f"<rss><channel><item>{LINKED}<dc:creator>x</dc:creator></item></channel></rss>",
        f"<rss><channel><item>{LINKED}<item><title>U</title><link>/2</link></channel></rss>",
        f"<!-- <rss> --><!DOCTYPE rss [<!ENTITY nbsp '&#160;'>]><rss><item>{LINKED}</item></rss>",
        f"<rss><channel><item>{LINKED}</item><item><title>A < B</title></channel>",
        f"<br/><b>Warning</b>: no cache\n<rss><channel><item>{LINKED}</item></channel></rss>",
        f"<rdf:RDF><channel/><item>{LINKED}</item></rdf:RDF>",
    ],
)
def test_a_malformed_feed_gives_what_it_has(body: str) -> None:
    entry = first(body)
    assert (entry.title, entry.link) == ("T", "https://a.example/1")


@pytest.mark.parametrize(
    ("inside", "summary"),
    [
        ("one <br> two <img src=x> &nbsp;3 &lt; 4", "one two 3 < 4"),
        ("<p>one<p>two", "one two"),
        ("<![CDATA[one </description> <br> two]]>", "one two"),
        ("1 < 2 <b>", "1 < 2"),
    ],
)
def test_open_html_elements_in_a_text_do_not_swallow_the_entry(inside: str, summary: str) -> None:
    fields = f"<title>T</title><description>{inside}</description><link>/1</link>"
    body = f"<rss><channel><item>{fields}</item><br><item>{LINKED}</item></channel></rss>"
    entry = first(body)
    assert (entry.title, entry.link, entry.summary) == ("T", "https://a.example/1", summary)


def test_one_bad_entry_is_refused_and_the_others_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    real = entries.Fields

    def fails(element: object) -> entries.Fields:
        fields = real(element)
        if fields.title() == "Bad":
            raise ZeroDivisionError
        return fields

    # No text is known that makes the parser fail, so the test makes it fail.
    monkeypatch.setattr(entries, "Fields", fails)
    errors: list[Exception] = []
    body = f"<rss><item><title>Bad</title><link>/0</link></item><item>{LINKED}</item></rss>"
    (entry,) = parse(body.encode(), url=URL, content_type="", on_refused=errors.append)
    assert entry.title == "T"
    assert [type(error) for error in errors] == [ZeroDivisionError]
