"""Checks whether a host's robots.txt allows us to read a page.

Rule: following RFC 9309, everything is allowed if the server has no robots.txt or refuses to return
it. Nothing is allowed if the server does not respond or returns a temporary error.
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit, urlunsplit
from urllib.robotparser import RobotFileParser
from weakref import WeakValueDictionary

from runtime import clock
from runtime.errors import GoneError, RefusedError, UnavailableError
from services.newswatcher.edges.web import Web, host_of
from services.newswatcher.fetching.politeness import Turns

NAME: Final = "Spotswarm-newswatcher"
"""The name that robots.txt files can use for this robot."""
_VALID_SECONDS: Final = 24 * 3600.0
_UNREADABLE_VALID_SECONDS: Final = 1800.0
_MOST_BYTES: Final = 512 * 1024
_MOST_HOSTS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Rules:
    """One host's robots.txt rules. If `parser` is None, nothing may be read."""

    parser: RobotFileParser | None
    until: float

    def allow(self, url: str) -> bool:
        """Return whether the rules allow us to read this URL."""
        return self.parser is not None and self.parser.can_fetch(NAME, url)


def parse(text: str) -> RobotFileParser:
    """Return the rules in a robots.txt file, ignoring invalid lines."""
    parser = RobotFileParser()
    parser.parse(text.splitlines())
    return parser


class Robots:
    """A cache of robots.txt rules, by host."""

    def __init__(self, web: Web, turns: Turns) -> None:
        self._web = web
        self._turns = turns
        self._rules: OrderedDict[str, Rules] = OrderedDict()
        self._reading: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def admit(self, url: str) -> None:
        """Check that we may read a page.

        Raises:
            RefusedError: if robots.txt forbids reading the page or is temporarily unavailable.
        """
        parts = urlsplit(url)
        origin = urlunsplit((parts.scheme, parts.netloc, "", "", ""))
        # The lock is deleted when no task is waiting for it.
        lock = self._reading.setdefault(origin, asyncio.Lock())
        async with lock:
            rules = await self._of(origin)
        if not rules.allow(url):
            raise RefusedError(
                f"the robots.txt of {parts.hostname} does not allow us to read this page"
            )

    async def _of(self, origin: str) -> Rules:
        rules = self._rules.get(origin)
        if rules is None or rules.until < clock.monotonic():
            rules = await self._read(origin)
            self._rules[origin] = rules
            self._rules.move_to_end(origin)
            while len(self._rules) > _MOST_HOSTS:
                self._rules.popitem(last=False)
        return rules

    async def _read(self, origin: str) -> Rules:
        now = clock.monotonic()
        try:
            answer = await self._web.get(
                f"{origin}/robots.txt", most_bytes=_MOST_BYTES, is_cut=True
            )
        except (GoneError, RefusedError):
            return Rules(parse(""), now + _VALID_SECONDS)
        except UnavailableError:
            return Rules(None, now + _UNREADABLE_VALID_SECONDS)
        parser = parse(answer.body.decode("utf-8", "replace"))
        delay = parser.crawl_delay(NAME)
        if delay is not None:
            self._turns.slow_down(host_of(origin), float(delay))
        return Rules(parser, now + _VALID_SECONDS)
