"""YAML is read as Docker's client reads it, and written so that Docker reads the same values."""

from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from randomness import at_most

from cli.deploy.stackfile.errors import StackError
from cli.deploy.stackfile.syntax import reader
from cli.deploy.stackfile.syntax.reader import parse
from cli.deploy.stackfile.syntax.scalars import Plain, is_ambiguous, is_true, value_of
from cli.deploy.stackfile.syntax.writer import write


def error_of(text: str) -> str:
    with pytest.raises(StackError) as caught:
        parse(text, "services.yml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("FALSE", False),
        ("80", 80),
        ("-5", -5),
        ("0", 0),
        ("0444", 0o444),
        ("0.50", 0.5),
        ("web", "web"),
        ("10m", "10m"),
        ("9443:http", "9443:http"),
    ],
)
def test_a_scalar_on_which_all_readers_agree_has_its_value(text: str, value: Any) -> None:
    assert value_of(text) == value
    assert not isinstance(value_of(text), Plain)


@pytest.mark.parametrize(
    "text",
    [
        *("2222:22", "1:30", "1e3", "1_000", "0o17", "0x1F", ".5", "5.", "2001-12-14", "+.inf"),
        *("yes", "off", "y", "N", "On", "+_88", "12345678901234567890", "1.2345678901234567", "08"),
    ],
)
def test_a_scalar_that_readers_take_for_different_values_is_left_to_docker(text: str) -> None:
    document = parse(f"a: {text}\nb: '{text}'\n", "services.yml")
    assert document == {"a": text, "b": text}
    assert isinstance(document["a"], Plain)
    assert not isinstance(document["b"], Plain)
    assert write(document) == f"a: {text}\nb: '{text}'\n"


def test_ports_without_quotes_are_no_numbers_of_base_60() -> None:
    document = parse("ports: [2222:22, 9443:443]", "services.yml")
    assert document == {"ports": ["2222:22", "9443:443"]}
    assert write(document) == "ports:\n- 2222:22\n- 9443:443\n"


def test_a_word_is_true_if_some_client_reads_it_as_true() -> None:
    assert is_true(True)
    assert is_true(Plain("yes"))
    assert not is_true("yes")
    assert not is_true(Plain("no"))


def test_a_document_with_such_scalars_can_be_written_with_pyyaml_itself() -> None:
    assert yaml.safe_dump({"a": Plain("1e3")}) == "a: 1e3\n"


def test_a_key_that_is_defined_twice_is_refused_with_both_lines() -> None:
    error = error_of("services:\n  web:\n    tty: true\n    image: x\n    tty: false\n  web: {}\n")
    first, second = error.splitlines()
    assert first == (
        "services.yml: services.web: the key tty is defined on line 3 and again on line 5; keep"
        " one of them"
    )
    assert second.startswith(
        "services.yml: services: the key web is defined on line 2 and again on line 6"
    )
    assert "the key << is defined on line 2" in error_of("a: &a {b: 1}\n<<: *a\n<<: *a\n")
    assert "the key web is defined" in error_of("web: 1\n'web': 2\n")


def test_anchors_and_merge_keys_are_expanded() -> None:
    document = parse(
        "x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz: {<<: [*x, *y], c: 3}\nw: {c: 4, <<: *y}\n",
        "services.yml",
    )
    assert document["z"] == {"a": 1, "b": 1, "c": 3}
    assert document["w"] == {"b": 2, "c": 4}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("services: [", "services.yml, line 1: the text is no valid YAML"),
        ("a: b\n\tc: d", "services.yml, line 2: the text is no valid YAML"),
        ("a: 'b", "services.yml, line 1: the text is no valid YAML"),
        ("a: *b", "services.yml, line 1: the text is no valid YAML"),
        ("a: b\nc: \x07", "services.yml, line 2: the text contains a control character"),
        ("a: 1\n---\nb: 2\n", "services.yml, line 2: a second document begins here"),
        ("", "services.yml is empty"),
        ("- a\n", "services.yml: the top level must be a table"),
        ("a: &a [*a]\n", "services.yml, line 1: an anchor contains itself"),
        ("a: !reset b\n", "services.yml, line 1: a has the tag !reset"),
        ("a: !!binary aGk=\n", "services.yml, line 1: the value with the tag !!binary"),
        ("a: {1: b}\n", "services.yml, line 1: a: the key 1 is no text; put it in quotes"),
        ("? [a]\n: b\n", "services.yml, line 1: the top level: the key that is a list or a table"),
        ("a: {<<: b}\n", "services.yml, line 1: a: << must name tables"),
        ('a: "\\ud800"\n', "services.yml, line 1: the text is no valid YAML: an escape is no"),
        ("[" * 100, "services.yml, line 1: the text is no valid YAML"),
        ("a: " + "[" * 100 + "]" * 100, "services.yml, line 1: the text is nested too deeply"),
        ("a: " + "[" * 600, "services.yml"),
    ],
)
def test_what_is_no_stack_file_is_refused_with_its_line(text: str, error: str) -> None:
    assert error in error_of(text)


def test_a_text_that_expands_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "_LARGEST", 1000)
    lines = ["a: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    assert "the anchors expand to more than 1,000 values" in error_of("\n".join(lines))


SCALARS = st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.text(max_size=8)
DOCUMENTS = st.dictionaries(
    st.text(max_size=4),
    st.recursive(
        SCALARS,
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
        ),
        max_leaves=8,
    ),
    max_size=3,
)


@at_most(50)
@given(DOCUMENTS)
@example({"a": "1e3", "2222:22": "y"})
@example({"<<": "=", "a": ["~", "", " x ", "- b", "#", "a\nb\n", "\x85", "\U0001f600"]})
def test_what_is_written_is_read_as_the_same_values(document: dict[str, Any]) -> None:
    if not all(_is_readable(text) for text in _texts(document)):
        return
    read = parse(write(document), "services.yml")
    assert read == document


@given(st.text(alphabet="ab:-[]{}&*<>!'\"|#\n 01~.?,@", max_size=30))
@example("a: &a\n  b: *a")
@example("<<: [{a: 1}, b]")
@example("? a\n: !!map {}")
def test_any_text_is_a_document_or_an_error_that_names_the_file(text: str) -> None:
    problem, document = "services.yml", {}
    try:
        document = parse(text, "services.yml")
    except StackError as error:
        problem = str(error)
    assert problem.startswith("services.yml")
    assert parse(write(document), "services.yml") == document


@given(st.text(max_size=12))
@example("1:2:3")
def test_a_text_that_another_reader_resolves_is_ambiguous(text: str) -> None:
    resolved = yaml.SafeLoader("").resolve(yaml.ScalarNode, text, (True, False))
    kinds = {f"tag:yaml.org,2002:{kind}" for kind in ("int", "float", "bool", "timestamp")}
    assert is_ambiguous(text) or resolved not in kinds


def _texts(value: Any) -> list[Any]:
    match value:
        case dict():
            return [text for item in (*value, *value.values()) for text in _texts(item)]
        case list():
            return [text for item in value for text in _texts(item)]
    return [value]


def _is_readable(value: Any) -> bool:
    """YAML has no numbers of any length, and no surrogates."""
    if isinstance(value, int):
        return abs(value) < 10**18
    return not (isinstance(value, str) and any("\ud800" <= c <= "\udfff" for c in value))
