"""Fingerprints for finding near-duplicate texts: a 64-bit simhash of the words. Pure."""

import hashlib
import re
from collections import Counter
from typing import Final

BITS: Final = 64
NEAR_BITS: Final = 3
"""Long texts are the same up to this many different bits; the view's four bands allow for it."""
_SHINGLE: Final = 2
_SHORTEST_WORDS: Final = 40
"""In a shorter text, one changed word is a different story."""
_WORD: Final = re.compile(r"[^\W_]+(?:[.,][^\W_]+)*")


def words(text: str) -> list[str]:
    """The words by which a text is compared."""
    return _WORD.findall(text.casefold())


def fingerprint(title: str, text: str) -> str:
    """The fingerprint of the text, or of title and text when the text is short: 16 hex digits.

    Short texts are hashed as a whole, so that no other text is near them by accident.
    """
    text_words = words(text)
    if len(text_words) < _SHORTEST_WORDS:
        return _hash(" ".join(words(title) + text_words)).to_bytes(8, "big").hex()
    shingles = Counter(
        " ".join(text_words[at : at + _SHINGLE]) for at in range(len(text_words) - _SHINGLE + 1)
    )
    votes = [0] * BITS
    for shingle, times in shingles.items():
        value = _hash(shingle)
        for bit in range(BITS):
            votes[bit] += times if value >> bit & 1 else -times
    result = sum(1 << bit for bit in range(BITS) if votes[bit] > 0)
    return f"{result:016x}"


def distance(first: str, second: str) -> int:
    """The number of bits in which two fingerprints differ."""
    return (int(first, 16) ^ int(second, 16)).bit_count()


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
