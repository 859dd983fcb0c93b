"""Stamps: a little work that an agent does for each join request, so that floods cost something.

The box's nonce holds the time and a number that the agent must search for. One search takes an
agent a few milliseconds, and the leader checks the result in one microsecond, before it opens the
box. While somebody floods the broker, the leader proves stamped requests first. Rule: a stamp is no
proof of anything. Never refuse a request for want of one, because older agents send none.
"""

import hashlib
from datetime import datetime, timedelta
from typing import Final

from nacl.public import Box, PublicKey
from nacl.utils import random as random_bytes

BITS: Final = 13
"""How many bits of the hash must be zero: an agent tries 8,000 numbers on average."""
VALID_FOR: Final = timedelta(seconds=90)
"""How far a stamp's time may be from the leader's clock, so that nobody collects stamps."""
_TIME_BYTES: Final = 4
_NUMBER_BYTES: Final = 8
_RANDOM_BYTES: Final = Box.NONCE_SIZE - _TIME_BYTES - _NUMBER_BYTES
_PURPOSE: Final = b"spotswarm stamp"
_LIMIT: Final = (1 << (64 - BITS)).to_bytes(8, "big")


def stamped_nonce(sender: PublicKey, at: datetime) -> bytes:
    """Search for a box nonce that is a stamp for the sender's key; `at` is the leader's time.

    A nonce must never be used twice with the same key, so the sender's key must be new.
    """
    seconds = int(at.timestamp()) % (1 << 8 * _TIME_BYTES)
    head = seconds.to_bytes(_TIME_BYTES, "big") + random_bytes(_RANDOM_BYTES)
    start = _hash(bytes(sender) + head)
    number = 0
    while True:
        tail = number.to_bytes(_NUMBER_BYTES, "big")
        attempt = start.copy()
        attempt.update(tail)
        if attempt.digest() < _LIMIT:
            return head + tail
        number += 1


def is_stamp(sender: bytes, nonce: bytes, now: datetime) -> bool:
    """Return whether the nonce is a stamp for the sender's key, made at about this time."""
    seconds = int.from_bytes(nonce[:_TIME_BYTES], "big")
    if abs(now.timestamp() - seconds) > VALID_FOR.total_seconds():
        return False
    return _hash(sender + nonce).digest() < _LIMIT


def _hash(text: bytes) -> "hashlib.blake2b":
    return hashlib.blake2b(text, digest_size=8, person=_PURPOSE)
