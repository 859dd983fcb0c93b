"""The encodings and the lines of .env files."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cli.deploy.reading.text_files import decoded, variables
from cli.deploy.stackfile.errors import StackError

TEXT = "# café\nDOMAIN=swarm.example\nVERSION=1\n"
VALUES = {"DOMAIN": "swarm.example", "VERSION": "1"}


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(),
        TEXT.encode("utf-8-sig"),
        TEXT.encode("utf-16"),
        b"\xfe\xff" + TEXT.encode("utf-16-be"),
        TEXT.replace("\n", "\r\n").encode(),
    ],
    ids=["utf-8", "bom", "utf-16", "utf-16-be", "crlf"],
)
def test_the_encodings_of_editors_and_of_powershell_are_read(content: bytes) -> None:
    assert variables(content, ".env") == VALUES


@pytest.mark.parametrize(
    ("content", "line"),
    [(TEXT.encode("latin-1"), 1), (b"A=1\nB=\xff\n", 2), (TEXT.encode("utf-16-le"), 1)],
)
def test_another_encoding_is_named_with_its_line(content: bytes, line: int) -> None:
    with pytest.raises(StackError) as caught:
        variables(content, "latin.env")
    assert str(caught.value) == f"latin.env is no UTF-8 (line {line}): save it as UTF-8"


def test_quotes_comments_and_exports_are_read() -> None:
    text = b"export A='it''s'\nA='one # two'\nB=\"a\\nb\" # c\nC=x # y\nD=\nE\nF=#x\nG=a$b\n"
    with pytest.raises(StackError, match=r".env, line 1: this is no NAME=VALUE; check the quotes"):
        variables(text, ".env")
    assert variables(text.partition(b"\n")[2], ".env") == {
        "A": "one # two",
        "B": "a\nb",
        "C": "x",
        "D": "",
        "F": "#x",
        "G": "a$b",
    }


def test_a_line_that_cannot_be_read_is_named_without_its_value() -> None:
    with pytest.raises(StackError) as caught:
        variables(b"A=1\n\nPASSWORD='hush\nB=2\n", ".env")
    assert str(caught.value).startswith(".env, line 3: ")
    assert "hush" not in str(caught.value)


@given(
    st.binary(max_size=40) | st.text(max_size=40).map(lambda text: text.encode("utf-8", "replace"))
)
@example(b"\xff\xfe\x00")
@example(b"\xff\xfe\x00\xd8")
@example(b"='\n=")
@example(b'A="\\x"')
def test_any_file_is_variables_or_an_error_that_names_it(content: bytes) -> None:
    problem, values = "", {}
    try:
        values = variables(content, ".env")
    except StackError as error:
        problem = str(error)
    assert all(line.startswith(".env") for line in problem.splitlines())
    assert all(isinstance(value, str) and name for name, value in values.items())
    assert problem or "\0" not in decoded(content, ".env")
