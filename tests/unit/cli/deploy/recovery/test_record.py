"""The record survives the way into the swarm and back, and nothing else is taken for one."""

import base64
import json
import zlib
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from randomness import at_most

from cli.deploy.recovery.record import Before, Record, decoded, encoded, name_of, record_of
from cli.progress.services import ServiceProgress

AT = datetime(2026, 11, 30, 12, tzinfo=UTC)
SPEC = {"Name": "shop_web", "TaskTemplate": {"ContainerSpec": {"Image": "web:1"}}}
RECORD = Record("shop", AT, "root@m1", {"shop_web": Before("s1", SPEC, 2)})

texts = st.text(max_size=8)
values = st.none() | st.booleans() | st.integers() | texts | st.lists(texts, max_size=2)


@at_most(15)
@given(st.dictionaries(texts, st.dictionaries(texts, values, max_size=3), max_size=3), texts)
def test_a_record_is_read_as_it_was_written(specs: dict[str, Any], by: str) -> None:
    befores = {
        name: Before("id", spec | {"TaskTemplate": {}}, number)
        for number, (name, spec) in enumerate(specs.items())
    }
    record = Record("shop", AT, by, befores)
    assert decoded(encoded(record)) == record


def packed(table: Any) -> bytes:
    return base64.b64encode(zlib.compress(json.dumps(table).encode()))


TABLE = json.loads(zlib.decompress(base64.b64decode(encoded(RECORD))))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"what",
        base64.b64encode(b"what"),
        packed(7),
        packed([]),
        packed(TABLE | {"v": 2}),
        packed(TABLE | {"begun": "yesterday"}),
        packed(TABLE | {"begun": None}),
        packed(TABLE | {"services": None}),
        packed(TABLE | {"services": {"a": {"id": 1}}}),
        packed(TABLE | {"services": {"a": {"id": "s", "spec": {}, "running": 1}}}),
        packed(TABLE | {"services": {"a": {"id": "s", "spec": 7, "running": 1}}}),
    ],
)
def test_content_that_is_no_record_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  every reason is a ValueError
        decoded(content)


@at_most(60)
@given(st.binary(max_size=60))
def test_no_content_raises_anything_else(content: bytes) -> None:
    for candidate in (content, base64.b64encode(content), packed(content.decode("latin-1"))):
        with pytest.raises(ValueError):  # noqa: PT011
            decoded(candidate)


def test_a_service_that_was_made_anew_has_no_earlier_state() -> None:
    row = {"ID": "s1", "Spec": SPEC}
    assert RECORD.of(row) == RECORD.services["shop_web"]
    assert RECORD.of(row | {"ID": "s2"}) is None


def test_how_many_tasks_ran_is_part_of_what_a_service_was() -> None:
    progress = ServiceProgress("shop_web", "web:1", "waiting", running=1, wanted=2, update="")
    record = record_of("shop", [{"ID": "s1", "Spec": SPEC}], [progress], at=AT, by="root@m1")
    assert record.services["shop_web"] == Before("s1", SPEC, 1)


@pytest.mark.parametrize("stack", ["shop", "a" * 43, "a" * 44, "a" * 61])
def test_the_configs_name_is_one_that_swarm_accepts(stack: str) -> None:
    assert len(name_of(stack)) <= 64
    assert name_of(stack) != name_of(stack[:-1] + "b")
