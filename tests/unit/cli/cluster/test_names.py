import pytest
from typer.testing import CliRunner

from cli.__main__ import app


@pytest.mark.parametrize("command", ["drain", "return", "explain"])
@pytest.mark.parametrize("name", ["", "  ", ".", ".."])
def test_what_cannot_be_a_name_is_refused_before_anybody_is_asked(command, name):
    """B6: `spotswarm drain ""` asked for a path that does not exist."""
    done = CliRunner().invoke(app, [command, name])

    assert done.exit_code == 2, done.output
    assert "is not a name" in " ".join(done.output.replace("│", " ").split())
