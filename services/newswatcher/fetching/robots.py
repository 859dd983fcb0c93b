"""Checks whether a host's robots.txt allows us to read a page.

Rule: following RFC 9309, everything is allowed if the server has no robots.txt or refuses to return
it. Nothing is allowed if the server does not respond or returns a temporary error.
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final
from weakref import WeakValueDictionary

from yarl import URL

from runtime import clock
from runtime.errors import GoneError, RefusedError, UnavailableError
from services.newswatcher.edges.web import Web, host_of
from services.newswatcher.fetching.politeness import Turns
from services.newswatcher.parsing.parser import Parser, ParsingError

NAME: Final = "Spotswarm-newswatcher"
"""The name that robots.txt files can use for this robot."""
_VALID_SECONDS: Final = 24 * 3600.0
_UNREADABLE_VALID_SECONDS: Final = 1800.0
_MOST_BYTES: Final = 512 * 1024
_MOST_HOSTS: Final = 1_000
_MOST_BYTES_CACHED: Final = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Rules:
    """One host's robots.txt file. If `body` is None, nothing may be read."""

    body: bytes | None
    until: float


class Robots:
    """A cache of robots.txt files, by host."""

    def __init__(self, web: Web, turns: Turns, parser: Parser) -> None:
        self._web = web
        self._turns = turns
        self._parser = parser
        self._rules: OrderedDict[str, Rules] = OrderedDict()
        self._cached_bytes = 0
        self._reading: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def admit(self, url: str) -> None:
        """Check that we may read a page.

        Raises:
            RefusedError: if robots.txt forbids reading the page or is temporarily unavailable.
        """
        parsed = URL(url)
        origin = str(parsed.origin())
        # The lock is deleted when no task is waiting for it.
        lock = self._reading.setdefault(origin, asyncio.Lock())
        async with lock:
            rules = await self._of(origin)
        if rules.body is None or not await self._is_allowed(rules, origin, url):
            raise RefusedError(
                f"the robots.txt of {parsed.raw_host} does not allow us to read this page"
            )

    async def _is_allowed(self, rules: Rules, origin: str, url: str) -> bool:
        if not rules.body:
            return True
        try:
            verdict = await self._parser.robots(rules.body, url=url, robot=NAME)
        except ParsingError as exc:
            if self._parser.problem is None:
                # Parsing it again for each of the host's pages would delay all other feeds.
                self._keep(origin, Rules(None, clock.monotonic() + _UNREADABLE_VALID_SECONDS))
            raise RefusedError(f"the robots.txt cannot be used: {exc}") from exc
        if verdict.delay_seconds is not None:
            self._turns.slow_down(host_of(url), verdict.delay_seconds)
        return verdict.is_allowed

    async def _of(self, origin: str) -> Rules:
        rules = self._rules.get(origin)
        if rules is None or rules.until < clock.monotonic():
            rules = await self._read(origin)
            self._keep(origin, rules)
        return rules

    def _keep(self, origin: str, rules: Rules) -> None:
        self._forget(origin)
        self._rules[origin] = rules
        self._cached_bytes += len(rules.body or b"")
        while len(self._rules) > _MOST_HOSTS or self._cached_bytes > _MOST_BYTES_CACHED:
            self._forget(next(iter(self._rules)))

    def _forget(self, origin: str) -> None:
        rules = self._rules.pop(origin, None)
        if rules is not None:
            self._cached_bytes -= len(rules.body or b"")

    async def _read(self, origin: str) -> Rules:
        now = clock.monotonic()
        try:
            answer = await self._web.get(
                f"{origin}/robots.txt", most_bytes=_MOST_BYTES, is_cut=True
            )
        except (GoneError, RefusedError):
            return Rules(b"", now + _VALID_SECONDS)
        except UnavailableError:
            return Rules(None, now + _UNREADABLE_VALID_SECONDS)
        return Rules(answer.body, now + _VALID_SECONDS)
