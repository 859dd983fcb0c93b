"""A client for the CouchDB HTTP API: documents, views and changes.

Rules: only this module contains CouchDB paths and status codes. Do not interpret sequence
numbers: CouchDB returns strings, but the lab's stand-in for CouchDB returns integers.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import aiohttp
from pydantic import SecretStr

from runtime.errors import ClusterError, GoneError, RefusedError, UnavailableError
from services.stores import couch_answers

Document = dict[str, Any]
Place = couch_answers.Place
"""A sequence number in the database's changes."""
_SLACK_SECONDS: Final = 2.0
"""The extra time that CouchDB may take to respond once the requested wait is over."""
_NOTHING: Final = object()
_JSON_PARAMETERS: Final = frozenset({"key", "keys", "startkey", "endkey"})


class ConflictError(ClusterError):
    """The document has changed since it was read. Read the document again before writing."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change to a document. `doc` is None unless documents were requested."""

    seq: Place
    id: str
    is_deleted: bool
    doc: Document | None


@dataclass(frozen=True, slots=True)
class Changes:
    """A batch of changes, oldest first, and the sequence number to continue from."""

    last_seq: Place
    rows: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Written:
    """The result of `bulk` for one document: the new revision or an error."""

    id: str
    rev: str | None
    error: str | None


class Couch:
    """A client for one CouchDB server. The caller creates and closes the HTTP session."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        user: str = "",
        password: SecretStr | None = None,
    ) -> None:
        self._session = session
        self._url = url.rstrip("/")
        self._headers = {"Accept": "application/json"}
        if user:
            secret = password.get_secret_value() if password else ""
            self._headers["Authorization"] = aiohttp.encode_basic_auth(user, secret, "utf-8")

    async def check(self) -> str | None:
        """Return None if CouchDB responds, otherwise a description of the problem."""
        try:
            await self._ask("GET", "", "checking CouchDB")
        except ClusterError as exc:
            return str(exc)
        return None

    async def ensure_database(self, name: str) -> None:
        """Create the database if it does not exist."""
        try:
            await self._ask("PUT", quote(name, safe=""), f"creating database {name}")
        except _ExistsError:
            return

    async def get(self, db: str, doc_id: str) -> Document:
        """Return the latest revision of a document.

        Raises:
            GoneError: if the document or the database does not exist.
        """
        attempt = f"reading {doc_id}"
        return couch_answers.document(await self._ask("GET", _path(db, doc_id), attempt), attempt)

    async def put(self, db: str, doc: Mapping[str, Any]) -> str:
        """Write a document and return its new revision.

        Raises:
            ConflictError: if the document's `_rev` is not the latest revision.
        """
        doc_id = str(doc["_id"])
        attempt = f"writing {doc_id}"
        answer = await self._ask("PUT", _path(db, doc_id), attempt, body=doc)
        return couch_answers.revision(answer, attempt)

    async def bulk(self, db: str, docs: Sequence[Mapping[str, Any]]) -> list[Written]:
        """Write several documents independently. Conflicts are returned, not raised as errors."""
        if not docs:
            return []
        attempt = "writing documents"
        answer = await self._ask(
            "POST", f"{quote(db, safe='')}/_bulk_docs", attempt, body={"docs": docs}
        )
        rows = couch_answers.written_rows(answer, len(docs), attempt)
        return [Written(row["id"], row.get("rev"), row.get("error")) for row in rows]

    async def view(self, db: str, design: str, view: str, **params: Any) -> list[dict[str, Any]]:
        """Return a view's rows. `params` are CouchDB query parameters, as Python values."""
        query = {name: _parameter(name, value) for name, value in params.items()}
        path = f"{quote(db, safe='')}/_design/{design}/_view/{view}"
        attempt = f"reading view {view}"
        return couch_answers.view_rows(await self._ask("GET", path, attempt, params=query), attempt)

    async def changes(
        self,
        db: str,
        since: Place = 0,
        *,
        limit: int = 100,
        wait_seconds: float = 0.0,
        include_docs: bool = False,
    ) -> Changes:
        """Return the changes after `since`, waiting up to `wait_seconds` if there are none.

        Changes to design documents are omitted from the result.
        """
        params = {"since": str(since), "limit": str(limit), "style": "main_only"}
        if include_docs:
            params["include_docs"] = "true"
        if wait_seconds > 0:
            params |= {"feed": "longpoll", "timeout": str(int(wait_seconds * 1000))}
        attempt = "reading changes"
        answer = await self._ask(
            "GET",
            f"{quote(db, safe='')}/_changes",
            attempt,
            params=params,
            wait_seconds=wait_seconds,
        )
        if answer is _NOTHING:
            return Changes(since, ())
        last_seq, rows = couch_answers.change_rows(answer, attempt)
        changes = tuple(
            Change(row["seq"], row["id"], bool(row.get("deleted")), row.get("doc"))
            for row in rows
            if not row["id"].startswith("_design/")
        )
        return Changes(last_seq, changes)

    async def local(self, db: str, name: str) -> Document | None:
        """Return a local document, or None if it does not exist.

        CouchDB does not replicate local documents and does not list them as changes.
        """
        try:
            return await self.get(db, f"_local/{name}")
        except GoneError:
            return None

    async def put_local(self, db: str, name: str, body: Mapping[str, Any]) -> None:
        """Overwrite a local document. The document must have only one writer."""
        stored = await self.local(db, name)
        rev = {"_rev": stored["_rev"]} if stored and "_rev" in stored else {}
        await self.put(db, {**body, "_id": f"_local/{name}", **rev})

    async def ensure_design(self, db: str, design: Mapping[str, Any]) -> None:
        """Write a design document unless the stored document is the same or newer.

        Old and new replicas run side by side during an update. An old replica must not overwrite a
        newer document, because CouchDB rebuilds its indexes whenever the document changes.
        """
        try:
            stored = await self.get(db, design["_id"])
        except GoneError:
            stored = {}
        rev = stored.pop("_rev", None)
        if stored == dict(design) or stored.get("version", 0) > design.get("version", 0):
            return
        try:
            await self.put(db, {**design, **({"_rev": rev} if rev else {})})
        except ConflictError:
            # Another service that is starting now has written the same document.
            return

    async def _ask(
        self,
        method: str,
        path: str,
        attempt: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        wait_seconds: float = 0.0,
    ) -> Any:
        headers = self._headers
        data = None
        if body is not None:
            data = _encoded(body, attempt)
            headers = {**headers, "Content-Type": "application/json"}
        more: dict[str, Any] = {}
        if wait_seconds:
            more["timeout"] = aiohttp.ClientTimeout(total=wait_seconds + _SLACK_SECONDS)
        try:
            async with self._session.request(
                method,
                f"{self._url}/{path}",
                params=params,
                data=data,
                headers=headers,
                **more,
            ) as answer:
                status = answer.status
                try:
                    content = await answer.read()
                except TimeoutError:
                    # Only headers arrived: the stand-in waits longer than requested.
                    if wait_seconds:
                        return _NOTHING
                    raise
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            raise UnavailableError(f"{attempt}: CouchDB did not respond") from exc
        if status >= 400:
            raise _error(status, attempt)
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as exc:
            raise UnavailableError(f"{attempt}: CouchDB's response is not JSON") from exc


class _ExistsError(RefusedError):
    """The database already exists (status 412)."""


def _error(status: int, attempt: str) -> ClusterError:
    message = f"{attempt}: CouchDB returned {status}"
    match status:
        case 404:
            return GoneError(message)
        case 409:
            return ConflictError(message)
        case 412:
            return _ExistsError(message)
        case 408 | 429:
            return UnavailableError(message)
        case _ if status >= 500:
            return UnavailableError(message)
    return RefusedError(message)


def encodable(doc: Mapping[str, Any]) -> bool:
    """Return whether a document can be written: JSON has no surrogates and no infinite numbers."""
    try:
        _encoded(doc, "")
    except RefusedError:
        return False
    return True


def _encoded(body: Any, attempt: str) -> bytes:
    try:
        text = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode()
    except (ValueError, RecursionError) as exc:
        raise RefusedError(f"{attempt}: the document cannot be written as JSON") from exc


def _path(db: str, doc_id: str) -> str:
    kind, slash, name = doc_id.partition("/")
    if slash and kind in ("_design", "_local"):
        return f"{quote(db, safe='')}/{kind}/{quote(name, safe='')}"
    return f"{quote(db, safe='')}/{quote(doc_id, safe='')}"


def _parameter(name: str, value: Any) -> str:
    if name in _JSON_PARAMETERS or isinstance(value, bool):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return str(value)
