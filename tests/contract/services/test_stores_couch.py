"""The client of CouchDB: documents, changes, designs, and outages."""

import asyncio
from typing import Any

import pytest

from runtime.errors import GoneError, UnavailableError
from services.stores.couch import Changes, ConflictError, Couch

DB = "things"


@pytest.fixture
async def things(couch: Couch) -> Couch:
    await couch.ensure_database(DB)
    return couch


async def test_creating_an_existing_database_does_nothing(things: Couch) -> None:
    await things.put(DB, {"_id": "a", "kept": True})
    await things.ensure_database(DB)
    assert (await things.get(DB, "a"))["kept"] is True


async def test_a_missing_document_is_gone(things: Couch) -> None:
    with pytest.raises(GoneError):
        await things.get(DB, "nothing")
    with pytest.raises(GoneError):
        await things.get("no-database", "nothing")


@pytest.mark.parametrize("name", ["a/b", "a?b#c", "ä ö", "%2F", "a+b"])
async def test_any_text_can_be_an_id(things: Couch, name: str) -> None:
    await things.put(DB, {"_id": name, "value": name})
    assert (await things.get(DB, name))["value"] == name


async def test_an_old_revision_conflicts(things: Couch) -> None:
    first = await things.put(DB, {"_id": "a"})
    await things.put(DB, {"_id": "a", "_rev": first, "n": 2})
    with pytest.raises(ConflictError):
        await things.put(DB, {"_id": "a", "_rev": first, "n": 3})


async def test_bulk_writes_are_independent(things: Couch) -> None:
    await things.put(DB, {"_id": "a"})
    told = await things.bulk(DB, [{"_id": "a"}, {"_id": "b"}])
    assert [(one.id, one.error) for one in told] == [("a", "conflict"), ("b", None)]
    assert await things.bulk(DB, []) == []


async def test_changes_continue_where_they_ended(things: Couch) -> None:
    for name in "abc":
        await things.put(DB, {"_id": name})
    first = await things.changes(DB, limit=2)
    assert [row.id for row in first.rows] == ["a", "b"]
    rest = await things.changes(DB, first.last_seq, include_docs=True)
    assert [(row.id, row.doc["_id"] if row.doc else None) for row in rest.rows] == [("c", "c")]
    assert (await things.changes(DB, rest.last_seq)).rows == ()


async def test_waiting_for_changes_ends_with_the_first_one_or_with_the_time_out(
    things: Couch, eventually: Any
) -> None:
    start = (await things.changes(DB)).last_seq

    async def after_the_wait() -> Changes | None:
        try:
            return await things.changes(DB, start, wait_seconds=0.2)
        except UnavailableError:
            return None

    assert (await eventually(after_the_wait)).rows == ()
    waiting = asyncio.create_task(things.changes(DB, start, wait_seconds=600))
    await things.put(DB, {"_id": "late"})
    async with asyncio.timeout(60):
        assert [row.id for row in (await waiting).rows] == ["late"]


async def test_a_deleted_document_is_a_change_but_a_design_is_not(things: Couch) -> None:
    rev = await things.put(DB, {"_id": "a"})
    await things.put(DB, {"_id": "a", "_rev": rev, "_deleted": True})
    await things.put(DB, {"_id": "_design/some", "views": {}})
    assert [(row.id, row.is_deleted) for row in (await things.changes(DB)).rows] == [("a", True)]


async def test_a_local_document_is_stored_and_is_not_a_change(things: Couch) -> None:
    assert await things.local(DB, "reader") is None
    for seq in (1, "2-abc"):
        await things.put_local(DB, "reader", {"seq": seq})
        kept = await things.local(DB, "reader")
        assert kept is not None
        assert kept["seq"] == seq
    assert (await things.changes(DB)).rows == ()


async def test_a_design_is_written_when_it_differs_and_never_over_a_newer_one(
    things: Couch,
) -> None:
    design: dict[str, Any] = {
        "_id": "_design/some",
        "version": 2,
        "views": {"all": {"map": "function (doc) { emit(doc._id); }"}},
    }

    async def rev() -> str:
        return str((await things.get(DB, "_design/some"))["_rev"])

    await things.ensure_design(DB, design)
    first = await rev()
    await things.ensure_design(DB, design)
    await things.ensure_design(DB, design | {"version": 1, "views": {}})
    assert await rev() == first
    await things.ensure_design(DB, design | {"version": 3})
    assert await rev() != first


async def test_a_stopped_database_is_unavailable_until_it_starts(
    things: Couch, stores: Any
) -> None:
    await things.put(DB, {"_id": "a"})
    assert await things.check() is None
    await stores.stop("couch")
    with pytest.raises(UnavailableError, match="CouchDB did not respond"):
        await things.get(DB, "a")
    assert await things.check() == "checking CouchDB: CouchDB did not respond"
    await stores.start("couch")
    assert (await things.get(DB, "a"))["_id"] == "a"
