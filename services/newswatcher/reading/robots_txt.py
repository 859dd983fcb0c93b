"""Reads what a robots.txt file allows. This module does no I/O.

It runs in the parser's process: a file with thousands of groups and rules takes a long time.
"""

import math
from dataclasses import dataclass

from protego import Protego


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a robots.txt file says about one URL."""

    is_allowed: bool
    delay_seconds: float | None
    """The pause between requests that the file asks for, or None."""


def parse(body: bytes, *, url: str, robot: str) -> Verdict:
    """Return what the file allows the robot. Lines that are not rules are ignored."""
    rules = Protego.parse(body.decode("utf-8-sig", "replace").replace("\0", ""))
    delay = rules.crawl_delay(robot)
    return Verdict(
        is_allowed=rules.can_fetch(url, robot),
        delay_seconds=delay if delay is not None and math.isfinite(delay) and delay > 0 else None,
    )
