"""Any input becomes plain text."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from services.newswatcher.reading import text


def test_markup_becomes_its_text_and_blocks_become_lines() -> None:
    markup = "<p>One &amp; <b>two</b></p><p>Three<br>four</p><script>bad()</script><!-- no -->"
    assert text.from_markup(markup) == "One & two\nThree\nfour"


def test_plain_text_with_signs_is_unchanged() -> None:
    assert text.from_markup("AT&T: 3 < 4 and 5 > 2") == "AT&T: 3 < 4 and 5 > 2"


def test_control_characters_are_removed() -> None:
    assert text.plain("a\u202eb\u200bc\x00d\ufeffe\x1b[31m") == "abcde[31m"


def test_too_long_a_text_is_cut_at_a_space() -> None:
    assert text.plain("one two three", most=9) == "one two\u2026"
    assert text.plain("onetwothree", most=5) == "onet\u2026"


def test_a_line_has_no_line_breaks() -> None:
    assert text.line(" a\r\n b\n\nc ", most=100) == "a b c"


@given(st.text(max_size=200))
def test_the_result_is_always_plain_encodable_text(source: str) -> None:
    for plain in (text.from_markup(source), text.from_markup(f"<p>{source}</p>")):
        plain.encode()
        assert all(
            char in "\n\u200c\u200d" or unicodedata.category(char)[0] != "C" for char in plain
        )
        assert text.plain(plain) == plain
