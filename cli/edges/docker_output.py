"""Separate what went wrong from the other lines that Docker's client prints.

Rule: our error is the last thing that the operator sees. Docker's other lines come before it,
indented.
"""

from typing import Final

_INDENT: Final = "    "
_REMARKS: Final = ('time="', "Ignoring ", "Creating ", "Updating ", "Removing ", "See 'docker")


def error_line(output: str) -> str:
    """Return the line of the output that says what went wrong."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if not line.startswith(_REMARKS)]
    return (errors or lines or ["no error message"])[-1]


def other_lines(output: str) -> list[str]:
    """Return all other lines of the output, without repetitions and indented."""
    error = error_line(output)
    lines = dict.fromkeys(line.strip() for line in output.splitlines())
    return [f"{_INDENT}{line}" for line in lines if line and line != error]


def indented(output: str) -> str:
    """Return all lines of the output, indented."""
    return "\n".join(f"{_INDENT}{line.strip()}" for line in output.splitlines() if line.strip())
