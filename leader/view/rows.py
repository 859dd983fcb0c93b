"""A list of rows from Docker or EC2, and which of its rows could not be read.

Rule: a row that could not be read still exists. Its last known contents stay in the view, and
nothing is removed or terminated because such a row is missing.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import TypeVar

Key = TypeVar("Key", bound=str)
Row = TypeVar("Row", covariant=True)  # noqa: PLC0105
Known = TypeVar("Known")


class Rows(tuple[Row, ...]):  # noqa: SLOT001  a tuple subclass cannot have slots
    """The rows of a list that could be read; `unread` has the ids of the others.

    The id of a row whose id could not be read either is an empty string.
    """

    unread: tuple[str, ...]

    def __new__(cls, rows: Iterable[Row] = (), unread: Iterable[str] = ()) -> "Rows[Row]":
        """Return the rows with the ids of the unread rows."""
        self = super().__new__(cls, rows)
        self.unread = tuple(unread)
        return self


def with_last_known(
    rows: Iterable[Known], unread: Collection[str], known: Mapping[Key, Known]
) -> tuple[Known, ...]:
    """Return the rows, and the last known contents of each row that could not be read."""
    return (*rows, *(row for key, row in known.items() if key in unread))


def never_read(unread: Collection[str], known: Mapping[Key, object]) -> int:
    """Return how many rows could not be read and have no last known contents."""
    return sum(1 for key in unread if key not in known)
