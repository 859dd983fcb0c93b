"""The base application for all our web services: request ids, logs, metrics and health checks.

Rule: if a dependency is unavailable, a service is degraded but still ready. An unready service
would get no requests, so it could not report the problem. A service is unready only while it is
stopping. Apart from request ids, never log or count data from a query string, header or body.
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
from prometheus_client import Counter, Histogram

from runtime import clock, lifecycle, logs
from runtime.errors import ClusterError
from runtime.web import health, serving
from runtime.web.health import Check, Handler
from runtime.web.problems import Problem, of_cluster, of_http
from runtime.web.security_headers import EVERY_ANSWER
from runtime.web.settings import S, WebSettings, load

log = structlog.get_logger("web")

REQUEST_ID: Final = "X-Request-Id"
_REQUEST_ID: Final = web.RequestKey("request_id", str)
_MOST_BYTES: Final = 256 * 1024
_ID: Final = re.compile(r"[A-Za-z0-9-]{1,64}")

_REQUESTS: Final = Counter(
    "http_requests_total", "Requests handled.", ["service", "route", "method", "status"]
)
_SECONDS: Final = Histogram(
    "http_request_seconds", "Time to handle a request.", ["service", "route", "method"]
)


def request_id(request: web.Request) -> str:
    """Return the request's id, which appears in the logs of all services that handle it."""
    identifier: str = request.get(_REQUEST_ID, "")
    return identifier


def application(
    name: str, *, settings: WebSettings, checks: Mapping[str, Check] | None = None
) -> web.Application:
    """Return an application with health checks and metrics; the service adds its own routes."""
    app = web.Application(
        client_max_size=_MOST_BYTES, middlewares=[_identified, _observed(name), _problems]
    )
    app.on_response_prepare.append(_harden)
    health.add_routes(app, checks or {})
    if settings.test_build:
        # Import the module by name, because production images do not contain it.
        import_module("runtime.web.self_test").add_route(app, name)
    return app


async def serve(app: web.Application, settings: WebSettings) -> None:
    """Serve requests until cancelled, then stop gracefully within the configured time limits."""
    await serving.serve(app, host=settings.host, port=settings.port, stopping=settings.stopping)


def main(name: str, settings: type[S], live: Callable[[S], Awaitable[None]]) -> NoReturn:
    """Run a service: read its settings, set up logs, and run `live` until a signal stops it."""
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
    # A connection's task handles many requests, so remove the binding after this request.
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
    if route not in health.PATHS:
        log.info(
            "handled a request",
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
    except web.RequestPayloadError:
        # For example, the body is not compressed as its header says.
        problem = Problem(status=400, title="The body cannot be read")
    except ClusterError as exc:
        log.warning("request failed", reason=str(exc))
        problem = of_cluster(exc)
    except Exception:
        log.exception("request failed because of a bug")
        problem = Problem(status=500, title="Internal error")
    return problem.response(request_id=request_id(request))


async def _harden(request: web.Request, response: web.StreamResponse) -> None:
    for header, value in EVERY_ANSWER.items():
        response.headers.setdefault(header, value)
    response.headers[REQUEST_ID] = request_id(request)
    # The Server header would tell attackers which versions we use.
    response.headers.pop(hdrs.SERVER, None)
