"""A robots.txt file that could not be parsed, because of the file or because of our parser."""

from typing import cast

import pytest

from runtime.errors import RefusedError
from services.newswatcher.edges.web import Answer, Web
from services.newswatcher.fetching.politeness import Turns
from services.newswatcher.fetching.robots import Robots
from services.newswatcher.parsing.answers import RobotsVerdict
from services.newswatcher.parsing.parser import Parser, ParsingError

PAGE = "https://a.example/1"


class OneFile:
    """A web whose only page is a robots.txt file."""

    async def get(self, url: str, **_options: object) -> Answer:
        return Answer(200, url, None, "text/plain", None, None, b"User-agent: *\nAllow: /")


class FailsOnce:
    """A parser that fails for the first file and allows everything in the second."""

    def __init__(self, problem: str | None) -> None:
        self.problem = problem
        self._is_first = True

    async def robots(self, _body: bytes, **_options: object) -> RobotsVerdict:
        if self._is_first:
            self._is_first = False
            raise ParsingError("parsing took longer than 10 s")
        return RobotsVerdict(is_allowed=True, delay_seconds=None)


def robots(problem: str | None) -> Robots:
    return Robots(cast("Web", OneFile()), Turns(0.0), cast("Parser", FailsOnce(problem)))


async def test_a_parser_that_cannot_start_does_not_close_a_host() -> None:
    rules = robots("the parser's process cannot be started")
    with pytest.raises(RefusedError):
        await rules.admit(PAGE)
    await rules.admit(PAGE)


async def test_a_file_that_takes_too_long_closes_its_host_for_a_while() -> None:
    rules = robots(None)
    for _ in range(2):
        with pytest.raises(RefusedError):
            await rules.admit(PAGE)
