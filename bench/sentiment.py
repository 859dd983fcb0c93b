"""Score the sentiment and the symbols on headlines that nobody looked at while making them.

The held-out set is `services/ml/evaluation/headlines.csv` with the columns label (positive,
negative, neutral), headline and symbols (with spaces between, or none). It was written without
regard to the lexicon, and is not tuned on: `tuning.csv` beside it is for that. Ours is compared
with always saying what is most frequent, and with ten words that anybody would think of.
The last line is one JSON object.

    python -m bench.sentiment [FILE]
"""

import csv
import hashlib
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from services.ml import lexicon, sentiment, symbols, words
from services.ml.version import VERSION
from services.stores.article import Label

HELD_OUT: Final = Path("services/ml/evaluation/headlines.csv")
LABELS: Final[tuple[Label, ...]] = ("positive", "negative", "neutral")
_GOOD: Final = ("up", "rise", "gain", "jump", "beat")
_BAD: Final = ("down", "fall", "drop", "loss", "miss")
_ENDINGS: Final = ("", "s", "es")


@dataclass(frozen=True, slots=True)
class Headline:
    """One labelled headline."""

    label: Label
    text: str
    symbols: frozenset[str]


def read(file: Path) -> list[Headline]:
    """The set of a file.

    Raises:
        ValueError: a label is none.
    """
    found = []
    with file.open(newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            if row["label"] not in LABELS:
                raise ValueError(f"no such label: {row['label']}")
            named = frozenset((row.get("symbols") or "").split())
            found.append(Headline(row["label"], row["headline"], named))
    return found


def scored(truth: Sequence[Label], said: Sequence[Label]) -> dict[str, Any]:
    """Accuracy, macro-F1, and how often each label was taken for each other."""
    pairs = Counter(zip(truth, said, strict=True))
    f1 = {one: _f1(pairs, one) for one in LABELS}
    return {
        "accuracy": round(sum(pairs[one, one] for one in LABELS) / len(truth), 4),
        "macro_f1": round(sum(f1.values()) / len(LABELS), 4),
        "f1": {one: round(value, 4) for one, value in f1.items()},
        "confusion": {one: {other: pairs[one, other] for other in LABELS} for one in LABELS},
    }


def _f1(pairs: Counter[tuple[Label, Label]], of: Label) -> float:
    hit = pairs[of, of]
    said = sum(pairs[one, of] for one in LABELS)
    true = sum(pairs[of, one] for one in LABELS)
    return 2 * hit / (said + true) if said + true else 0.0


def ten_words(headline: str) -> Label:
    """The naive baseline: five good words, five bad ones."""
    told = words.tokens(headline)

    def count(stems: Sequence[str]) -> int:
        return sum(one == stem + end for one in told for stem in stems for end in _ENDINGS)

    value = count(_GOOD) - count(_BAD)
    return "positive" if value > 0 else "negative" if value < 0 else "neutral"


def ours(headline: str) -> Label:
    """What ml says of a headline alone."""
    return sentiment.label(sentiment.score(headline, ""))


def named(held_out: Sequence[Headline]) -> dict[str, float]:
    """Precision and recall of the symbols found, over all headlines together."""
    hit = found = true = exact = 0
    for one in held_out:
        told = frozenset(symbols.find(one.text, "", ""))
        hit += len(told & one.symbols)
        found += len(told)
        true += len(one.symbols)
        exact += told == one.symbols
    precision, recall = hit / found if found else 0.0, hit / true if true else 0.0
    both = precision + recall
    return {
        "precision": round(precision, 4),
        "recall": round(recall, 4),
        "f1": round(2 * precision * recall / both if both else 0.0, 4),
        "exact": round(exact / len(held_out), 4),
    }


def main(file: Path) -> int:
    """Score, print tables and the JSON; not zero when there is nothing to score."""
    if not file.exists():
        print(f"{file} is not there: nothing to score", file=sys.stderr)
        return 1
    held_out = read(file)
    truth = [one.label for one in held_out]
    (most, _), *_ = Counter(truth).most_common(1)
    ways: dict[str, Callable[[str], Label]] = {
        "ours": ours,
        "ten words": ten_words,
        "majority": lambda _headline: most,
    }
    # Loaded before the clock runs.
    lexicon.standard(), symbols.standard()
    began = time.perf_counter()
    found = {name: scored(truth, [way(one.text) for one in held_out]) for name, way in ways.items()}
    seconds = time.perf_counter() - began
    of_symbols = named(held_out)
    _show(found, of_symbols, len(held_out))
    told = {
        "bench": "sentiment",
        "set": str(file),
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "headlines": len(held_out),
        "labels": dict(Counter(truth)),
        "version": VERSION,
        "sentiment": found,
        "symbols": of_symbols,
        "milliseconds_per_headline": round(1000 * seconds / len(held_out), 3),
    }
    print(json.dumps(told, separators=(",", ":")))
    return 0


def _show(found: dict[str, dict[str, Any]], of_symbols: dict[str, float], count: int) -> None:
    console = Console()
    table = Table("way", "accuracy", "macro-F1", title=f"{count} headlines")
    for name, figures in found.items():
        table.add_row(name, f"{figures['accuracy']:.3f}", f"{figures['macro_f1']:.3f}")
    console.print(table)
    confusion = Table("it is ↓, ours says →", *LABELS, title="Confusion")
    for one, row in found["ours"]["confusion"].items():
        confusion.add_row(one, *(str(row[other]) for other in LABELS))
    console.print(confusion)
    of = ", ".join(f"{name} {value:.3f}" for name, value in of_symbols.items())
    console.print(f"Symbols: {of}")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else HELD_OUT))
