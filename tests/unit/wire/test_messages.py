from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

import wire
from wire.messages import (
    MAX_BYTES,
    AwsProof,
    Grant,
    MalformedMessage,
    UnknownMessage,
    dump,
    parse,
)

EXAMPLES = sorted((Path(wire.__file__).parent / "examples").glob("*.json"))
KINDS = {"join-request", "grant", "denial", "notice", "leave", "farewell", "heartbeat"}


def example(name: str) -> bytes:
    return next(path for path in EXAMPLES if path.stem == name).read_bytes()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_parses_and_dumps_back_to_itself(path):
    data = path.read_bytes().strip()

    assert dump(parse(data)) == data


def test_every_kind_has_an_example():
    assert {parse(path.read_bytes()).kind for path in EXAMPLES} == KINDS


def test_fields_of_a_later_build_are_ignored():
    later = example("heartbeat").replace(b'"v":1', b'"v":1,"colour":"blue"')

    assert parse(later) == parse(example("heartbeat"))


def test_a_notice_of_the_first_build_is_one_nobody_waits_for():
    first, later = parse(example("notice")), parse(example("notice-maintenance"))

    assert (first.reply, first.event) == (None, None)
    assert (later.reply, later.event) == ("f" * 32, "instance-event-0123456789abcdef0")


def test_a_denial_code_of_a_later_leader_is_a_denial_all_the_same():
    later = parse(example("denial").replace(b"spot-manager", b"full-moon"))

    assert later.code == "full-moon"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(example("heartbeat").replace(b'"v":1', b'"v":2'), id="version"),
        pytest.param(example("heartbeat").replace(b"heartbeat", b"weather"), id="kind"),
        pytest.param(b"{}", id="no kind"),
    ],
)
def test_an_unknown_kind_or_version_is_told_apart(data):
    with pytest.raises(UnknownMessage):
        parse(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not json",
        b"[]",
        b'"grant"',
        example("grant").replace(b'"managers":["10.0.0.1:2377","10.0.0.2:2377"]', b'"managers":[]'),
        example("grant").replace(b"00112233", b"0011ZZ33"),
        example("denial").replace(b'"retry_after_seconds":60', b'"retry_after_seconds":-1'),
        b" " * (MAX_BYTES + 1),
    ],
)
def test_what_is_no_message_is_malformed(data):
    with pytest.raises(MalformedMessage):
        parse(data)


def test_an_error_never_quotes_the_message():
    data = example("grant").replace(b'"drain"', b'"example-join-token"')

    with pytest.raises(MalformedMessage) as caught:
        parse(data)

    assert "example-join-token" not in str(caught.value)
    assert caught.value.__cause__ is None


@given(st.binary(max_size=300))
def test_no_bytes_crash_the_parser(data):
    with pytest.raises(MalformedMessage):
        parse(data)


def test_secrets_show_in_nothing_but_the_dump():
    grant = parse(example("grant"))
    request = parse(example("join-request-aws"))
    assert isinstance(grant, Grant)
    assert isinstance(request.identity, AwsProof)

    for shown in (repr(grant), str(grant), str(grant.model_dump()), repr(request)):
        assert "example-join-token" not in shown
        assert "example-session-token" not in shown
    assert grant.token == SecretStr("example-join-token")
