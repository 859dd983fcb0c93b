"""Call the engine's HTTP API through `docker system dial-stdio`.

Docker's command handles contexts, SSH and TLS. Its other subcommands hide a part of the API:
`docker inspect` adds default values to a service's spec. Swarm replaces every task of a service
that gets such a spec back, although nothing has changed.

Rule: the input stays open until the response has arrived. When it is closed, the engine assumes
that the client has gone, and cancels the request.
"""

import http.client
import io
import json
import re
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final, cast
from urllib.parse import urlencode

from cli.edges.docker_errors import error_of, translated
from runtime.errors import GoneError, UnavailableError

_TIMEOUT_SECONDS: Final = 60.0
_LOWEST_API: Final = "1.41"
"""The API version of engine 20.10."""
_GONE: Final = 404
_FIRST_ERROR: Final = 400


class EngineApi:
    """The HTTP API of the engine that the `docker` command uses.

    Every method raises UnavailableError if the engine does not respond, GoneError if the object
    does not exist, and RefusedError if the engine rejects the request.
    """

    def __init__(self) -> None:
        self._version = ""

    def get(self, path: str, **filters: Sequence[str]) -> Any:
        """Return the parsed response to a GET request; `filters` selects the rows of a list."""
        chosen = {name: list(values) for name, values in filters.items()}
        query = f"?{urlencode({'filters': json.dumps(chosen)})}" if chosen else ""
        return _json(self._request("GET", path + query))

    def post(self, path: str, body: Any, **query: str) -> Any:
        """Send a POST request, and return the parsed response, or None if it is empty."""
        text = f"?{urlencode(query)}" if query else ""
        answer = self._request("POST", path + text, json.dumps(body).encode())
        return _json(answer) if answer.strip() else None

    def delete(self, path: str) -> None:
        """Send a DELETE request."""
        self._request("DELETE", path)

    def _request(self, method: str, path: str, content: bytes = b"") -> bytes:
        head = (
            f"{method} /v{self._api_version()}{path} HTTP/1.1\r\nHost: docker\r\n"
            f"Connection: close\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(content)}\r\n\r\n"
        )
        status, answer = _parsed(method, _dialled(head.encode() + content))
        if status >= _FIRST_ERROR:
            sentence = f"the engine rejected {method} {path.partition('?')[0]}: {_message(answer)}"
            raise GoneError(sentence) if status == _GONE else error_of(sentence)
        return answer

    def _api_version(self) -> str:
        """Return the API version that the client and engine use. An older version loses fields."""
        if not self._version:
            process = _run("version", "--format", "{{.Client.APIVersion}}")
            text = process.stdout.strip()
            self._version = text if re.fullmatch(r"1\.\d+", text) else _LOWEST_API
        return self._version


def _run(*argv: str) -> subprocess.CompletedProcess[str]:
    try:
        process = subprocess.run(
            ["docker", *argv],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT_SECONDS,
        )
    except FileNotFoundError as exc:
        raise UnavailableError("the `docker` command is not installed on this machine") from exc
    except subprocess.TimeoutExpired as exc:
        raise UnavailableError(
            f"`docker {argv[0]}` did not finish within {_TIMEOUT_SECONDS:.0f} s"
        ) from exc
    if process.returncode:
        raise translated(argv, process.stderr or process.stdout)
    return process


def _dialled(request: bytes) -> bytes:
    """Send the request's bytes to the engine, and return the bytes of its response."""
    with subprocess.Popen(
        ["docker", "system", "dial-stdio"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        # `communicate` would close the input at once, so it must not know about it.
        source, process.stdin = process.stdin, None
        assert source is not None
        try:
            source.write(request)
            source.flush()
            answer, error = process.communicate(timeout=_TIMEOUT_SECONDS)
        except BrokenPipeError:
            answer, error = process.communicate(timeout=_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired as exc:
            raise UnavailableError(
                f"the engine did not respond within {_TIMEOUT_SECONDS:.0f} s"
            ) from exc
        finally:
            process.kill()
            # The process has ended, so nobody reads what is left to send.
            with suppress(BrokenPipeError):
                source.close()
    if not answer:
        raise translated(
            ("system", "dial-stdio"),
            error.decode(errors="replace") or "connection reset by peer",
        )
    return answer


class _Recorded:
    """Response bytes in the form of a socket, which is what the standard parser reads."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def makefile(self, *_: Any) -> io.BytesIO:
        return io.BytesIO(self._content)


def _parsed(method: str, content: bytes) -> tuple[int, bytes]:
    response = http.client.HTTPResponse(cast("Any", _Recorded(content)), method=method)
    try:
        response.begin()
        return response.status, response.read()
    except (http.client.HTTPException, ValueError) as exc:
        raise UnavailableError(
            "the engine closed the connection without a complete response"
        ) from exc


def _json(answer: bytes) -> Any:
    try:
        return json.loads(answer)
    except ValueError as exc:
        raise UnavailableError("the engine's response is not JSON") from exc


def _message(answer: bytes) -> str:
    try:
        return str(json.loads(answer)["message"])
    except (ValueError, KeyError, TypeError):
        return answer.decode(errors="replace").strip() or "no error message"
