"""A page's parts, each of which may be away without the others: a value, or a sentence instead."""

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
    """What a part of a page shows; `problem` is a whole sentence for its reader."""

    value: T | None = None
    problem: str = ""


async def panel(name: str, asked: Awaitable[T], *, seconds: float, away: str) -> Panel[T]:
    """The answer, or `away` when there is none in time or it is refused.

    That a thing does not exist is the page's to tell.
    """
    try:
        async with asyncio.timeout(seconds):
            return Panel(await asked)
    except (UnavailableError, TimeoutError) as exc:
        log.warning("panel away", panel=name, reason=str(exc) or "no answer in time")
        return Panel(problem=away)
    except RefusedError as exc:
        log.error("panel refused", panel=name, reason=str(exc))  # noqa: TRY400  no bug
        return Panel(problem=away)
