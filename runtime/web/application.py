"""The application that all our web services start from: request ids, log, metrics, health.

Rule: a missing dependency makes a service degraded, never unready, because without the ingress it
could not even say what is wrong. Only a service that is stopping is unready. Nothing that is
logged or counted here comes from a query string, a header or a body.
"""

import asyncio
import logging
import re
import sys
import uuid
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from importlib import import_module
from typing import Final, NoReturn

import structlog
from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Counter, Histogram, generate_latest

from runtime import clock, lifecycle, logs
from runtime.errors import ClusterError
from runtime.web import serving
from runtime.web.problems import Problem, of_cluster, of_http
from runtime.web.security_headers import EVERY_ANSWER
from runtime.web.settings import S, WebSettings, load

log = structlog.get_logger("web")

Check = Callable[[], Awaitable[str | None]]
"""Checks one dependency: None if it works, else a sentence without secrets."""
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

REQUEST_ID: Final = "X-Request-Id"
_REQUEST_ID: Final = web.RequestKey("request_id", str)
_CHECK_SECONDS: Final = 2.0
_MOST_BYTES: Final = 256 * 1024
_ID: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
_QUIET: Final = frozenset({"/health/live", "/health/ready", "/metrics"})


_REQUESTS: Final = Counter(
    "http_requests_total", "Requests answered.", ["service", "route", "method", "status"]
)
_SECONDS: Final = Histogram(
    "http_request_seconds", "Time to answer a request.", ["service", "route", "method"]
)


def request_id(request: web.Request) -> str:
    """The id of a request in the logs, here and in the services that it causes requests to."""
    identifier: str = request.get(_REQUEST_ID, "")
    return identifier


def application(
    name: str, *, settings: WebSettings, checks: Mapping[str, Check] | None = None
) -> web.Application:
    """An application with middlewares, health and metrics; the service adds its routes."""
    app = web.Application(
        client_max_size=_MOST_BYTES, middlewares=[_identified, _observed(name), _problems]
    )
    app.on_response_prepare.append(_harden)
    app.router.add_get("/health/live", _live)
    app.router.add_get("/health/ready", _ready(checks or {}))
    app.router.add_get("/metrics", _metrics)
    if settings.test_build:
        # Imported by name: production images do not contain the module.
        import_module("runtime.web.self_test").add_route(app, name)
    return app


async def serve(app: web.Application, settings: WebSettings) -> None:
    """Serve until cancelled, then stop as the settings say."""
    await serving.serve(app, host=settings.host, port=settings.port, stopping=settings.stopping)


def main(name: str, settings: type[S], live: Callable[[S], Awaitable[None]]) -> NoReturn:
    """Run a service's process: read settings, set up logs, then run `live` until told to stop."""
    values = load(settings)
    logs.configure(level=logging.getLevelNamesMapping()[values.log_level.upper()])

    async def run() -> None:
        await live(values)

    sys.exit(lifecycle.run(run(), name=name))


@web.middleware
async def _identified(request: web.Request, handler: Handler) -> web.StreamResponse:
    header = request.headers.get(REQUEST_ID, "")
    identifier = header if _ID.fullmatch(header) else uuid.uuid4().hex
    request[_REQUEST_ID] = identifier
    # A connection's task answers many requests, so the binding must end with this one.
    with structlog.contextvars.bound_contextvars(request_id=identifier):
        return await handler(request)


def _observed(name: str) -> Middleware:
    @web.middleware
    async def observed(request: web.Request, handler: Handler) -> web.StreamResponse:
        began = clock.monotonic()
        status = HTTPStatus.INTERNAL_SERVER_ERROR.value
        try:
            response = await handler(request)
            status = response.status
        except web.HTTPException as exc:
            status = exc.status
            raise
        except asyncio.CancelledError:
            status = 499
            raise
        finally:
            _record(name, request, status, clock.monotonic() - began)
        return response

    return observed


def _record(name: str, request: web.Request, status: int, seconds: float) -> None:
    resource = request.match_info.route.resource
    route = resource.canonical if resource is not None else "none"
    method = request.method if request.method in hdrs.METH_ALL else "other"
    _REQUESTS.labels(name, route, method, str(status)).inc()
    _SECONDS.labels(name, route, method).observe(seconds)
    if route not in _QUIET:
        log.info(
            "request",
            method=method,
            route=route,
            status=status,
            milliseconds=round(1000 * seconds, 1),
        )


@web.middleware
async def _problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Problem as exc:
        problem = exc
    except web.HTTPException as exc:
        if exc.status < HTTPStatus.BAD_REQUEST:
            raise
        problem = of_http(exc)
    except ClusterError as exc:
        log.warning("request failed", reason=str(exc))
        problem = of_cluster(exc)
    except Exception:
        log.exception("request failed by a bug")
        problem = Problem(status=500, title="Internal error")
    return problem.response(request_id=request_id(request))


async def _harden(request: web.Request, response: web.StreamResponse) -> None:
    for header, value in EVERY_ANSWER.items():
        response.headers.setdefault(header, value)
    response.headers[REQUEST_ID] = request_id(request)
    # It would tell attackers which versions run here.
    response.headers.pop(hdrs.SERVER, None)


async def _live(_request: web.Request) -> web.Response:
    return web.Response(text="alive\n")


async def _metrics(_request: web.Request) -> web.Response:
    return web.Response(
        body=generate_latest(REGISTRY), headers={hdrs.CONTENT_TYPE: CONTENT_TYPE_LATEST}
    )


def _ready(checks: Mapping[str, Check]) -> Handler:
    async def ready(request: web.Request) -> web.Response:
        if serving.is_leaving(request):
            return web.json_response({"status": "leaving"}, status=503)
        states = await asyncio.gather(*(_state(check) for check in checks.values()))
        status = "ok" if all(state == "ok" for state in states) else "degraded"
        by_name = dict(zip(checks, states, strict=True))
        return web.json_response({"status": status, "checks": by_name})

    return ready


async def _state(check: Check) -> str:
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            return await check() or "ok"
    except TimeoutError:
        return "does not answer"
    except ClusterError as exc:
        return str(exc)
