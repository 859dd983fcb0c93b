"""Sends HTTP requests from the host to the Unix sockets of programs on a machine.

Rule: for frequent requests, use this module instead of running a command on the machine. Such a
command briefly uses half a CPU core, which would distort measurements.
"""

import http.client
import json
import socket
from pathlib import Path
from typing import Any


class Connection(http.client.HTTPConnection):
    """An HTTP connection over a Unix socket."""

    def __init__(self, at: Path, *, timeout: float = 5) -> None:
        super().__init__("machine", timeout=timeout)
        self._at = at

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._at))


def ask(at: Path, path: str, method: str = "GET", body: object = None) -> tuple[int, Any]:
    """Send a request to a socket; return the HTTP status and the JSON body.

    Raises:
        OSError: if no program responds, or if the response is not HTTP with a JSON body.
    """
    connection = Connection(at)
    try:
        text = None if body is None else json.dumps(body)
        connection.request(method, path, text, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
        return answer.status, json.loads(content) if content.strip() else None
    except (http.client.HTTPException, ValueError) as exc:
        raise OSError(f"the response from {at.name} is not HTTP with JSON: {exc}") from exc
    finally:
        connection.close()
