"""The lexicon's file and its forms."""

import csv

import pytest

from services.ml import lexicon
from services.ml.lexicon import FILE, parse, plural, standard, verb_forms

HEAD = "term,kind,weight,forms\n"


@pytest.mark.parametrize(
    ("verb", "forms"),
    [
        ("gain", ["gains", "gained", "gaining"]),
        ("surge", ["surges", "surged", "surging"]),
        ("slip", ["slips", "slipped", "slipping"]),
        ("rally", ["rallies", "rallied", "rallying"]),
        ("crash", ["crashes", "crashed", "crashing"]),
        ("edge up", ["edges up", "edged up", "edging up"]),
    ],
)
def test_regular_verbs(verb: str, forms: list[str]) -> None:
    assert verb_forms(verb) == forms


def test_regular_nouns() -> None:
    assert [plural(one) for one in ("loss", "risk", "penalty", "delay")] == [
        "losses",
        "risks",
        "penalties",
        "delays",
    ]


def test_the_file_has_hundreds_of_rows_and_can_be_read() -> None:
    with FILE.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert len(rows) > 800
    assert len(standard()) > len(rows)
    assert all(-2 <= float(row["weight"]) <= 2 for row in rows)
    assert all(row["term"] == row["term"].lower() for row in rows)


def test_a_row_that_is_there_already_is_refused() -> None:
    with pytest.raises(ValueError, match="said twice"):
        parse([HEAD, "gain,move,1,v\n", "gain,tone,1,\n"])


def test_a_kind_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="no such kind"):
        parse([HEAD, "gain,verb,1,v\n"])


def test_forms_of_a_phrase_are_phrases() -> None:
    found = {one.words for one in parse([HEAD, "bounce back,move,1,bounces back bounced back\n"])}
    assert found == {("bounce", "back"), ("bounces", "back"), ("bounced", "back")}


def test_the_longest_phrase_is_found() -> None:
    known = lexicon.Lexicon(parse([HEAD, "loss,tone,-1,\n", "loss of life,tone,-2,\n"]))
    found = known.at(["loss", "of", "life"], 0, 0)
    assert found is not None
    assert found.weight == -2
