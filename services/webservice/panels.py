"""The parts of a page. Each panel shows its content, or a sentence if it is unavailable."""

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
    """A panel's content, or None and a sentence for the reader in `problem`."""

    value: T | None = None
    problem: str = ""


async def panel(name: str, request: Awaitable[T], *, seconds: float, away: str) -> Panel[T]:
    """Wait for a panel's content; return the sentence `away` if the request fails or times out.

    Raises:
        GoneError: if the content does not exist; the page decides what to do.
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
