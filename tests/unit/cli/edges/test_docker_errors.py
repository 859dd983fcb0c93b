"""Which of our errors an output of Docker's command becomes, and what of it the operator sees."""

import pytest

from cli.edges.docker_errors import translated
from runtime.errors import RefusedError, UnavailableError

COMMAND = ("stack", "deploy", "--compose-file=-")


@pytest.mark.parametrize(
    ("output", "kind"),
    [
        ("Creating network x\nfailed to create service x: no such image\n", RefusedError),
        ("Cannot connect to the Docker daemon at tcp://m1:2375.\n", UnavailableError),
        ("Cannot connect to the Docker daemon at tcp://m1:2375.\nSee the log.\n", UnavailableError),
        ("", RefusedError),
    ],
)
def test_an_error_is_of_the_kind_that_any_line_of_the_output_says(output: str, kind: type) -> None:
    assert type(translated(COMMAND, output)) is kind


def test_the_error_has_one_line_and_the_others_are_its_notes() -> None:
    error = translated(COMMAND, "Creating network x\nfailed to create service x: no such image\n")
    assert str(error) == "`docker stack deploy` failed: failed to create service x: no such image"
    assert error.__notes__ == ["    Creating network x"]
