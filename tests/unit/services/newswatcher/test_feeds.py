"""Parsing the list of feeds."""

import pytest

from services.newswatcher import feeds
from services.newswatcher.settings import Settings


def test_the_built_in_list_can_be_parsed() -> None:
    built_in = Settings().feeds()
    assert len(built_in) >= 5
    assert all(feed.url.startswith("https://") for feed in built_in)


def test_a_feed_has_the_files_interval_unless_it_has_its_own() -> None:
    first, second = feeds.parse(
        """
        every_seconds = 60
        [[feeds]]
        name = "A"
        url = "https://a.example/"
        [[feeds]]
        name = "B"
        url = "https://b.example/"
        every_seconds = 900
        pages = true
        """
    )
    assert (first.every_seconds, first.pages) == (60, False)
    assert (second.every_seconds, second.pages) == (900, True)
    assert first.id != second.id


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("feeds = 3", "feeds"),
        ("", "feeds"),
        ("feeds = []", "feeds"),
        ("[[feeds", "not valid TOML"),
        ('[[feeds]]\nname = "A"', "feeds.0.url"),
        ('[[feeds]]\nname = "A"\nurl = "a.example"', "must begin with http"),
        ('[[feeds]]\nname = "A"\nurl = "https://a.example/"\npage = true', "feeds.0.page"),
        ('[[feeds]]\nname = "A"\nurl = "https://a.example/"\n' * 2, "the same name"),
    ],
)
def test_a_wrong_list_is_refused_with_the_place(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        feeds.parse(text)
