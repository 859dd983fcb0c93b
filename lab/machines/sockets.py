"""JSON over the Unix sockets of a machine's programs, asked from the host.

Rule: whoever looks often asks here and starts no process in the machine. A command there takes
half a core for a moment, and whatever is measured meanwhile is slower for it.
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
    """Status and JSON of one request.

    Raises:
        OSError: nobody answers, or what answers is not HTTP with JSON.
    """
    connection = Connection(at)
    try:
        text = None if body is None else json.dumps(body)
        connection.request(method, path, text, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
        return answer.status, json.loads(content) if content.strip() else None
    except (http.client.HTTPException, ValueError) as exc:
        raise OSError(f"{at.name} answers nonsense: {exc}") from exc
    finally:
        connection.close()
