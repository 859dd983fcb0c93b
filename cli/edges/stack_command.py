"""Have Docker's client read stack files, without an engine and without a change.

Rule: clients that have `docker stack config` read with it. Older clients read the files with
`docker stack deploy` and an engine that does not exist, because they read before they connect.
"""

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cli.edges.docker_output import error_line
from runtime.errors import UnavailableError

_SECONDS: Final = 60.0
_NO_ENGINE: Final = {"DOCKER_HOST": "unix:///dev/null/no-engine.sock"}
_CONNECTION: Final = frozenset({"DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"})
_DIRECTORIES: Final = ("DOCKER_CERT_PATH", "DOCKER_CONFIG")
_OLD_CLIENT: Final = ("unknown flag", "unknown shorthand flag", "unknown command")
_NOT_CONNECTED: Final = ("cannot connect to the docker daemon", "error during connect")
_UNKNOWN_KEY: Final = re.compile(r"(?P<place>\S+) Additional property (?P<key>.+) is not allowed")
_NO_VERSION: Final = "unsupported Compose file version: 1.0"


@dataclass(frozen=True)
class StackFiles:
    """The documents of a stack, as Docker's client gets them."""

    directory: Path
    """Docker resolves relative paths from here."""
    text: str
    """The first document, for standard input."""
    others: tuple[Path, ...] = ()
    """The files of the documents that Docker merges into the first."""

    @property
    def options(self) -> list[str]:
        """The options that name the documents."""
        return ["--compose-file=-", *(f"--compose-file={path}" for path in self.others)]


def environment() -> dict[str, str]:
    """Return the environment for a client that runs in another directory."""
    changed = dict(os.environ)
    for name in _DIRECTORIES:
        if changed.get(name):
            changed[name] = str(Path(changed[name]).absolute())
    return changed


def problem_of(stack: str, files: StackFiles) -> str:
    """Return why Docker's client does not accept the documents, or an empty string if it does.

    Raises:
        UnavailableError: if there is no `docker` command, or it does not end.
    """
    process = _run(["config", *files.options], files, environment())
    if not process.returncode:
        return ""
    if any(phrase in process.stderr.lower() for phrase in _OLD_CLIENT):
        variables = {
            name: value for name, value in environment().items() if name not in _CONNECTION
        }
        process = _run(["deploy", *files.options, stack], files, variables | _NO_ENGINE)
        if any(phrase in process.stderr.lower() for phrase in _NOT_CONNECTED):
            return ""
    return _sentence(error_line(process.stderr or process.stdout))


def _sentence(problem: str) -> str:
    if match := _UNKNOWN_KEY.fullmatch(problem):
        place = match["place"].removeprefix("(root)")
        key = f"{place}.{match['key']}".removeprefix(".")
        return f"{key}: docker stack knows no such key; correct or remove it"
    if problem == _NO_VERSION:
        return 'this Docker client needs a version; add the line version: "3.8"'
    return problem


def _run(
    command: list[str], files: StackFiles, variables: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["docker", "stack", *command],
            input=files.text,
            cwd=files.directory,
            env=variables,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=_SECONDS,
        )
    except FileNotFoundError as exc:
        raise UnavailableError("the `docker` command is not installed on this machine") from exc
    except subprocess.TimeoutExpired as exc:
        raise UnavailableError(f"`docker stack` did not finish within {_SECONDS:.0f} s") from exc
