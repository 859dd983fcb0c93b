"""CouchDB over HTTP: documents, views, changes.

Rule: this is the only module that knows CouchDB's paths and status codes. Sequence numbers are
opaque (CouchDB's are texts, its stand-in's are numbers): keep them and give them back, no more.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import aiohttp
from pydantic import SecretStr

from runtime.errors import ClusterError, GoneError, RefusedError, UnavailableError

Document = dict[str, Any]
Place = int | str
"""In the order of changes."""
_SLACK_SECONDS: Final = 2.0
"""How much longer than it was asked to wait the database may take to answer."""
_NOTHING: Final = object()
_JSON_PARAMETERS: Final = frozenset({"key", "keys", "startkey", "endkey"})


class ConflictError(ClusterError):
    """Somebody wrote the document since it was read: read it again, then decide again."""


@dataclass(frozen=True, slots=True)
class Change:
    """A document as it is now; `doc` is None unless it was asked for."""

    seq: Place
    id: str
    is_deleted: bool
    doc: Document | None


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed, oldest first, and where to go on from."""

    last_seq: Place
    rows: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Written:
    """One document's fate in `bulk`; it has a revision or an error."""

    id: str
    rev: str | None
    error: str | None


class Couch:
    """One CouchDB server; the session is the caller's, and bounded by it."""

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
        """None when the server answers, else a sentence: for a service's readiness."""
        try:
            await self._ask("GET", "", "looking for CouchDB")
        except ClusterError as exc:
            return str(exc)
        return None

    async def ensure_database(self, name: str) -> None:
        """Make the database unless it is there."""
        try:
            await self._ask("PUT", quote(name, safe=""), f"making database {name}")
        except _ExistsError:
            return

    async def get(self, db: str, doc_id: str) -> Document:
        """The document as it is now.

        Raises:
            GoneError: there is none, or no such database.
        """
        return _object(await self._ask("GET", _path(db, doc_id), f"reading {doc_id}"))

    async def put(self, db: str, doc: Mapping[str, Any]) -> str:
        """Write one document over the revision it carries; returns the new revision.

        Raises:
            ConflictError: the revision is not the newest.
        """
        doc_id = str(doc["_id"])
        told = await self._ask("PUT", _path(db, doc_id), f"writing {doc_id}", body=doc)
        return str(_object(told)["rev"])

    async def bulk(self, db: str, docs: Sequence[Mapping[str, Any]]) -> list[Written]:
        """Write many at once, each for itself: a conflict is told in its row, never raised."""
        if not docs:
            return []
        told = await self._ask(
            "POST", f"{quote(db, safe='')}/_bulk_docs", "writing documents", body={"docs": docs}
        )
        return [Written(row["id"], row.get("rev"), row.get("error")) for row in told]

    async def view(self, db: str, design: str, view: str, **params: Any) -> list[dict[str, Any]]:
        """The rows of a view; keys are given as values, everything else as CouchDB names it."""
        given = {name: _parameter(name, value) for name, value in params.items()}
        path = f"{quote(db, safe='')}/_design/{design}/_view/{view}"
        told = await self._ask("GET", path, f"reading view {view}", params=given)
        return list(_object(told)["rows"])

    async def changes(
        self,
        db: str,
        since: Place = 0,
        *,
        limit: int = 100,
        wait_seconds: float = 0.0,
        include_docs: bool = False,
    ) -> Changes:
        """What changed after `since`; waits so long for a first change when there is none.

        Design documents are left out, but `last_seq` is past them.
        """
        params = {"since": str(since), "limit": str(limit), "style": "main_only"}
        if include_docs:
            params["include_docs"] = "true"
        if wait_seconds > 0:
            params |= {"feed": "longpoll", "timeout": str(int(wait_seconds * 1000))}
        told = await self._ask(
            "GET",
            f"{quote(db, safe='')}/_changes",
            "reading changes",
            params=params,
            wait_seconds=wait_seconds,
        )
        if told is _NOTHING:
            return Changes(since, ())
        rows = tuple(
            Change(row["seq"], row["id"], bool(row.get("deleted")), row.get("doc"))
            for row in told["results"]
            if not row["id"].startswith("_design/")
        )
        return Changes(told["last_seq"], rows)

    async def local(self, db: str, name: str) -> Document | None:
        """A document that is neither replicated nor seen in changes: a reader's place."""
        try:
            return await self.get(db, f"_local/{name}")
        except GoneError:
            return None

    async def put_local(self, db: str, name: str, body: Mapping[str, Any]) -> None:
        """Write a local document, whatever is there: it has one writer."""
        before = await self.local(db, name)
        rev = {"_rev": before["_rev"]} if before and "_rev" in before else {}
        await self.put(db, {**body, "_id": f"_local/{name}", **rev})

    async def ensure_design(self, db: str, design: Mapping[str, Any]) -> None:
        """Write a design document unless it is there as it should be.

        One with a higher `version` stays: during an update old and new programs run side by
        side, and each change of a design makes the database index everything anew.
        """
        try:
            there = await self.get(db, design["_id"])
        except GoneError:
            there = {}
        rev = there.pop("_rev", None)
        if there == dict(design) or there.get("version", 0) > design.get("version", 0):
            return
        try:
            await self.put(db, {**design, **({"_rev": rev} if rev else {})})
        except ConflictError:
            # Another program of ours starts at the same moment, and writes the same.
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
            data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
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
                    # It answered and is silent: the stand-in waits longer than it is told to.
                    if wait_seconds:
                        return _NOTHING
                    raise
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            raise UnavailableError(f"{attempt}: CouchDB does not answer") from exc
        if status >= 400:
            raise _error(status, attempt)
        try:
            return json.loads(content)
        except ValueError as exc:
            raise UnavailableError(f"{attempt}: CouchDB's answer is not JSON") from exc


class _ExistsError(RefusedError):
    """412: the database is there already."""


def _error(status: int, attempt: str) -> ClusterError:
    told = f"{attempt}: CouchDB answered {status}"
    match status:
        case 404:
            return GoneError(told)
        case 409:
            return ConflictError(told)
        case 412:
            return _ExistsError(told)
        case 408 | 429:
            return UnavailableError(told)
        case _ if status >= 500:
            return UnavailableError(told)
    return RefusedError(told)


def _path(db: str, doc_id: str) -> str:
    kind, slash, name = doc_id.partition("/")
    if slash and kind in ("_design", "_local"):
        return f"{quote(db, safe='')}/{kind}/{quote(name, safe='')}"
    return f"{quote(db, safe='')}/{quote(doc_id, safe='')}"


def _parameter(name: str, value: Any) -> str:
    if name in _JSON_PARAMETERS or isinstance(value, bool):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return str(value)


def _object(told: Any) -> dict[str, Any]:
    if not isinstance(told, dict):
        raise UnavailableError("CouchDB answered something else than it should")
    return told
