"""What robots.txt lets us read, host by host.

Rule: RFC 9309: no robots.txt lets everything be read; one that cannot be had lets nothing.
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
from services.newswatcher.edges.web import Web, place
from services.newswatcher.fetching.politeness import Turns

NAME: Final = "Spotswarm-newswatcher"
"""What robots.txt may call us."""
_KEPT_SECONDS: Final = 24 * 3600.0
_KEPT_UNREADABLE_SECONDS: Final = 1800.0
_MOST_BYTES: Final = 512 * 1024
_MOST_HOSTS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Rules:
    """One host's; None lets nothing be read."""

    parser: RobotFileParser | None
    until: float

    def allow(self, url: str) -> bool:
        """Whether we may read this."""
        return self.parser is not None and self.parser.can_fetch(NAME, url)


def parse(text: str) -> RobotFileParser:
    """The rules of a robots.txt; lines that are none say nothing."""
    parser = RobotFileParser()
    parser.parse(text.splitlines())
    return parser


class Robots:
    """Every host's rules, remembered for a day."""

    def __init__(self, web: Web, turns: Turns) -> None:
        self._web = web
        self._turns = turns
        self._rules: OrderedDict[str, Rules] = OrderedDict()
        self._reading: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def admit(self, url: str) -> None:
        """Return when we may read this page.

        Raises:
            RefusedError: we may not.
            UnavailableError: it is not known now.
        """
        parts = urlsplit(url)
        origin = urlunsplit((parts.scheme, parts.netloc, "", "", ""))
        # Held by who waits for it, and gone with the last of them.
        lock = self._reading.setdefault(origin, asyncio.Lock())
        async with lock:
            rules = await self._of(origin)
        if not rules.allow(url):
            raise RefusedError(f"the robots.txt of {parts.hostname} does not let us read that")

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
            return Rules(parse(""), now + _KEPT_SECONDS)
        except UnavailableError:
            return Rules(None, now + _KEPT_UNREADABLE_SECONDS)
        parser = parse(answer.body.decode("utf-8", "replace"))
        delay = parser.crawl_delay(NAME)
        if delay is not None:
            self._turns.slow_down(place(origin), float(delay))
        return Rules(parser, now + _KEPT_SECONDS)
