"""Computes fingerprints (64-bit simhashes of the words) for finding near-duplicate texts.

This module does no I/O.
"""

import hashlib
import re
from collections import Counter
from typing import Final

BITS: Final = 64
NEAR_BITS: Final = 3
"""Long texts whose fingerprints differ in at most this many bits are considered the same. The four
bands in the database view depend on this number."""
_SHINGLE: Final = 2
_SHORTEST_WORDS: Final = 40
"""In a text with fewer words, one changed word can make a different story."""
_WORD: Final = re.compile(r"[^\W_]+(?:[.,][^\W_]+)*")


def words(text: str) -> list[str]:
    """Return the text's words, in the form used for comparisons."""
    return _WORD.findall(text.casefold())


def fingerprint(title: str, text: str) -> str:
    """Return the fingerprint of an article as 16 hexadecimal digits.

    For a short text, the fingerprint is an ordinary hash of the title and the text, so different
    articles do not have similar fingerprints by chance.
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
    """Return the number of bits that differ between two fingerprints."""
    return (int(first, 16) ^ int(second, 16)).bit_count()


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
