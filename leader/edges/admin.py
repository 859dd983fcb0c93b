"""The ways in: the admin API on a unix socket, `/healthz` and `/metrics` on loopback.

Rule: read-only until an issue says otherwise; who may connect is the socket's file mode,
and loopback shows nothing an unprivileged user of a manager may not know.
"""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

from aiohttp import web
from prometheus_client import generate_latest

from leader.metrics import Metrics

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Reported(Protocol):
    """What the daemon can say of itself; an answer of None means this one is not active."""

    def status(self) -> dict[str, Any]:
        """Stance and figures; always answers."""

    def is_healthy(self) -> bool:
        """Whether the daemon does what its stance says."""

    def nodes(self) -> list[dict[str, Any]] | None:
        """The nodes."""

    def joins(self) -> list[dict[str, Any]] | None:
        """The requests of this term."""

    def explain(self, name: str) -> dict[str, Any] | None:
        """One node or instance; None also when it is not known."""


class Admin:
    """Serves until cleaned up; `async with`."""

    def __init__(self, reported: Reported, metrics: Metrics, *, socket: Path, port: int) -> None:
        self._reported = reported
        self._metrics = metrics
        self._socket = socket
        self._port = port
        self._runners: list[web.AppRunner] = []

    async def __aenter__(self) -> "Admin":
        self._socket.parent.mkdir(parents=True, exist_ok=True)
        self._socket.unlink(missing_ok=True)
        admin = await self._run(self._admin_app())
        await web.UnixSite(admin, str(self._socket)).start()
        self._socket.chmod(0o600)
        public = await self._run(self._public_app())
        await web.TCPSite(public, "127.0.0.1", self._port).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        for runner in self._runners:
            await runner.cleanup()

    async def _run(self, app: web.Application) -> web.AppRunner:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        self._runners.append(runner)
        return runner

    def _admin_app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/status", self._status)
        app.router.add_get("/nodes", self._answering(lambda _: self._reported.nodes()))
        app.router.add_get("/joins", self._answering(lambda _: self._reported.joins()))
        app.router.add_get("/explain/{name}", self._explain)
        return app

    def _public_app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/metrics", self._show_metrics)
        return app

    async def _status(self, _request: web.Request) -> web.Response:
        return web.json_response(self._reported.status())

    def _answering(self, ask: Callable[[web.Request], Any]) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            found = ask(request)
            return self._standby() if found is None else web.json_response(found)

        return answer

    async def _explain(self, request: web.Request) -> web.StreamResponse:
        if self._reported.nodes() is None:
            return self._standby()
        found = self._reported.explain(request.match_info["name"])
        if found is None:
            return web.json_response({"error": "unknown"}, status=404)
        return web.json_response(found, dumps=_dumps)

    def _standby(self) -> web.Response:
        return web.json_response(self._reported.status(), status=409)

    async def _healthz(self, _request: web.Request) -> web.Response:
        healthy = self._reported.is_healthy()
        stance = self._reported.status()["stance"]
        return web.json_response(
            {"healthy": healthy, "stance": stance}, status=200 if healthy else 503
        )

    async def _show_metrics(self, _request: web.Request) -> web.Response:
        return web.Response(
            body=generate_latest(self._metrics.registry),
            headers={"content-type": "text/plain; version=0.0.4; charset=utf-8"},
        )


def _dumps(value: object) -> str:
    return json.dumps(value, default=str)
