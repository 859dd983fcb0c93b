"""Writes logs as JSON lines to stderr, which systemd stores in the journal.

Rule: a log event is a constant phrase; put variable data into fields. In addition to `SecretStr`,
two filters keep secrets out of the logs. The first filter hides fields whose names suggest a
secret. The second filter hides any part of a value that looks like a join token, AWS credentials or
a Redis password.
"""

import logging
import re
import sys
from collections.abc import Iterable
from typing import Final

import structlog
from structlog.typing import EventDict, WrappedLogger

_NAMES: Final = re.compile(r"password|token|secret|authorization|credential|_key$", re.IGNORECASE)
_SHAPES: Final = re.compile(
    r"SWMTKN-[0-9A-Za-z-]+|Signature=[0-9a-f]{64}|(?:ASIA|AKIA)[A-Z0-9]{12,}|rediss?://[^@\s/]+@"
)
_HIDDEN: Final = "[hidden]"
_PUBLIC_NAMES: Final = frozenset({"token_role", "access_key_hash"})


def hide_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Hide fields whose names suggest a secret, and hide secrets in the values of other fields."""
    for name, value in event.items():
        if _NAMES.search(name) and name not in _PUBLIC_NAMES:
            event[name] = _HIDDEN
        else:
            event[name] = _clean(value)
    return event


def scrub(text: str) -> str:
    """Return the text with everything that looks like a secret replaced by `[hidden]`."""
    return _SHAPES.sub(_HIDDEN, text)


def _clean(value: object) -> object:
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, dict):
        return {key: _clean(inner) for key, inner in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, bytes):
        return [_clean(inner) for inner in value]
    return value


def configure(*, level: int = logging.INFO) -> None:
    """Set up logging for the process; call this function once, before anything is logged."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            hide_secrets,
            structlog.processors.JSONRenderer(default=str),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
