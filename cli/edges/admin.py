"""Send requests to this machine's leader daemon through its admin socket."""

import asyncio
import errno
import http
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import aiohttp

from cli.terminal.exits import Exit, fail

_SOCKET: Final = Path(os.environ.get("SPOTSWARM_ADMIN_SOCKET", "/run/spotswarm-leader/admin.sock"))
_TIMEOUT_SECONDS: Final = 10
_PATIENCE_SECONDS: Final = 20.0
_RETRY_SECONDS: Final = 0.5
_REFUSALS: Final = {400: Exit.USAGE, 404: Exit.UNKNOWN, 422: Exit.REFUSED}
_UNKNOWN: Final = "the leader has no record of a node, instance or service with that name"


class _UnreadableAnswer(Exception):  # noqa: N818  handled within this module
    """Raised if the daemon's answer is not JSON. The argument is its HTTP status."""


def get(path: str, *, on_error: str = "") -> Any:
    """Return the daemon's response, or exit with an error message if the request fails.

    `on_error` appears before the next step in the error message. It tells the operator which
    operation continues despite the error. While such an operation is followed, the leader daemon
    may restart, and Raft may elect another leader. Therefore, with `on_error`, this function
    waits up to 20 seconds for a leader before it exits.
    """
    return _answer("GET", path, None, on_error)


def post(path: str, body: Mapping[str, Any], *, on_error: str = "") -> Any:
    """Request a change and return the daemon's response. Errors are handled as in `get`."""
    return _answer("POST", path, body, on_error)


def _answer(method: str, path: str, body: Mapping[str, Any] | None, on_error: str) -> Any:
    try:
        status, answer = _patiently(method, path, body, _PATIENCE_SECONDS if on_error else 0.0)
    except _UnreadableAnswer as exc:
        fail(
            Exit.UNREACHABLE,
            f"the leader daemon's answer cannot be read (HTTP status {exc})",
            next_step=f"{on_error}check that the daemon and this command have the same version:"
            " `spotswarm status` shows the daemon's",
        )
    except (OSError, TimeoutError, ValueError, aiohttp.ClientError) as exc:
        # aiohttp wraps a PermissionError in its own OSError.
        if isinstance(exc, OSError) and exc.errno in {errno.EACCES, errno.EPERM}:
            fail(
                Exit.UNREACHABLE,
                f"cannot access {_SOCKET}: permission denied",
                next_step="run this command as root",
            )
        fail(
            Exit.UNREACHABLE,
            f"no leader daemon is responding at {_SOCKET} ({type(exc).__name__})",
            next_step=f"{on_error}run this command on a manager, and check the daemon with"
            " `systemctl status spotswarm-leader`",
        )
    if status == 409:
        leader = answer.get("leader")
        fail(
            Exit.STANDBY,
            f"this manager is not the active leader ({answer.get('stance')}):"
            f" {answer.get('problem') or answer.get('reason')}",
            next_step=on_error
            + (f"run this command on {leader}" if leader else "wait until the swarm has a leader"),
        )
    if status >= 500:
        fail(Exit.UNHEALTHY, answer.get("error", ""), next_step=on_error + answer.get("next", ""))
    if status in _REFUSALS:
        fail(
            _REFUSALS[status],
            answer.get("error", "") if "next" in answer else _UNKNOWN,
            next_step=answer.get(
                "next",
                "run `spotswarm nodes` to list the nodes, or `spotswarm joins` to list the join"
                " requests",
            ),
        )
    return answer


def _patiently(
    method: str, path: str, body: Mapping[str, Any] | None, patience: float
) -> tuple[int, Any]:
    """Call the daemon, again and again for `patience` seconds while nobody leads."""
    deadline = time.monotonic() + patience
    while True:
        is_last = time.monotonic() >= deadline
        try:
            status, answer = asyncio.run(_call(method, path, body))
        except PermissionError:
            raise
        except (OSError, TimeoutError, aiohttp.ClientError) as exc:
            if is_last or (isinstance(exc, OSError) and exc.errno in {errno.EACCES, errno.EPERM}):
                raise
        else:
            if is_last or status != http.HTTPStatus.CONFLICT or _leads_elsewhere(answer):
                return status, answer
        time.sleep(_RETRY_SECONDS)


def _leads_elsewhere(answer: Mapping[str, Any]) -> bool:
    """Return whether another manager leads, so that waiting for this one is of no use."""
    return answer.get("stance") == "standby" and bool(answer.get("leader"))


async def _call(method: str, path: str, body: Mapping[str, Any] | None) -> tuple[int, Any]:
    connector = aiohttp.UnixConnector(str(_SOCKET))
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)
    async with (
        aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
        session.request(method, f"http://leader/{path}", json=body) as answer,
    ):
        try:
            return answer.status, await answer.json()
        except (aiohttp.ContentTypeError, ValueError) as exc:
            raise _UnreadableAnswer(answer.status) from exc
