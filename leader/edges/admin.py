"""The leader's HTTP interfaces: the admin API on a Unix socket, and health and metrics on loopback.

Rule: only the admin API accepts commands, and the socket's file mode determines who can connect.
The loopback endpoints expose only information that every user on a manager may see.
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Protocol, TypeVar

from aiohttp import web
from aiohttp.typedefs import Middleware
from prometheus_client import CollectorRegistry, generate_latest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from leader.view.refusal import Refusal
from runtime.faults import Faults

Answer = dict[str, Any] | Refusal | None
_FAULT: Final = {
    "error": "the leader has a fault, and cannot answer this request",
    "next": "read the traceback with `journalctl -u spotswarm-leader` on this manager",
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class StatusSource(Protocol):
    """Provides the daemon's state; some methods return None if this daemon is not leading."""

    def status(self) -> dict[str, Any]:
        """Return the daemon's state and, if this daemon is leading, a summary of the cluster."""

    def is_healthy(self) -> bool:
        """Return whether the daemon is leading or standing by without problems."""

    def nodes(self) -> list[dict[str, Any]] | None:
        """Return all nodes in the swarm."""

    def joins(self) -> list[dict[str, Any]] | None:
        """Return the join requests received in this term."""

    def explain(self, name: str) -> dict[str, Any] | None:
        """Return the details of a node, instance or service, or None if the name is unknown."""


class Commands(Protocol):
    """The operator's commands; the methods return None if this daemon is not leading."""

    def leaving(self) -> list[dict[str, Any]] | None:
        """Return the nodes that are leaving or returning."""

    async def drain(self, name: str, *, within: timedelta | None, is_dry: bool) -> Answer:
        """Evacuate and drain a node."""

    async def return_node(self, name: str, *, is_dry: bool) -> Answer:
        """Make a drained node available for tasks again."""

    async def rebalance(self, names: Sequence[str], *, is_dry: bool) -> Answer:
        """Distribute the services' tasks evenly across the nodes."""


class _Body(BaseModel):
    """The request body of a command; unknown fields are rejected, because they may be typos."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dry_run: bool = False


class _DrainBody(_Body):
    within: Annotated[float | None, Field(gt=0, le=86400)] = None
    """Time limit in seconds; None means the policy's default."""


class _RebalanceBody(_Body):
    services: tuple[str, ...] = ()
    """Service names or ids; an empty tuple means all services."""


Body = TypeVar("Body", bound=_Body)


class Admin:
    """Serves the leader's two HTTP interfaces for the duration of an `async with` block."""

    def __init__(
        self,
        source: StatusSource,
        registry: CollectorRegistry,
        *,
        socket: Path,
        port: int,
        commands: Commands,
        faults: Faults | None = None,
    ) -> None:
        self._source = source
        self._faults = faults or Faults()
        self._commands = commands
        self._registry = registry
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
        app = web.Application(middlewares=[self._middleware()])
        app.router.add_get("/status", self._status)
        app.router.add_get("/nodes", self._query(lambda _: self._source.nodes()))
        app.router.add_get("/joins", self._query(lambda _: self._source.joins()))
        app.router.add_get("/explain/{name}", self._explain)
        self._add_commands(app)
        return app

    def _add_commands(self, app: web.Application) -> None:
        commands = self._commands

        async def drain(name: str, body: _DrainBody) -> Answer:
            within = None if body.within is None else timedelta(seconds=body.within)
            return await commands.drain(name, within=within, is_dry=body.dry_run)

        async def return_node(name: str, body: _Body) -> Answer:
            return await commands.return_node(name, is_dry=body.dry_run)

        async def rebalance(_: str, body: _RebalanceBody) -> Answer:
            return await commands.rebalance(body.services, is_dry=body.dry_run)

        app.router.add_get("/leaving", self._query(lambda _: commands.leaving()))
        app.router.add_post("/drain/{name}", self._command(_DrainBody, drain))
        app.router.add_post("/return/{name}", self._command(_Body, return_node))
        app.router.add_post("/rebalance", self._command(_RebalanceBody, rebalance))

    def _public_app(self) -> web.Application:
        app = web.Application(middlewares=[self._middleware()])
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/metrics", self._show_metrics)
        return app

    def _middleware(self) -> Middleware:
        """Return a middleware that answers with status 500 if a request's handling raises."""

        @web.middleware
        async def contain(request: web.Request, handler: Handler) -> web.StreamResponse:
            with self._faults.contained("operators' requests", passing=(web.HTTPException,)):
                return await handler(request)
            return web.json_response(_FAULT, status=500)

        return contain

    async def _status(self, _request: web.Request) -> web.Response:
        return web.json_response(self._source.status())

    def _query(self, ask: Callable[[web.Request], Any]) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            result = ask(request)
            return self._standby() if result is None else web.json_response(result)

        return answer

    async def _explain(self, request: web.Request) -> web.StreamResponse:
        if self._source.nodes() is None:
            return self._standby()
        explanation = self._source.explain(request.match_info["name"])
        if explanation is None:
            return web.json_response({"error": "unknown"}, status=404)
        return web.json_response(explanation, dumps=_dumps)

    def _command(self, kind: type[Body], ask: Callable[[str, Body], Awaitable[Answer]]) -> Handler:
        """Return a handler that validates the request body and runs the command.

        The handler responds with status 200 (success), 400 (invalid body), 404 (unknown name),
        409 (not leading) or 422 (refused).
        """

        async def answer(request: web.Request) -> web.StreamResponse:
            try:
                body = kind.model_validate_json(await request.read() or b"{}")
            except ValidationError as exc:
                return web.json_response(_malformed(exc), status=400)
            result = await ask(request.match_info.get("name", ""), body)
            if result is None:
                return self._standby()
            if isinstance(result, Refusal):
                refused = {"error": result.reason, "next": result.next_step}
                return web.json_response(refused, status=404 if result.is_unknown else 422)
            return web.json_response(result)

        return answer

    def _standby(self) -> web.Response:
        return web.json_response(self._source.status(), status=409)

    async def _healthz(self, _request: web.Request) -> web.Response:
        healthy = self._source.is_healthy()
        stance = self._source.status()["stance"]
        return web.json_response(
            {"healthy": healthy, "stance": stance}, status=200 if healthy else 503
        )

    async def _show_metrics(self, _request: web.Request) -> web.Response:
        return web.Response(
            body=generate_latest(self._registry),
            headers={"content-type": "text/plain; version=0.0.4; charset=utf-8"},
        )


def _malformed(exc: ValidationError) -> dict[str, str]:
    faults = exc.errors(include_url=False, include_context=False, include_input=False)
    lines = (f"{'.'.join(map(str, fault['loc'])) or 'body'}: {fault['msg']}" for fault in faults)
    return {"error": "; ".join(lines), "next": "see docs/operations.md for the accepted fields"}


def _dumps(value: object) -> str:
    return json.dumps(value, default=str)
