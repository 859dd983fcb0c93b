"""HTTP requests from the host to the Unix sockets of a machine's programs.

Rule: use this for frequent requests, not a command in the machine. Such a command takes half a core
for a moment, and slows down whatever is measured meanwhile.
"""

import http.client
import json
import socket
from pathlib import Path
from typing import Any


class Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, at: Path, *, timeout: float = 5) -> None:
        super().__init__("machine", timeout=timeout)
        self._at = at

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._at))


def ask(at: Path, path: str, method: str = "GET", body: object = None) -> tuple[int, Any]:
    """Send one request; returns status and JSON.

    Raises:
        OSError: no program answers, or the answer is not HTTP with JSON.
    """
    connection = Connection(at)
    try:
        text = None if body is None else json.dumps(body)
        connection.request(method, path, text, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
        return answer.status, json.loads(content) if content.strip() else None
    except (http.client.HTTPException, ValueError) as exc:
        raise OSError(f"{at.name} does not answer HTTP with JSON: {exc}") from exc
    finally:
        connection.close()
