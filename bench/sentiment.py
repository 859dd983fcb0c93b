"""Score sentiment and symbol detection on headlines that were not used to build the detectors.

The held-out set is `services/ml/evaluation/headlines.csv`, with the columns label (positive,
negative, neutral), headline and symbols (separated by spaces; may be empty). The headlines were
written without reference to the lexicon. Do not tune anything on this set; use `tuning.csv` in the
same directory instead. There are two baselines for sentiment: the most frequent label, and a count
of ten obvious words. The last line of the output is one JSON object.

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
    """Return the headlines from a CSV file.

    Raises:
        ValueError: if a label is unknown.
    """
    headlines = []
    with file.open(newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            if row["label"] not in LABELS:
                raise ValueError(f"unknown label: {row['label']}")
            symbols_of_row = frozenset((row.get("symbols") or "").split())
            headlines.append(Headline(row["label"], row["headline"], symbols_of_row))
    return headlines


def scored(truth: Sequence[Label], labels: Sequence[Label]) -> dict[str, Any]:
    """Return the accuracy, the F1 scores and the confusion matrix."""
    pairs = Counter(zip(truth, labels, strict=True))
    f1 = {label: _f1(pairs, label) for label in LABELS}
    return {
        "accuracy": round(sum(pairs[label, label] for label in LABELS) / len(truth), 4),
        "macro_f1": round(sum(f1.values()) / len(LABELS), 4),
        "f1": {label: round(value, 4) for label, value in f1.items()},
        "confusion": {label: {other: pairs[label, other] for other in LABELS} for label in LABELS},
    }


def _f1(pairs: Counter[tuple[Label, Label]], label_of: Label) -> float:
    hit = pairs[label_of, label_of]
    predicted = sum(pairs[label, label_of] for label in LABELS)
    true = sum(pairs[label_of, label] for label in LABELS)
    return 2 * hit / (predicted + true) if predicted + true else 0.0


def ten_words(headline: str) -> Label:
    """Label a headline by whether it contains more good words or more bad words.

    This is one of the baselines. It knows only five good words and five bad words.
    """
    tokens = words.tokens(headline)

    def count(stems: Sequence[str]) -> int:
        return sum(token == stem + end for token in tokens for stem in stems for end in _ENDINGS)

    value = count(_GOOD) - count(_BAD)
    return "positive" if value > 0 else "negative" if value < 0 else "neutral"


def ours(headline: str) -> Label:
    """Return the label that the ml service assigns to a headline without its article."""
    return sentiment.label(sentiment.score(headline, ""))


def named(held_out: Sequence[Headline]) -> dict[str, float]:
    """Return the precision, recall and F1 score for symbols, and the share of exact matches."""
    hit = predicted = true = exact = 0
    for headline in held_out:
        ours_of = frozenset(symbols.find(headline.text, "", ""))
        hit += len(ours_of & headline.symbols)
        predicted += len(ours_of)
        true += len(headline.symbols)
        exact += ours_of == headline.symbols
    precision, recall = hit / predicted if predicted else 0.0, hit / true if true else 0.0
    both = precision + recall
    return {
        "precision": round(precision, 4),
        "recall": round(recall, 4),
        "f1": round(2 * precision * recall / both if both else 0.0, 4),
        "exact": round(exact / len(held_out), 4),
    }


def main(file: Path) -> int:
    """Score the headlines, and print tables and JSON.

    Return the exit status: 1 if the file does not exist, and 0 otherwise.
    """
    if not file.exists():
        print(f"{file} does not exist; specify another file", file=sys.stderr)
        return 1
    held_out = read(file)
    truth = [headline.label for headline in held_out]
    (most, _), *_ = Counter(truth).most_common(1)
    ways: dict[str, Callable[[str], Label]] = {
        "ours": ours,
        "ten words": ten_words,
        "majority": lambda _headline: most,
    }
    # Load the lexicon and the symbols before the measurement.
    lexicon.standard(), symbols.standard()
    began = time.perf_counter()
    scores = {
        name: scored(truth, [way(headline.text) for headline in held_out])
        for name, way in ways.items()
    }
    seconds = time.perf_counter() - began
    of_symbols = named(held_out)
    _show(scores, of_symbols, len(held_out))
    result = {
        "bench": "sentiment",
        "set": str(file),
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "headlines": len(held_out),
        "labels": dict(Counter(truth)),
        "version": VERSION,
        "sentiment": scores,
        "symbols": of_symbols,
        "milliseconds_per_headline": round(1000 * seconds / len(held_out), 3),
    }
    print(json.dumps(result, separators=(",", ":")))
    return 0


def _show(scores: dict[str, dict[str, Any]], of_symbols: dict[str, float], count: int) -> None:
    console = Console()
    table = Table("way", "accuracy", "macro-F1", title=f"{count} headlines")
    for name, figures in scores.items():
        table.add_row(name, f"{figures['accuracy']:.3f}", f"{figures['macro_f1']:.3f}")
    console.print(table)
    confusion = Table("true label ↓, our label →", *LABELS, title="Confusion")
    for label, row in scores["ours"]["confusion"].items():
        confusion.add_row(label, *(str(row[other]) for other in LABELS))
    console.print(confusion)
    of = ", ".join(f"{name} {value:.3f}" for name, value in of_symbols.items())
    console.print(f"Symbols: {of}")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else HELD_OUT))
