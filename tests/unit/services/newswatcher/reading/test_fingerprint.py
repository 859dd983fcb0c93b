"""Similar texts have similar fingerprints, and other texts do not."""

import random
import string

import pytest

from services.newswatcher.reading.fingerprint import NEAR_BITS, distance, fingerprint


def invented(seed: int, words: int) -> list[str]:
    rng = random.Random(seed)
    return ["".join(rng.choices(string.ascii_lowercase, k=rng.randint(2, 9))) for _ in range(words)]


def marked(words: list[str], title: str = "T") -> str:
    return fingerprint(title, " ".join(words))


@pytest.mark.parametrize("seed", range(20))
def test_an_added_line_or_a_different_layout_is_the_same_text(seed: int) -> None:
    words = invented(seed, 600)
    assert marked(words) == fingerprint("Another title", ", ".join(words).upper() + "!")
    assert distance(marked(words), marked([*words, "read", "more"])) <= NEAR_BITS


def test_different_texts_have_distant_fingerprints() -> None:
    marks = [marked(invented(seed, 300)) for seed in range(60)]
    nearest = min(distance(mark, other) for mark in marks for other in marks if mark is not other)
    assert nearest > 3 * NEAR_BITS


def test_a_form_letter_about_something_else_is_a_different_text() -> None:
    form = invented(1, 80)
    first = [*form, *invented(2, 40)]
    other = [*form, *invented(3, 40)]
    assert distance(marked(first), marked(other)) > NEAR_BITS


def test_short_texts_are_the_same_only_with_the_same_words() -> None:
    words = ["shares", "of", "acme", "rose", "3", "percent"]
    other = ["shares", "of", "acme", "fell", "3", "percent"]
    assert marked(words) == marked(["Shares", *words[1:]])
    assert distance(marked(words), marked(other)) > NEAR_BITS
    assert marked(words) != marked(words, title="Another")


def test_articles_without_text_differ_by_title() -> None:
    assert fingerprint("One", "") != fingerprint("Two", "")
