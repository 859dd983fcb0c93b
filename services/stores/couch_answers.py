"""Checks the responses that CouchDB sends with a successful status.

CouchDB sends the status before it has computed the response. If it then fails, the body of a 200 is
`{"error": "timeout", "reason": ...}`. Rule: a response without what was asked for is an outage, so
that callers try again, whatever its status is. Error messages contain CouchDB's word for the error,
and no other text of the response. This module does no I/O.
"""

import re
from typing import Any, Final

from runtime.errors import UnavailableError

Place = int | str
"""A sequence number in the database's changes."""
_WORD: Final = re.compile(r"[a-z_]{1,40}")


def unexpected(answer: object, attempt: str) -> UnavailableError:
    """Return the error to raise for a response that lacks what was asked for."""
    word = answer.get("error") if isinstance(answer, dict) else None
    if isinstance(word, str) and _WORD.fullmatch(word):
        return UnavailableError(f"{attempt}: CouchDB reported the error {word}")
    return UnavailableError(f"{attempt}: CouchDB's response has an unexpected format")


def document(answer: object, attempt: str) -> dict[str, Any]:
    """Return a document. Every document has an `_id`, and no error has one."""
    if isinstance(answer, dict) and isinstance(answer.get("_id"), str):
        return answer
    raise unexpected(answer, attempt)


def revision(answer: object, attempt: str) -> str:
    """Return the revision that was written."""
    rev = answer.get("rev") if isinstance(answer, dict) else None
    if isinstance(rev, str):
        return rev
    raise unexpected(answer, attempt)


def view_rows(answer: object, attempt: str) -> list[dict[str, Any]]:
    """Return the rows of a view."""
    rows = _objects(answer.get("rows") if isinstance(answer, dict) else None)
    if rows is None:
        raise unexpected(answer, attempt)
    return rows


def written_rows(answer: object, count: int, attempt: str) -> list[dict[str, Any]]:
    """Return one row with an `id` for each of `count` documents that were written."""
    rows = _objects(answer)
    if rows is None or len(rows) != count or not _have_ids(rows):
        raise unexpected(answer, attempt)
    return rows


def change_rows(answer: object, attempt: str) -> tuple[Place, list[dict[str, Any]]]:
    """Return the place to continue from, and rows with an `id` and a `seq`."""
    if not isinstance(answer, dict) or not isinstance(answer.get("last_seq"), Place):
        raise unexpected(answer, attempt)
    rows = _objects(answer.get("results"))
    if rows is None or not _have_ids(rows):
        raise unexpected(answer, attempt)
    if not all(isinstance(row.get("seq"), Place) for row in rows):
        raise unexpected(answer, attempt)
    return answer["last_seq"], rows


def _have_ids(rows: list[dict[str, Any]]) -> bool:
    return all(isinstance(row.get("id"), str) for row in rows)


def _objects(rows: object) -> list[dict[str, Any]] | None:
    if isinstance(rows, list) and all(isinstance(row, dict) for row in rows):
        return rows
    return None
