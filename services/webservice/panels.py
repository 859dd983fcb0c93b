"""Loads a page's panels. A panel shows its content, or an error message if loading fails."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog

from runtime.errors import GoneError, RefusedError, UnavailableError

log = structlog.get_logger("webservice")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Panel(Generic[T]):
    """A panel's content or, if `problem` is not empty, an error message for the visitor."""

    value: T | None = None
    problem: str = ""


async def panel(name: str, request: Awaitable[T], *, seconds: float, away: str) -> Panel[T]:
    """Load a panel's content. If loading fails or times out, use the error message `away`.

    Raises:
        GoneError: if the content does not exist. The page decides what to show instead.
    """
    try:
        async with asyncio.timeout(seconds):
            return Panel(await request)
    except (UnavailableError, TimeoutError) as exc:
        log.warning(
            "could not load a panel", panel=name, reason=str(exc) or "the request timed out"
        )
        return Panel(problem=away)
    except RefusedError as exc:
        log.error(  # noqa: TRY400  needs no traceback
            "could not load a panel because a service rejected the request",
            panel=name,
            reason=str(exc),
        )
        return Panel(problem=away)
    except GoneError:
        raise
    except Exception:
        # One row that cannot be shown must not cost the other panels.
        log.exception("could not load a panel because of a bug", panel=name)
        return Panel(problem=away)
