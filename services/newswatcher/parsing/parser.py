"""The client of the parser's process, which it starts, kills and replaces.

Rule: after a time-out, a cancellation or an invalid answer, the process is killed. Otherwise, the
next request would get the answer to this one.
"""

import asyncio
import os
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from prometheus_client import Counter
from pydantic import BaseModel, ValidationError

from runtime.errors import UnavailableError
from services.newswatcher.parsing import frames
from services.newswatcher.parsing.answers import (
    OUT_OF_MEMORY,
    Failure,
    ParsedFeed,
    ParsedPage,
    RobotsVerdict,
)
from services.newswatcher.reading.entries import NotAFeedError

T = TypeVar("T", bound=BaseModel)

_PARSED: Final = Counter(
    "newswatcher_parsed_total", "Parsed feeds, pages and robots.txt files", ["kind", "outcome"]
)
_PASSED_ON: Final = ("LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "PYDANTIC_DISABLE_PLUGINS")
"""The environment that Python needs. The rest of newswatcher's environment may contain secrets."""
_START_SECONDS: Final = 60.0
_MOST_REQUESTS: Final = 500
"""After so many requests the process is replaced, in case a library leaks memory."""


class ParsingError(UnavailableError):
    """The text took too much time or memory to parse, or ended the parser's process."""


class Parser:
    """Parses one text at a time in a process, which is started when it is needed.

    A text may take `limit_seconds`, and `memory_bytes` beyond what the program itself uses.
    """

    def __init__(self, *, limit_seconds: float, memory_bytes: int) -> None:
        self._limit_seconds = limit_seconds
        self._memory_bytes = memory_bytes
        self._turn = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._requests = 0
        self.problem: str | None = None
        """Why the process cannot be started, or None."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._end()

    async def feed(self, body: bytes, *, url: str, content_type: str) -> ParsedFeed:
        """Return a feed's entries.

        Raises:
            NotAFeedError: if the text is not a feed.
            ParsingError: if it cannot be parsed within the limits.
        """
        fields = {"kind": "feed", "url": url, "content_type": content_type}
        return await self._parse(ParsedFeed, fields, body)

    async def page(self, body: bytes, *, content_type: str) -> ParsedPage:
        """Return a page's article and canonical link.

        Raises:
            ParsingError: if it cannot be parsed within the limits.
        """
        return await self._parse(ParsedPage, {"kind": "page", "content_type": content_type}, body)

    async def robots(self, body: bytes, *, url: str, robot: str) -> RobotsVerdict:
        """Return what a robots.txt file says about a URL.

        Raises:
            ParsingError: if it cannot be parsed within the limits.
        """
        fields = {"kind": "robots", "url": url, "robot": robot}
        return await self._parse(RobotsVerdict, fields, body)

    async def _parse(self, answer: type[T], request: dict[str, Any], body: bytes) -> T:
        async with self._turn:
            try:
                fields = await self._exchange(frames.encode(request, body))
                if "failure" in fields:
                    raise _error(Failure.model_validate(fields))
                parsed = answer.model_validate(fields)
            except NotAFeedError:
                _PARSED.labels(request["kind"], "not a feed").inc()
                raise
            except ParsingError:
                _PARSED.labels(request["kind"], "failed").inc()
                raise
            except ValidationError as exc:
                await self._end()
                _PARSED.labels(request["kind"], "failed").inc()
                raise ParsingError("the parser's answer is not valid") from exc
        _PARSED.labels(request["kind"], "parsed").inc()
        return parsed

    async def _exchange(self, message: bytes) -> Mapping[str, Any]:
        process = await self._running()
        is_complete = False
        try:
            async with asyncio.timeout(self._limit_seconds):
                fields = await _answered(process, message)
            is_complete = fields.get("failure") != OUT_OF_MEMORY
        except TimeoutError as exc:
            raise ParsingError(f"parsing took longer than {self._limit_seconds:g} s") from exc
        except (OSError, EOFError, ValueError) as exc:
            raise ParsingError("the text ended the parser's process") from exc
        finally:
            if not is_complete:
                await self._end()
        return fields

    async def _running(self) -> asyncio.subprocess.Process:
        process = self._process
        if process is not None and (
            process.returncode is not None or self._requests >= _MOST_REQUESTS
        ):
            await self._end()
            process = None
        if process is None:
            process = await self._start()
        self._requests += 1
        return process

    async def _start(self) -> asyncio.subprocess.Process:
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        self._requests = 0
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "services.newswatcher.parsing.worker"),
                *(str(self._limit_seconds), str(self._memory_bytes)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env=environment,
            )
            async with asyncio.timeout(_START_SECONDS):
                await _read(self._process)
        except (OSError, EOFError, ValueError, TimeoutError) as exc:
            await self._end()
            self.problem = "the parser's process cannot be started"
            raise ParsingError(self.problem) from exc
        except BaseException:
            await self._end()
            raise
        self.problem = None
        return self._process

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.kill()
        if process.stdin is not None:
            process.stdin.close()
        # The process was killed, so this takes no time; a cancellation must not leave it behind.
        # Reading to the end closes the pipe, even if reading was paused.
        await asyncio.shield(process.communicate())


async def _answered(process: asyncio.subprocess.Process, message: bytes) -> dict[str, Any]:
    assert process.stdin is not None
    process.stdin.write(message)
    await process.stdin.drain()
    return await _read(process)


async def _read(process: asyncio.subprocess.Process) -> dict[str, Any]:
    assert process.stdout is not None
    head = await process.stdout.readexactly(frames.HEAD_BYTES)
    text_bytes, body_bytes = frames.lengths(head)
    text = await process.stdout.readexactly(text_bytes + body_bytes)
    return frames.decode(text[:text_bytes])


def _error(failure: Failure) -> Exception:
    if failure.is_not_a_feed:
        return NotAFeedError(failure.failure)
    if failure.failure == OUT_OF_MEMORY:
        return ParsingError("parsing needed too much memory")
    return ParsingError(failure.failure)
