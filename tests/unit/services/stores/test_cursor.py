"""Only texts that we made are cursors."""

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
def test_a_cursor_is_decoded_unchanged(published: datetime, url: str) -> None:
    cursor = Cursor(published=published, id=article_id(url))
    assert Cursor.decode(cursor.encode()) == cursor


@given(moments, st.data())
def test_a_cursor_with_one_altered_letter_is_refused(
    published: datetime, data: st.DataObject
) -> None:
    text = Cursor(published=published, id=article_id("https://a.example")).encode()
    at = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.sampled_from("Aa0_-").filter(lambda char: char != text[at]))
    with pytest.raises(ValueError, match="must be a valid cursor"):
        Cursor.decode(text[:at] + letter + text[at + 1 :])


@given(st.text())
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be a valid cursor"):
        Cursor.decode(text)
