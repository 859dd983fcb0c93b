"""What is contained is counted by path and cause, logged without values, and shown while recent."""

import asyncio

import pytest
from pydantic import BaseModel, ValidationError
from structlog.testing import capture_logs

from runtime import faults as module
from runtime.engine_api import ApiVersion
from runtime.errors import GoneError, RefusedError, UnavailableError
from runtime.faults import RECENT_SECONDS, Faults, cause_of, outline
from runtime.streams import resilient

SECRET = "example-join-token"


class Document(BaseModel):
    number: int


def invalid():
    try:
        Document(number=SECRET)
    except ValidationError as exc:
        return exc
    raise AssertionError


@pytest.fixture
def clock(monkeypatch):
    times = {"now": 1000.0}
    monkeypatch.setattr(module, "monotonic", lambda: times["now"])
    return times


def test_an_exception_ends_only_the_block_and_is_counted():
    counted = []
    faults = Faults(counted.append)

    for _ in range(2):
        with faults.contained("messages"):
            raise KeyError(SECRET)

    assert counted == ["messages", "messages"]
    (row,) = faults.recent()
    assert (row["path"], row["count"]) == ("messages", 2)
    assert row["cause"].startswith("KeyError")


def test_some_exceptions_pass():
    with pytest.raises(UnavailableError), Faults().contained("x", passing=(UnavailableError,)):
        raise UnavailableError("away")


async def test_a_cancellation_is_never_contained():
    with pytest.raises(asyncio.CancelledError), Faults().contained("x"):
        raise asyncio.CancelledError


@pytest.mark.usefixtures("clock")
def test_the_log_has_the_traceback_but_no_value_of_any_exception():
    faults = Faults()
    with capture_logs() as logs, faults.contained("messages"):
        try:
            raise invalid()
        except ValidationError as exc:
            raise LookupError(SECRET) from exc

    (line,) = logs
    assert "ValidationError" in line["traceback"]
    assert "LookupError" in line["traceback"]
    assert "test_faults.py" in line["traceback"]
    assert SECRET not in str(logs)
    assert SECRET not in str(faults.recent())


def test_a_cause_is_logged_once_a_minute_and_shown_while_it_continues(clock):
    faults = Faults()

    def fail():
        with faults.contained("messages"):
            raise KeyError

    with capture_logs() as logs:
        fail()
        clock["now"] += 59
        fail()
        assert len(logs) == 1
        clock["now"] += 1
        fail()
    assert [line["times"] for line in logs] == [1, 2]
    clock["now"] += RECENT_SECONDS - 1
    assert len(faults.recent()) == 1
    clock["now"] += 1
    assert faults.recent() == []


def test_each_member_of_a_group_is_a_fault_of_its_own():
    faults = Faults()
    with faults.contained("x"):
        raise ExceptionGroup("two", [KeyError(), ExceptionGroup("one", [OSError()])])

    assert {row["cause"] for row in faults.recent()} == {"KeyError", "OSError"}


def test_memory_does_not_grow_with_the_number_of_causes():
    faults = Faults()
    for number in range(1000):
        with faults.contained(f"path {number}"):
            raise KeyError
    assert len(faults.recent()) == 200


def test_rows_that_cannot_be_read_are_left_out():
    faults = Faults()
    rows, unread = faults.readable("rows", ["1", "x", "2"], int)

    assert (rows, unread) == ([1, 2], ["x"])
    assert faults.recent()[0]["path"] == "rows"


def test_a_cause_names_the_innermost_line_of_ours():
    with pytest.raises(RefusedError) as caught:
        ApiVersion.parse("x")

    assert cause_of(caught.value).startswith("RefusedError at runtime/engine_api.py:")


def test_an_outline_names_what_an_exception_was_raised_after():
    with pytest.raises(LookupError) as caught:
        raise LookupError(SECRET) from invalid()

    lines = outline(caught.value).splitlines()
    assert lines[-1] == "ValidationError"
    assert "LookupError" in lines


async def followed(*outcomes, **options):
    """Follow a stream that ends in these ways, and then is cancelled."""
    waiting = list(outcomes)

    async def follow():
        if not waiting:
            raise asyncio.CancelledError
        outcome = waiting.pop(0)
        if outcome is not None:
            raise outcome

    with pytest.raises((asyncio.CancelledError, Exception)) as caught:
        await resilient("test", follow, ceiling=0.01, **options)
    return caught.value, waiting


async def test_a_stream_with_faults_is_reopened_after_any_error():
    faults = Faults()
    outcomes = (KeyError(SECRET), RefusedError("no"), UnavailableError("away"), None)
    end, waiting = await followed(*outcomes, faults=faults)

    assert isinstance(end, asyncio.CancelledError)
    assert waiting == []
    assert [row["path"] for row in faults.recent()] == ["test"]


@pytest.mark.parametrize("error", [GoneError("gone"), KeyError("x")])
async def test_a_stream_ends_by_the_errors_that_concern_it(error):
    end, _ = await followed(error, faults=Faults(), ends=(GoneError, KeyError))
    assert end is error


async def test_a_stream_without_faults_ends_by_any_error_but_unavailable():
    error = RefusedError("no")
    end, _ = await followed(UnavailableError("away"), error)
    assert end is error
