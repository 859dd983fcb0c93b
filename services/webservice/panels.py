"""A page's parts, each of which may be away without the others: a value, or a sentence instead."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog

from runtime.errors import UnavailableError

log = structlog.get_logger("webservice")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Panel(Generic[T]):
    """What a part of a page shows; `problem` is a whole sentence for its reader."""

    value: T | None = None
    problem: str = ""


async def panel(name: str, asked: Awaitable[T], *, seconds: float, away: str) -> Panel[T]:
    """The answer, or `away` when it does not come in time; other errors are the page's."""
    try:
        async with asyncio.timeout(seconds):
            return Panel(await asked)
    except (UnavailableError, TimeoutError) as exc:
        log.warning("panel away", panel=name, reason=str(exc) or "no answer in time")
        return Panel(problem=away)
