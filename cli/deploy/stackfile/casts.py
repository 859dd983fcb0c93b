"""Turn the text that replaced a variable into a number or a truth value, where Docker does.

Rule: the places and the accepted texts are those of `docker stack deploy`. Docker casts only text
that came from a variable; a quoted number in the file stays text, and Docker refuses it.
"""

import re
from collections.abc import Callable
from typing import Any, Final

_EACH: Final = "*"
_ITEM: Final = "[]"
_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,18}", re.ASCII)
_FLOAT: Final = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?", re.ASCII)
_TRUE: Final = frozenset({"y", "yes", "true", "on"})
_FALSE: Final = frozenset({"n", "no", "false", "off"})


def _integer(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise ValueError("the variable's value must be a whole number")
    return int(text)


def _number(text: str) -> float:
    if not _FLOAT.fullmatch(text):
        raise ValueError("the variable's value must be a number")
    return float(text)


def _boolean(text: str) -> bool:
    word = text.lower()
    if word not in _TRUE | _FALSE:
        raise ValueError("the variable's value must be true or false")
    return word in _TRUE


_CASTS: Final[dict[str, Callable[[str], Any]]] = {
    "services.*.configs.[].mode": _integer,
    "services.*.secrets.[].mode": _integer,
    "services.*.healthcheck.retries": _integer,
    "services.*.healthcheck.disable": _boolean,
    "services.*.deploy.replicas": _integer,
    "services.*.deploy.update_config.parallelism": _integer,
    "services.*.deploy.update_config.max_failure_ratio": _number,
    "services.*.deploy.rollback_config.parallelism": _integer,
    "services.*.deploy.rollback_config.max_failure_ratio": _number,
    "services.*.deploy.restart_policy.max_attempts": _integer,
    "services.*.deploy.placement.max_replicas_per_node": _integer,
    "services.*.ports.[].target": _integer,
    "services.*.ports.[].published": _integer,
    "services.*.ulimits.*": _integer,
    "services.*.ulimits.*.hard": _integer,
    "services.*.ulimits.*.soft": _integer,
    "services.*.privileged": _boolean,
    "services.*.read_only": _boolean,
    "services.*.stdin_open": _boolean,
    "services.*.tty": _boolean,
    "services.*.volumes.[].read_only": _boolean,
    "services.*.volumes.[].volume.nocopy": _boolean,
    "networks.*.external": _boolean,
    "networks.*.internal": _boolean,
    "networks.*.attachable": _boolean,
    "volumes.*.external": _boolean,
    "secrets.*.external": _boolean,
    "configs.*.external": _boolean,
}
_PATTERNS: Final = {tuple(path.split(".")): cast for path, cast in _CASTS.items()}


def cast_for(path: tuple[str, ...]) -> Callable[[str], Any] | None:
    """Return the function that casts a text at this place, or None if the text stays text.

    A list index in `path` is written `[]`. The function raises ValueError for other texts.
    """
    for pattern, cast in _PATTERNS.items():
        if len(pattern) == len(path) and all(
            part in {_EACH, key} for part, key in zip(pattern, path, strict=True)
        ):
            return cast
    return None
