"""Convert error messages of Docker's command and of the engine's API to our errors.

Rule: an error that a later attempt may not meet is an `UnavailableError`. Any other error is a
`RefusedError`, because it stays until the operator changes something.
"""

from collections.abc import Sequence
from typing import Final

from cli.edges.docker_output import error_line, other_lines
from runtime.errors import ClusterError, RefusedError, UnavailableError

_UNREACHABLE: Final = (
    "cannot connect to the docker daemon",
    "connection refused",
    "connection reset by peer",
    "no such host",
    "error during connect",
    "permission denied while trying to connect",
    "i/o timeout",
    "context deadline exceeded",
    "code = unavailable",
    "the swarm does not have a leader",
    "lost leader status",
    "too few managers are online",
)


def translated(argv: Sequence[str], output: str) -> ClusterError:
    """Return the error for a `docker` command that failed with this output.

    The output's other lines are the error's notes.
    """
    sentence = f"`docker {' '.join(argv[:2])}` failed: {error_line(output)}"
    # Any line can say that the engine is away, not only the last.
    error = type(error_of(output))(sentence)
    for line in other_lines(output):
        error.add_note(line)
    return error


def error_of(sentence: str) -> ClusterError:
    """Return the kind of error that a sentence of Docker's describes."""
    is_unreachable = any(phrase in sentence.lower() for phrase in _UNREACHABLE)
    return UnavailableError(sentence) if is_unreachable else RefusedError(sentence)
