"""Text is plain, whatever came."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from services.newswatcher.reading import text


def test_markup_becomes_its_text_and_blocks_become_lines() -> None:
    told = "<p>One &amp; <b>two</b></p><p>Three<br>four</p><script>bad()</script><!-- no -->"
    assert text.from_markup(told) == "One & two\nThree\nfour"


def test_plain_text_with_signs_stays_as_it_is() -> None:
    assert text.from_markup("AT&T: 3 < 4 and 5 > 2") == "AT&T: 3 < 4 and 5 > 2"


def test_characters_that_do_things_go() -> None:
    assert text.plain("a\u202eb\u200bc\x00d\ufeffe\x1b[31m") == "abcde[31m"


def test_too_long_a_text_is_cut_at_a_space() -> None:
    assert text.plain("one two three", most=9) == "one two\u2026"
    assert text.plain("onetwothree", most=5) == "onet\u2026"


def test_a_line_has_no_lines() -> None:
    assert text.line(" a\r\n b\n\nc ", most=100) == "a b c"


@given(st.text(max_size=200))
def test_nothing_else_than_text_comes_out_and_it_can_be_written(told: str) -> None:
    for made in (text.from_markup(told), text.from_markup(f"<p>{told}</p>")):
        made.encode()
        assert all(one in "\n\u200c\u200d" or unicodedata.category(one)[0] != "C" for one in made)
        assert text.plain(made) == made
