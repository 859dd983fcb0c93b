"""Asking the leader daemon of this machine, over its admin socket."""

import asyncio
import errno
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import aiohttp

from cli.terminal.exits import Exit, fail

_SOCKET: Final = Path(os.environ.get("SPOTSWARM_ADMIN_SOCKET", "/run/spotswarm-leader/admin.sock"))
_SECONDS: Final = 10
_REFUSALS: Final = {400: Exit.USAGE, 404: Exit.UNKNOWN, 422: Exit.REFUSED}
_UNKNOWN: Final = "the leader knows no such node or instance"


def ask(path: str, *, aside: str = "") -> Any:
    """The daemon's answer; ends the command with its code when there is none to print.

    `aside` is said with the error: what goes on although nobody answers any more.
    """
    return _answered("GET", path, None, aside)


def tell(path: str, body: Mapping[str, Any], *, aside: str = "") -> Any:
    """Ask for something to be done; ends the command if it is refused."""
    return _answered("POST", path, body, aside)


def _answered(method: str, path: str, body: Mapping[str, Any] | None, aside: str) -> Any:
    try:
        status, answer = asyncio.run(_call(method, path, body))
    except (OSError, TimeoutError, ValueError, aiohttp.ClientError) as exc:
        # aiohttp wraps a PermissionError in an OSError of its own.
        if isinstance(exc, OSError) and exc.errno in {errno.EACCES, errno.EPERM}:
            fail(Exit.UNREACHABLE, f"{_SOCKET} is the leader's alone", next_step="run this as root")
        fail(
            Exit.UNREACHABLE,
            f"no leader daemon answers at {_SOCKET} ({type(exc).__name__})",
            next_step=f"{aside}run this on a manager; there: systemctl status spotswarm-leader",
        )
    if status == 409:
        leads = answer.get("leader")
        fail(
            Exit.STANDBY,
            f"this manager is not the active leader: {answer.get('stance')},"
            f" {answer.get('problem') or answer.get('reason')}",
            next_step=aside
            + (f"run this on {leads}" if leads else "wait for the swarm to have a leader"),
        )
    if status in _REFUSALS:
        fail(
            _REFUSALS[status],
            answer.get("error", "") if "next" in answer else _UNKNOWN,
            next_step=answer.get("next", "spotswarm nodes shows nodes, spotswarm joins who asked"),
        )
    return answer


async def _call(method: str, path: str, body: Mapping[str, Any] | None) -> tuple[int, Any]:
    connector = aiohttp.UnixConnector(str(_SOCKET))
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    async with (
        aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
        session.request(method, f"http://leader/{path}", json=body) as answer,
    ):
        return answer.status, await answer.json()
