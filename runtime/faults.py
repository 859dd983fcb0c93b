"""Contains what one item of input raises: counts it by input path and cause, and logs it.

Rule: every input path handles each item inside `Faults.contained`, so that the item's exception
ends nothing else. Record only the types of exceptions and the lines that raised them. Never record
an exception's message, because it may quote the item, including secrets.
"""

import traceback
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import structlog

from runtime.clock import monotonic

log = structlog.get_logger("faults")

_Raw = TypeVar("_Raw")
_Row = TypeVar("_Row")

RECENT_SECONDS: Final = 300.0
"""How long a fault is shown after it last happened."""
_LOGGED_EVERY_SECONDS: Final = 60.0
_MOST_CAUSES: Final = 200
_MOST_FRAMES: Final = 20
_LONGEST_CHAIN: Final = 5
_ROOT: Final = Path(__file__).parents[1]
_OUR_PACKAGES: Final = frozenset({"agent", "cli", "leader", "runtime", "services", "wire"})


@dataclass(slots=True)
class _Fault:
    path: str
    cause: str
    count: int = 0
    last: float = 0.0
    logged: float = float("-inf")
    unlogged: int = 0


class Faults:
    """The contained exceptions of one process, by input path and cause.

    A cause is the type of an exception and the line of our code that raised it. `count` is called
    with the input path for each exception, to update a metric.
    """

    def __init__(self, count: Callable[[str], None] | None = None) -> None:
        self._count = count
        self._faults: OrderedDict[tuple[str, str], _Fault] = OrderedDict()

    @contextmanager
    def contained(self, path: str, *, passing: tuple[type[Exception], ...] = ()) -> Iterator[None]:
        """Contain any exception raised in the block, except those of the types in `passing`.

        Cancellation is never contained.
        """
        try:
            yield
        except passing:
            raise
        except Exception as exc:  # noqa: BLE001  containing every exception is this method's purpose
            self.note(path, exc)

    def readable(
        self, path: str, rows: Iterable[_Raw], read: Callable[[_Raw], _Row]
    ) -> tuple[list[_Row], list[_Raw]]:
        """Read each row of a list; return the results, and the rows that could not be read."""
        results: list[_Row] = []
        unread: list[_Raw] = []
        for raw in rows:
            with self.contained(path):
                results.append(read(raw))
                continue
            unread.append(raw)
        return results, unread

    def note(self, path: str, exc: BaseException) -> str:
        """Count an exception that was contained, log it once a minute, and return its cause."""
        if isinstance(exc, BaseExceptionGroup):
            causes = [self.note(path, inner) for inner in exc.exceptions]
            return causes[0]
        cause = cause_of(exc)
        fault = self._faults.setdefault((path, cause), _Fault(path, cause))
        self._faults.move_to_end((path, cause))
        if len(self._faults) > _MOST_CAUSES:
            self._faults.popitem(last=False)
        fault.count += 1
        fault.unlogged += 1
        fault.last = monotonic()
        if self._count is not None:
            self._count(path)
        if fault.last - fault.logged >= _LOGGED_EVERY_SECONDS:
            log.error(
                "contained a fault",
                path=path,
                cause=cause,
                times=fault.unlogged,
                traceback=outline(exc),
            )
            fault.logged, fault.unlogged = fault.last, 0
        return cause

    def recent(self) -> list[dict[str, Any]]:
        """Return the faults of the last `RECENT_SECONDS`, the latest first, as JSON values."""
        now = monotonic()
        return [
            {
                "path": fault.path,
                "cause": fault.cause,
                "count": fault.count,
                "seconds_ago": round(now - fault.last, 1),
            }
            for fault in reversed(self._faults.values())
            if now - fault.last < RECENT_SECONDS
        ]


def cause_of(exc: BaseException) -> str:
    """Return an exception's type and the innermost line of our code in its traceback."""
    place = ""
    for frame, line in traceback.walk_tb(exc.__traceback__):
        file = Path(frame.f_code.co_filename)
        if file.is_relative_to(_ROOT) and file.relative_to(_ROOT).parts[0] in _OUR_PACKAGES:
            place = f" at {file.relative_to(_ROOT)}:{line}"
    return f"{type(exc).__name__}{place}"


def outline(exc: BaseException) -> str:
    """Return an exception's traceback with the types, but not the messages, of all exceptions."""
    parts: list[str] = []
    link: BaseException | None = exc
    while link is not None and len(parts) < _LONGEST_CHAIN:
        frames = traceback.StackSummary.extract(
            traceback.walk_tb(link.__traceback__), limit=-_MOST_FRAMES
        )
        parts.append("".join(traceback.format_list(frames)) + type(link).__name__)
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return "\nwhich was raised after:\n".join(parts)
