"""Near texts have near fingerprints, other texts have not."""

import random
import string

import pytest

from services.newswatcher.reading.fingerprint import NEAR_BITS, distance, fingerprint


def invented(seed: int, words: int) -> list[str]:
    rng = random.Random(seed)
    return ["".join(rng.choices(string.ascii_lowercase, k=rng.randint(2, 9))) for _ in range(words)]


def marked(told: list[str], title: str = "T") -> str:
    return fingerprint(title, " ".join(told))


@pytest.mark.parametrize("seed", range(20))
def test_a_line_more_or_another_layout_is_the_same_text(seed: int) -> None:
    told = invented(seed, 600)
    assert marked(told) == fingerprint("Another title", ", ".join(told).upper() + "!")
    assert distance(marked(told), marked([*told, "read", "more"])) <= NEAR_BITS


def test_other_texts_are_far() -> None:
    marks = [marked(invented(seed, 300)) for seed in range(60)]
    nearest = min(distance(one, other) for one in marks for other in marks if one is not other)
    assert nearest > 3 * NEAR_BITS


def test_a_form_letter_about_somebody_else_is_another_text() -> None:
    form = invented(1, 80)
    one = [*form, *invented(2, 40)]
    other = [*form, *invented(3, 40)]
    assert distance(marked(one), marked(other)) > NEAR_BITS


def test_short_texts_are_the_same_only_word_for_word() -> None:
    one = ["shares", "of", "acme", "rose", "3", "percent"]
    other = ["shares", "of", "acme", "fell", "3", "percent"]
    assert marked(one) == marked(["Shares", *one[1:]])
    assert distance(marked(one), marked(other)) > NEAR_BITS
    assert marked(one) != marked(one, title="Another")


def test_no_text_at_all_is_told_apart_by_its_title() -> None:
    assert fingerprint("One", "") != fingerprint("Two", "")
