"""Parsing feeds, however broken they are."""

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
    return [entry.title for entry in parse(body.encode(), url=URL, content_type="text/xml")]


def test_rss_gives_plain_entries_with_unique_canonical_links() -> None:
    first, last = parse(RSS.encode(), url=URL, content_type="text/xml")
    assert (first.link, first.title, first.summary) == (
        "https://a.example/1",
        "One & only",
        "Said so",
    )
    assert first.authors == ("Ann",)
    assert first.published == datetime(2026, 11, 23, 11, 0, tzinfo=UTC)
    assert (last.title, last.published) == ("Bad date", None)


def test_an_atom_entrys_content_is_its_longest_text() -> None:
    (entry,) = parse(ATOM.encode(), url=URL, content_type="application/atom+xml")
    assert (entry.summary, entry.content, entry.authors) == (
        "Short",
        "Long and whole",
        ("Ann", "Bob"),
    )


def test_a_changed_entry_has_the_same_key_and_a_different_digest() -> None:
    (entry,) = parse(ATOM.encode(), url=URL, content_type="")
    (changed,) = parse(ATOM.replace("whole", "short").encode(), url=URL, content_type="")
    assert entry.key == changed.key
    assert entry.digest != changed.digest


def test_a_feed_without_entries_is_a_feed() -> None:
    assert parsed('<rss version="2.0"><channel><title>T</title></channel></rss>') == []


def test_an_entity_bomb_is_not_expanded() -> None:
    # Slow for a unit test: the XML parser writes 8 MiB before it gives up.
    lines = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<!DOCTYPE rss [<!ENTITY e0 "ha">{lines}]>' + RSS.partition("?>")[2].replace(
        "One", "&e9;"
    )
    assert all(len(title) < 1000 for title in parsed(f'<?xml version="1.0"?>{bomb}'))


def test_a_local_file_is_not_read() -> None:
    attack = '<!DOCTYPE rss [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + RSS.partition("?>")[2]
    titles = parsed(f'<?xml version="1.0"?>{attack.replace("One", "&x;")}')
    assert not any("root:" in title for title in titles)


@pytest.mark.parametrize("body", ["", "/etc/passwd", "<html><p>Hi</p></html>", "{}", "\x00\x01"])
def test_anything_but_a_feed_is_refused(body: str) -> None:
    with pytest.raises(NotAFeedError):
        parsed(body)


@given(st.binary(max_size=300), st.integers(0, len(RSS)))
def test_any_bytes_give_entries_or_are_refused(noise: bytes, at: int) -> None:
    raw = RSS.encode()
    for body in (noise, raw[:at] + noise + raw[at:], raw[:at]):
        try:
            entries = parse(body, url=URL, content_type="text/xml")
        except NotAFeedError:
            continue
        assert all(entry.title and entry.link.startswith("http") for entry in entries)
