"""The list of feeds."""

import pytest

from services.newswatcher import feeds
from services.newswatcher.settings import Settings


def test_the_feeds_that_come_with_us_can_be_read() -> None:
    found = Settings().feeds()
    assert len(found) >= 5
    assert all(one.url.startswith("https://") for one in found)


def test_a_feed_has_the_files_pace_unless_it_has_its_own() -> None:
    one, two = feeds.parse(
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
    assert (one.every_seconds, one.pages) == (60, False)
    assert (two.every_seconds, two.pages) == (900, True)
    assert one.id != two.id


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("feeds = 3", "feeds"),
        ("", "feeds"),
        ("feeds = []", "feeds"),
        ("[[feeds", "not TOML"),
        ('[[feeds]]\nname = "A"', "feeds.0.url"),
        ('[[feeds]]\nname = "A"\nurl = "a.example"', "begins with http"),
        ('[[feeds]]\nname = "A"\nurl = "https://a.example/"\npage = true', "feeds.0.page"),
        ('[[feeds]]\nname = "A"\nurl = "https://a.example/"\n' * 2, "the same name"),
    ],
)
def test_a_list_that_is_wrong_is_refused_with_the_place(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        feeds.parse(text)
