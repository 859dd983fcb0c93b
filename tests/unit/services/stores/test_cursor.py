"""Cursors: only what we made is one."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.stores.cursor import Cursor
from services.stores.news import article_id

moments = st.datetimes(datetime(1970, 1, 1), datetime(2999, 1, 1), timezones=st.just(UTC)).map(
    lambda at: at.replace(microsecond=0)
)


@given(moments, st.text())
def test_a_cursor_comes_back_as_it_was(published: datetime, url: str) -> None:
    cursor = Cursor(published=published, id=article_id(url))
    assert Cursor.decode(cursor.encode()) == cursor


@given(moments, st.data())
def test_a_cursor_with_one_letter_changed_is_none(published: datetime, data: st.DataObject) -> None:
    text = Cursor(published=published, id=article_id("https://a.example")).encode()
    at = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.sampled_from("Aa0_-").filter(lambda one: one != text[at]))
    with pytest.raises(ValueError, match="not a cursor of ours"):
        Cursor.decode(text[:at] + letter + text[at + 1 :])


@given(st.text())
def test_no_text_of_somebody_elses_breaks_it(text: str) -> None:
    with pytest.raises(ValueError, match="not a cursor of ours"):
        Cursor.decode(text)
