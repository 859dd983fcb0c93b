"""Send requests to this machine's leader daemon through its admin socket."""

import asyncio
import errno
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import aiohttp

from cli.terminal.exits import Exit, fail

_SOCKET: Final = Path(os.environ.get("SPOTSWARM_ADMIN_SOCKET", "/run/spotswarm-leader/admin.sock"))
_TIMEOUT_SECONDS: Final = 10
_REFUSALS: Final = {400: Exit.USAGE, 404: Exit.UNKNOWN, 422: Exit.REFUSED}
_UNKNOWN: Final = "the leader has no record of a node, instance or service with that name"


def get(path: str, *, on_error: str = "") -> Any:
    """Return the daemon's response, or exit with an error message if the request fails.

    `on_error` appears before the next step in the error message. It tells the operator which
    operation continues despite the error.
    """
    return _answer("GET", path, None, on_error)


def post(path: str, body: Mapping[str, Any], *, on_error: str = "") -> Any:
    """Request a change and return the daemon's response. Errors are handled as in `get`."""
    return _answer("POST", path, body, on_error)


def _answer(method: str, path: str, body: Mapping[str, Any] | None, on_error: str) -> Any:
    try:
        status, answer = asyncio.run(_call(method, path, body))
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


async def _call(method: str, path: str, body: Mapping[str, Any] | None) -> tuple[int, Any]:
    connector = aiohttp.UnixConnector(str(_SOCKET))
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)
    async with (
        aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
        session.request(method, f"http://leader/{path}", json=body) as answer,
    ):
        return answer.status, await answer.json()
