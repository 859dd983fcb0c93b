"""What the operator sees of Docker's output: the error last, everything else before it."""

from cli.edges.docker_output import error_line, indented, other_lines
from cli.edges.stack_command import StackFiles, _sentence

OUTPUT = """Ignoring unsupported options: build, restart

time="2026-11-30T19:21:17Z" level=warning msg="network default: deprecated"
Creating network services_default
failed to create service services_web: no such image
"""


def test_the_error_is_the_last_line_that_is_no_remark() -> None:
    assert error_line(OUTPUT) == "failed to create service services_web: no such image"
    assert error_line(OUTPUT + "Creating service services_api\n") == error_line(OUTPUT)
    assert error_line("Creating network x\n") == "Creating network x"
    assert error_line("") == "no error message"
    assert [line.strip()[:8] for line in other_lines(OUTPUT)] == [
        "Ignoring",
        'time="20',
        "Creating",
    ]
    assert all(line.startswith("    ") for line in indented(OUTPUT).splitlines())


def test_an_unknown_key_is_named_with_its_place() -> None:
    sentence = _sentence("services.web Additional property foo is not allowed")
    assert sentence.startswith("services.web.foo: docker stack knows no such key")
    assert _sentence("(root) Additional property foo is not allowed").startswith("foo: docker")
    assert 'version: "3.8"' in _sentence("unsupported Compose file version: 1.0")


def test_docker_reads_the_first_document_from_standard_input(tmp_path) -> None:
    files = StackFiles(tmp_path, "", (tmp_path / "1.yml",))
    assert files.options == ["--compose-file=-", f"--compose-file={tmp_path}/1.yml"]
