"""The `x-spotswarm` keys of a stack file, of its services and of its secrets.

Rule: an unknown key or a value of another type is an error, because a typing mistake would
otherwise change what is deployed without a word.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

from cli.deploy.stackfile.errors import StackError
from cli.deploy.stackfile.references import Table, part, table_of

OURS: Final = "x-spotswarm"


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _is_conditions(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(choice, list) for choice in value.values())


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= 4096


_Kind = tuple[Callable[[Any], bool], str]
_FLAG: Final = (_is_flag, "true or false")
_NAMES: Final = (_is_names, "a list of services")
_OF_FILE: Final[dict[str, _Kind]] = {
    "label_a_manager": (_is_text, "a node label"),
    "is_stack": _FLAG,
    "is_chosen_from": _FLAG,
    "drops_empty": _FLAG,
}
_OF_SERVICE: Final[dict[str, _Kind]] = {
    "needs": _NAMES,
    "wants": _NAMES,
    "when": (_is_conditions, "a table of variables, each with a list of values"),
    "provides": (_is_text, "a name"),
}
_OF_SECRET: Final[dict[str, _Kind]] = {
    "generate": (_is_size, "a number of bytes from 1 to 4096"),
    "optional": _FLAG,
}


def of_file(table: Table) -> Table:
    """Return the file's `x-spotswarm` table.

    Raises:
        StackError: if a key is unknown, or a value has another type.
    """
    return _checked(table, _OF_FILE, "the file")


def of_services(table: Table) -> dict[str, Table]:
    """Return the `x-spotswarm` table of each service. The errors are those of `of_file`."""
    services = part(table, "services").items()
    return {
        key: _checked(table_of(service), _OF_SERVICE, f"service {key}") for key, service in services
    }


def of_secret(key: str, secret: Any) -> Table:
    """Return the `x-spotswarm` table of a secret. The errors are those of `of_file`."""
    return _checked(table_of(secret), _OF_SECRET, f"secret {key}")


def _checked(table: Table, kinds: dict[str, _Kind], place: str) -> Table:
    wishes = table.get(OURS)
    if wishes is None:
        return {}
    if not isinstance(wishes, dict):
        raise StackError(f"{place}: {OURS} must be a table; see docs/deploying.md")
    if errors := list(_errors(wishes, kinds, place)):
        raise StackError("\n".join(errors))
    return wishes


def _errors(wishes: Table, kinds: dict[str, _Kind], place: str) -> Iterator[str]:
    for key, value in wishes.items():
        if key not in kinds:
            yield f"{place}: {OURS} has no key {key}; its keys are {', '.join(kinds)}"
        elif not kinds[key][0](value):
            yield f"{place}: {OURS}.{key} must be {kinds[key][1]}"
