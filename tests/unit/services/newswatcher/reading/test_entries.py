"""Feeds as they come."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.newswatcher.reading.entries import NotAFeedError, parse

URL = "https://a.example/feed"
RSS = (
    '<?xml version="1.0"?><rss version="2.0"><channel><title>T</title>'
    "<item><title>One &amp; only</title><link>/1?utm_source=rss</link>"
    "<description>&lt;p&gt;Said &lt;b&gt;so&lt;/b&gt;&lt;/p&gt;</description>"
    "<author>Ann</author><pubDate>Mon, 23 Nov 2026 12:00:00 +0100</pubDate></item>"
    "<item><title>Again</title><link>/1</link></item>"
    "<item><title></title><link>/2</link></item>"
    "<item><title>No link</title></item>"
    "<item><title>Bad link</title><link>javascript:x()</link></item>"
    "<item><title>Bad date</title><link>/3</link><pubDate>soon</pubDate></item>"
    "</channel></rss>"
)
ATOM = (
    '<feed xmlns="http://www.w3.org/2005/Atom"><title>T</title><entry><title>One</title>'
    '<link href="https://a.example/1"/><updated>2026-11-23T12:00:00Z</updated>'
    "<author><name>Ann</name></author><author><name>Bob</name></author>"
    '<summary>Short</summary><content type="html">&lt;p&gt;Long and whole&lt;/p&gt;</content>'
    "</entry></feed>"
)


def parsed(body: str) -> list[str]:
    return [one.title for one in parse(body.encode(), url=URL, content_type="text/xml")]


def test_rss_gives_plain_entries_with_canonical_links_each_once() -> None:
    one, three = parse(RSS.encode(), url=URL, content_type="text/xml")
    assert (one.link, one.title, one.summary) == ("https://a.example/1", "One & only", "Said so")
    assert one.authors == ("Ann",)
    assert one.published == datetime(2026, 11, 23, 11, 0, tzinfo=UTC)
    assert (three.title, three.published) == ("Bad date", None)


def test_atom_gives_the_longest_text_it_has() -> None:
    (one,) = parse(ATOM.encode(), url=URL, content_type="application/atom+xml")
    assert (one.summary, one.content, one.authors) == ("Short", "Long and whole", ("Ann", "Bob"))


def test_a_changed_entry_has_the_same_key_and_another_digest() -> None:
    (one,) = parse(ATOM.encode(), url=URL, content_type="")
    (other,) = parse(ATOM.replace("whole", "short").encode(), url=URL, content_type="")
    assert one.key == other.key
    assert one.digest != other.digest


def test_a_feed_without_entries_is_a_feed() -> None:
    assert parsed('<rss version="2.0"><channel><title>T</title></channel></rss>') == []


def test_entities_that_grow_without_end_are_not_followed() -> None:
    # Slow for a unit test: the XML parser writes 8 MiB before it gives up.
    lines = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<!DOCTYPE rss [<!ENTITY e0 "ha">{lines}]>' + RSS.partition("?>")[2].replace(
        "One", "&e9;"
    )
    assert all(len(title) < 1000 for title in parsed(f'<?xml version="1.0"?>{bomb}'))


def test_a_file_is_not_read_from_outside() -> None:
    told = '<!DOCTYPE rss [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + RSS.partition("?>")[2]
    titles = parsed(f'<?xml version="1.0"?>{told.replace("One", "&x;")}')
    assert not any("root:" in title for title in titles)


@pytest.mark.parametrize("body", ["", "/etc/passwd", "<html><p>Hi</p></html>", "{}", "\x00\x01"])
def test_what_is_no_feed_is_said_to_be_none(body: str) -> None:
    with pytest.raises(NotAFeedError):
        parsed(body)


@given(st.binary(max_size=300), st.integers(0, len(RSS)))
def test_any_bytes_give_entries_or_are_no_feed(noise: bytes, at: int) -> None:
    raw = RSS.encode()
    for body in (noise, raw[:at] + noise + raw[at:], raw[:at]):
        try:
            found = parse(body, url=URL, content_type="text/xml")
        except NotAFeedError:
            continue
        assert all(one.title and one.link.startswith("http") for one in found)
