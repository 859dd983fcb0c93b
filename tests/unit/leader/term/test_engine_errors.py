"""What the engine says in an error is scrubbed before anybody sees it."""

import pytest
from aiodocker.exceptions import DockerError

from leader.edges.docker.errors import translated
from runtime.errors import GoneError, RefusedError, UnavailableError

TOKEN = "SWMTKN-1-" + "0" * 50 + "-" + "a" * 25


@pytest.mark.parametrize(
    ("status", "text", "kind"),
    [
        (400, f"invalid token {TOKEN}", RefusedError),
        (404, f"no node {TOKEN}", GoneError),
        (400, "update out of sequence", UnavailableError),
        (400, {"unexpected": TOKEN}, RefusedError),
        (503, None, UnavailableError),
    ],
)
def test_an_engines_error_has_no_token(status, text, kind):
    with pytest.raises(kind) as caught, translated("update the node"):
        raise DockerError(status, text)

    assert str(caught.value).startswith("could not update the node")
    assert "SWMTKN" not in str(caught.value)
