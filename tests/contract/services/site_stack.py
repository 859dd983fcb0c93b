"""The site with everything behind it, as processes on this host: `python -m services.NAME`.

Rule: nothing is shared with another run: free ports, secrets drawn anew, and each process is
ended by its own pid. A process that does not come up fails with the end of what it logged.
"""

import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest
from ports import free_port

from lab.site import host_stores
from runtime import clock

ROOT: Final = Path(__file__).parents[3]
WITHIN_SECONDS: Final = 90.0
"""How long a process may take to start on a busy host."""


@dataclass
class Process:
    """One service, which keeps its port across restarts."""

    name: str
    directory: Path
    environment: Mapping[str, str]
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def log(self) -> str:
        path = self.directory / f"{self.name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> None:
        """Start it; `wait` waits until it answers."""
        self.directory.mkdir(parents=True, exist_ok=True)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.directory),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(ROOT),
            "PYDANTIC_DISABLE_PLUGINS": "__all__",
            "PORT": str(self.port),
            "LINGER_SECONDS": "0",
            "FINISH_SECONDS": "2",
            **self.environment,
        }
        with (self.directory / f"{self.name}.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", f"services.{self.name}"],
                cwd=self.directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def wait(self) -> None:
        """Wait until it answers."""
        deadline = clock.monotonic() + WITHIN_SECONDS
        while not self._answers():
            assert self._process is not None
            if self._process.poll() is not None or clock.monotonic() > deadline:
                pytest.fail(f"{self.name} did not come up:\n{self.log[-3000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop it as a container engine would."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        self._process = None

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health/live", timeout=5):
                return True
        except (OSError, urllib.error.URLError):
            return False


class Stack:
    """auth, webservice, public_api and the quote services, over running stores."""

    def __init__(
        self,
        directory: Path,
        *,
        redis: host_stores.Redis,
        couch: host_stores.Couch,
        influx: host_stores.Influx,
    ) -> None:
        stores = {
            "COUCHDB_URL": couch.url,
            "COUCHDB_USER": "",
            "INFLUXDB_URL": influx.url,
            "INFLUXDB_USER": host_stores.USER,
            "INFLUXDB_PASSWORD": influx.password,
        }
        self.auth = Process(
            "auth",
            directory,
            {
                "REDIS_URL": redis.url,
                "REDIS_PASSWORD": redis.password,
                # A test signs in twice during a pause, and none waits for the end of one.
                "PAUSE_SECONDS": "120",
            },
        )
        self.simulator = Process("cp_simulator", directory, {})
        self.quotes = Process("cp_api", directory, {"GATEWAY_URL": self.simulator.url})
        # What is away refuses connections at once; on a busy host, nothing else may count as away.
        told = {
            "AUTH_URL": self.auth.url,
            "QUOTES_URL": self.quotes.url,
            "OUTGOING_TIMEOUT_SECONDS": "20",
            **stores,
        }
        self.api = Process("public_api", directory, told)
        self.site = Process(
            "webservice",
            directory,
            {
                **told,
                "HTTPS": "false",
                "PANEL_SECONDS": "30",
                "CSRF_KEY": secrets.token_urlsafe(48),
                "API_URL": self.api.url,
                "ASSETS_DIRECTORY": str(ROOT / "services/assets"),
            },
        )

    @property
    def processes(self) -> list[Process]:
        return [self.auth, self.simulator, self.quotes, self.api, self.site]

    def start(self) -> None:
        """Start all at once: none needs another to start."""
        for process in self.processes:
            process.start()
        for process in self.processes:
            process.wait()

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.stop()
