"""The ways in: the admin API on a unix socket, `/healthz` and `/metrics` on loopback.

Rule: who may connect is the socket's file mode, and only there is anything asked of the leader;
loopback shows nothing an unprivileged user of a manager may not know.
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Protocol, TypeVar

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from leader.view.refusal import Refusal

Answer = dict[str, Any] | Refusal | None
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


class Steered(Protocol):
    """What the operator may ask for; None means that this daemon is not active."""

    def leaving(self) -> list[dict[str, Any]] | None:
        """The nodes that are on their way out, or back."""

    async def drain(self, name: str, *, within: timedelta | None, is_dry: bool) -> Answer:
        """Empty a node."""

    async def give_back(self, name: str, *, is_dry: bool) -> Answer:
        """Let a node take tasks again."""

    async def spread(self, names: Sequence[str], *, is_dry: bool) -> Answer:
        """Spread services out again."""


class _Asked(BaseModel):
    """Body of a request; what is misspelt is refused, not ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dry_run: bool = False


class _DrainAsked(_Asked):
    within: Annotated[float | None, Field(gt=0, le=86400)] = None
    """In seconds; None: as the policy says."""


class _SpreadAsked(_Asked):
    services: tuple[str, ...] = ()
    """Names or ids; none: all."""


Body = TypeVar("Body", bound=_Asked)


class Admin:
    """Serves until cleaned up; `async with`."""

    def __init__(
        self,
        reported: Reported,
        registry: CollectorRegistry,
        *,
        socket: Path,
        port: int,
        steered: Steered,
    ) -> None:
        self._reported = reported
        self._steered = steered
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
        app = web.Application()
        app.router.add_get("/status", self._status)
        app.router.add_get("/nodes", self._answering(lambda _: self._reported.nodes()))
        app.router.add_get("/joins", self._answering(lambda _: self._reported.joins()))
        app.router.add_get("/explain/{name}", self._explain)
        self._add_steering(app)
        return app

    def _add_steering(self, app: web.Application) -> None:
        steered = self._steered

        async def drain(name: str, body: _DrainAsked) -> Answer:
            within = None if body.within is None else timedelta(seconds=body.within)
            return await steered.drain(name, within=within, is_dry=body.dry_run)

        async def give_back(name: str, body: _Asked) -> Answer:
            return await steered.give_back(name, is_dry=body.dry_run)

        async def spread(_: str, body: _SpreadAsked) -> Answer:
            return await steered.spread(body.services, is_dry=body.dry_run)

        app.router.add_get("/leaving", self._answering(lambda _: steered.leaving()))
        app.router.add_post("/drain/{name}", self._asking(_DrainAsked, drain))
        app.router.add_post("/return/{name}", self._asking(_Asked, give_back))
        app.router.add_post("/rebalance", self._asking(_SpreadAsked, spread))

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

    def _asking(self, kind: type[Body], ask: Callable[[str, Body], Awaitable[Answer]]) -> Handler:
        """Check the body, ask, and say what came of it: 200, 400, 404, 409 or 422."""

        async def answer(request: web.Request) -> web.StreamResponse:
            try:
                body = kind.model_validate_json(await request.read() or b"{}")
            except ValidationError as exc:
                return web.json_response(_malformed(exc), status=400)
            told = await ask(request.match_info.get("name", ""), body)
            if told is None:
                return self._standby()
            if isinstance(told, Refusal):
                refused = {"error": told.reason, "next": told.next_step}
                return web.json_response(refused, status=404 if told.is_unknown else 422)
            return web.json_response(told)

        return answer

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
            body=generate_latest(self._registry),
            headers={"content-type": "text/plain; version=0.0.4; charset=utf-8"},
        )


def _malformed(exc: ValidationError) -> dict[str, str]:
    faults = exc.errors(include_url=False, include_context=False, include_input=False)
    lines = (f"{'.'.join(map(str, fault['loc'])) or 'body'}: {fault['msg']}" for fault in faults)
    return {"error": "; ".join(lines), "next": "docs/operations.md lists what may be asked"}


def _dumps(value: object) -> str:
    return json.dumps(value, default=str)
