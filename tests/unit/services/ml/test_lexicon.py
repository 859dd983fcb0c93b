"""The lexicon's file, and the forms of its words."""

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
def test_a_regular_verb_has_its_forms(verb: str, forms: list[str]) -> None:
    assert verb_forms(verb) == forms


def test_a_regular_noun_has_its_plural() -> None:
    assert [plural(noun) for noun in ("loss", "risk", "penalty", "delay")] == [
        "losses",
        "risks",
        "penalties",
        "delays",
    ]


def test_the_file_has_hundreds_of_rows_and_can_be_parsed() -> None:
    with FILE.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert len(rows) > 800
    assert len(standard()) > len(rows)
    assert all(-2 <= float(row["weight"]) <= 2 for row in rows)
    assert all(row["term"] == row["term"].lower() for row in rows)


def test_a_repeated_row_is_refused() -> None:
    with pytest.raises(ValueError, match="repeated"):
        parse([HEAD, "gain,move,1,v\n", "gain,tone,1,\n"])


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown kind"):
        parse([HEAD, "gain,verb,1,v\n"])


def test_forms_of_a_phrase_are_phrases() -> None:
    forms = {term.words for term in parse([HEAD, "bounce back,move,1,bounces back bounced back\n"])}
    assert forms == {("bounce", "back"), ("bounces", "back"), ("bounced", "back")}


def test_the_longest_phrase_is_found() -> None:
    known = lexicon.Lexicon(parse([HEAD, "loss,tone,-1,\n", "loss of life,tone,-2,\n"]))
    term = known.at(["loss", "of", "life"], 0, 0)
    assert term is not None
    assert term.weight == -2
