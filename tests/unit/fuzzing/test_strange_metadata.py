"""Whatever the metadata service answers, the agent reads it or says that it cannot."""

import json
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from randomness import at_most
from strange import VALUES, mutated, text_of

from agent.edges.metadata import Metadata
from agent.notices import INTERRUPTION, MAINTENANCE, REBALANCE, NoticeBoard, read, update
from runtime import clock
from runtime.errors import UnavailableError
from wire.messages import MalformedMessage

CREDENTIALS = {
    "Code": "Success",
    "AccessKeyId": "ASIAEXAMPLEEXAMPLE00",
    "SecretAccessKey": "example-secret-key",
    "Token": "example-session-token",
    "Expiration": "2099-01-01T00:00:00Z",
}
NOTICES = {
    INTERRUPTION: {"action": "terminate", "time": "2026-11-23T20:02:00Z"},
    REBALANCE: {"noticeTime": "2026-11-23T20:02:00Z"},
    MAINTENANCE: [
        {
            "EventId": "instance-event-0123456789abcdef0",
            "Code": "instance-stop",
            "NotBefore": "26 Nov 2026 09:00:43 GMT",
            "State": "active",
        }
    ],
}
TEXTS = VALUES.map(text_of) | st.text(max_size=20) | st.sampled_from(["[" * 100_000, "9" * 5000])


def credentials(text):
    """Read the credentials from a metadata service with this document."""
    metadata = Metadata()
    metadata._get = lambda path: text if path.endswith("role") else "role"
    return metadata._read_credentials()


def test_credentials_of_the_documented_form_are_read():
    assert credentials(json.dumps(CREDENTIALS)).access_key == "ASIAEXAMPLEEXAMPLE00"


@example(json.dumps(CREDENTIALS | {"Expiration": "9999-12-31T23:59:59-23:59"}))
@example(json.dumps(CREDENTIALS | {"Expiration": None}))
@example("[]")
@given(mutated(CREDENTIALS).map(text_of) | TEXTS)
@at_most(60)
def test_no_credentials_raise_anything_but_unavailable_and_none_are_quoted(text):
    try:
        made = credentials(text)
    except UnavailableError as exc:
        shown = f"{exc} {exc.__cause__}"
    else:
        shown = repr(made)
    assert "example-" not in shown


@given(st.sampled_from(list(NOTICES)), TEXTS | st.none())
@at_most(40)
def test_no_text_is_more_than_malformed(path, text):
    _reads(path, text)


@given(
    st.sampled_from(list(NOTICES)).flatmap(
        lambda path: st.tuples(st.just(path), mutated(NOTICES[path]))
    )
)
@at_most(60)
def test_no_document_is_more_than_malformed(drawn):
    path, document = drawn
    _reads(path, text_of(document))


def _reads(path, text):
    try:
        notices = read(path, text)
    except MalformedMessage:
        return
    board, _ = update(NoticeBoard(), path, notices, clock.now())
    assert len(board.standing) <= len(notices)
    assert all(str(standing.notice) for standing in board.standing)


@given(st.binary(max_size=60))
@at_most(20)
def test_no_bytes_of_an_http_answer_raise_anything_but_unavailable(data):
    class Connection:
        def __init__(self, *_args, **_named):
            pass

        def request(self, *_args, **_named):
            pass

        def getresponse(self):
            return self

        status = 200

        def read(self, most):
            return data[:most]

        def close(self):
            pass

    with pytest.MonkeyPatch.context() as patch, suppress(UnavailableError):
        patch.setattr("http.client.HTTPConnection", Connection)
        Metadata()._get("/latest/meta-data/instance-id")
