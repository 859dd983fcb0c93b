"""Near-duplicate texts: a 64-bit simhash of what is said, whatever the punctuation. Pure."""

import hashlib
import re
from collections import Counter
from typing import Final

BITS: Final = 64
NEAR_BITS: Final = 3
"""Of so many different bits at most, two long texts say the same: by the view's four bands."""
_SHINGLE: Final = 2
_SHORTEST_WORDS: Final = 40
"""Below, one changed word is a different story: only the same words are the same."""
_WORD: Final = re.compile(r"[^\W_]+(?:[.,][^\W_]+)*")


def words(text: str) -> list[str]:
    """What a text is compared by."""
    return _WORD.findall(text.casefold())


def fingerprint(title: str, text: str) -> str:
    """16 hexadecimal digits of the text, or of title and text when there is little text.

    Short texts are hashed whole: no other text is near them by accident.
    """
    found = words(text)
    if len(found) < _SHORTEST_WORDS:
        return _hash(" ".join(words(title) + found)).to_bytes(8, "big").hex()
    shingles = Counter(
        " ".join(found[at : at + _SHINGLE]) for at in range(len(found) - _SHINGLE + 1)
    )
    votes = [0] * BITS
    for shingle, times in shingles.items():
        value = _hash(shingle)
        for bit in range(BITS):
            votes[bit] += times if value >> bit & 1 else -times
    made = sum(1 << bit for bit in range(BITS) if votes[bit] > 0)
    return f"{made:016x}"


def distance(one: str, other: str) -> int:
    """How many bits two fingerprints differ in."""
    return (int(one, 16) ^ int(other, 16)).bit_count()


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
