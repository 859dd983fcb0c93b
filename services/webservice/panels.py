"""The parts of a page, each of which shows a value or a sentence about why there is none."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog

from runtime.errors import RefusedError, UnavailableError

log = structlog.get_logger("webservice")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Panel(Generic[T]):
    """The content of one part; `problem` is a whole sentence for the reader."""

    value: T | None = None
    problem: str = ""


async def panel(name: str, request: Awaitable[T], *, seconds: float, away: str) -> Panel[T]:
    """The request's result, or the sentence `away` when it is refused or there is none in time.

    `GoneError` is left to the page.
    """
    try:
        async with asyncio.timeout(seconds):
            return Panel(await request)
    except (UnavailableError, TimeoutError) as exc:
        log.warning("panel unavailable", panel=name, reason=str(exc) or "no answer in time")
        return Panel(problem=away)
    except RefusedError as exc:
        log.error("panel refused", panel=name, reason=str(exc))  # noqa: TRY400  no bug
        return Panel(problem=away)
