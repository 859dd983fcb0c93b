"""Loads a page's panels. Each panel shows its content, or a sentence if loading fails."""

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
    """A panel's content. If it is None, `problem` contains a sentence for the visitor."""

    value: T | None = None
    problem: str = ""


async def panel(name: str, request: Awaitable[T], *, seconds: float, away: str) -> Panel[T]:
    """Wait for a panel's content, or return the sentence `away` if this fails or times out.

    Raises:
        GoneError: if the content does not exist. The page decides what to show instead.
    """
    try:
        async with asyncio.timeout(seconds):
            return Panel(await request)
    except (UnavailableError, TimeoutError) as exc:
        log.warning(
            "a panel is unavailable", panel=name, reason=str(exc) or "the request timed out"
        )
        return Panel(problem=away)
    except RefusedError as exc:
        log.error("a panel's request was rejected", panel=name, reason=str(exc))  # noqa: TRY400  needs no traceback
        return Panel(problem=away)
