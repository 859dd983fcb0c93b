"""Runs Redis, InfluxDB and a substitute for CouchDB on this host, for tests and benchmarks.

The substitute is `pouchdb-server`, which implements CouchDB's protocol.

Rule: a store keeps its data when it restarts, as in production. Each store listens only on the
loopback address. `stop` stops only the process that `start` started.
"""

import base64
import json
import secrets
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from lab.host import LabError
from runtime import clock

USER: Final = "spotswarm"
_STARTS_WITHIN_SECONDS: Final = 60.0
_STOPS_WITHIN_SECONDS: Final = 20.0
_POUCHDB: Final = (
    Path(__file__).parents[1] / "couchdb/node_modules/pouchdb-server/bin/pouchdb-server"
)


class Store(ABC):
    """A data store, such as Redis; its `url` and `password` do not change when it restarts."""

    name: str
    password: str = ""

    def __init__(self, directory: Path, port: int) -> None:
        self.directory = directory
        self.port = port
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The store's URL, which does not contain the password."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """The store's process id, or None if the store is not running."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the store, and wait until it responds; do nothing if it is already running.

        Raises:
            LabError: if the store's program is missing, or if the store does not start.
        """
        if self._process is not None and self._process.poll() is None:
            return
        self.directory.mkdir(parents=True, exist_ok=True)
        with (self.directory / "output").open("ab") as output:
            self._process = subprocess.Popen(
                self._command(),
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        deadline = clock.monotonic() + _STARTS_WITHIN_SECONDS
        while not self._answers():
            if self._process.poll() is not None or clock.monotonic() > deadline:
                log = (self.directory / "output").read_text(errors="replace")[-2000:]
                self.stop()
                raise LabError(f"{self.name} did not start:\n{log}")
            time.sleep(0.02)
        self._furnish()

    def stop(self) -> None:
        """Stop the store as Docker would stop its container; do nothing if it is not running."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOPS_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(_STOPS_WITHIN_SECONDS)
        self._process = None

    @abstractmethod
    def _command(self) -> list[str]: ...

    @abstractmethod
    def empty(self) -> None:
        """Delete all data."""

    def _furnish(self) -> None:  # noqa: B027  most stores need no setup
        """Prepare the store for use after it has started."""

    def _answers(self) -> bool:
        try:
            self._call("GET", "/ping" if self.name == "influxd" else "/")
        except (OSError, urllib.error.URLError):
            return False
        return True

    def _call(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, **form: str
    ) -> bytes:
        data = urllib.parse.urlencode(form).encode() if form else None
        # This is the store's own URL, on the loopback address.
        request = urllib.request.Request(  # noqa: S310
            f"{self.url}{path}", data=data, headers=dict(headers or {}), method=method
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return bytes(answer.read())


class Redis(Store):
    """Redis with a password and an append-only file, as in the `services` stack."""

    name = "redis-server"

    def __init__(self, directory: Path, port: int) -> None:
        super().__init__(directory, port)
        self.password = secrets.token_urlsafe(16)

    @property
    def url(self) -> str:
        """The store's URL, which does not contain the password."""
        return f"redis://127.0.0.1:{self.port}/0"

    def empty(self) -> None:
        """Delete all data."""
        self._say("FLUSHALL")

    def _command(self) -> list[str]:
        config = self.directory / "redis.conf"
        config.touch(mode=0o600)
        config.write_text(
            f"bind 127.0.0.1\nport {self.port}\nrequirepass {self.password}\n"
            f'dir {self.directory}\nappendonly yes\nappendfsync always\nsave ""\n'
        )
        return [_program("redis-server"), str(config)]

    def _answers(self) -> bool:
        try:
            return self._say("PING") == b"+PONG"
        except OSError:
            return False

    def _say(self, command: str) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(f"AUTH {self.password}\r\n{command}\r\n".encode())
            reply = b""
            while reply.count(b"\r\n") < 2:
                more = connection.recv(4096)
                if not more:
                    raise ConnectionError("redis-server closed the connection")
                reply += more
        return reply.split(b"\r\n")[1]


class Couch(Store):
    """A CouchDB substitute without accounts (`password` is empty) and without `/_up`."""

    name = "pouchdb-server"

    def empty(self) -> None:
        """Delete every database."""
        for database in json.loads(self._call("GET", "/_all_dbs")):
            if not database.startswith("_"):
                self._call("DELETE", f"/{urllib.parse.quote(database, safe='')}")

    def _command(self) -> list[str]:
        if not _POUCHDB.exists():
            raise LabError(f"{_POUCHDB} is missing: run `make needs`")
        return [
            *(_program("node"), str(_POUCHDB), "--host", "127.0.0.1", "--port", str(self.port)),
            *("--dir", str(self.directory), "--config", str(self.directory / "config.json")),
            "--no-stdout-logs",
        ]


class Influx(Store):
    """InfluxDB 1.x with authentication enabled and one administrator."""

    name = "influxd"

    def __init__(
        self, directory: Path, port: int, *, inner_port: int, values_per_tag: int = 100_000
    ) -> None:
        super().__init__(directory, port)
        self._values_per_tag = values_per_tag
        self.password = secrets.token_urlsafe(16)
        self._inner_port = inner_port

    def empty(self) -> None:
        """Drop every database."""
        answer = json.loads(self._query("SHOW DATABASES"))
        for (database,) in answer["results"][0]["series"][0].get("values", []):
            if database != "_internal":
                self._query(f'DROP DATABASE "{database}"')

    def _query(self, query: str) -> bytes:
        credentials = base64.b64encode(f"{USER}:{self.password}".encode()).decode()
        return self._call("POST", "/query", {"Authorization": f"Basic {credentials}"}, q=query)

    def _furnish(self) -> None:
        # InfluxDB lets any client create the first user. After a restart, the user already exists.
        self._query(f"CREATE USER {USER} WITH PASSWORD '{self.password}' WITH ALL PRIVILEGES")

    def _command(self) -> list[str]:
        place = self.directory
        config = place / "influxdb.conf"
        config.write_text(
            f"""\
reporting-disabled = true
bind-address = "127.0.0.1:{self._inner_port}"
[meta]
  dir = "{place}/meta"
[data]
  dir = "{place}/data"
  wal-dir = "{place}/wal"
  query-log-enabled = false
  max-values-per-tag = {self._values_per_tag}
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:{self.port}"
  auth-enabled = true
  log-enabled = false
"""
        )
        return [_program("influxd"), "-config", str(config)]


def _program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise LabError(f"{name} is not installed: run `make needs`")
    return path
