"""Asking the leader daemon of this machine, over its admin socket."""

import asyncio
import errno
import os
from pathlib import Path
from typing import Any, Final

import aiohttp

from cli.exits import Exit, fail

_SOCKET: Final = Path(os.environ.get("SPOTSWARM_ADMIN_SOCKET", "/run/spotswarm-leader/admin.sock"))
_SECONDS: Final = 10


def ask(path: str) -> Any:
    """The daemon's answer; ends the command with its code when there is none to print."""
    try:
        status, answer = asyncio.run(_get(path))
    except (OSError, TimeoutError, aiohttp.ClientError) as exc:
        # aiohttp wraps a PermissionError in an OSError of its own.
        if isinstance(exc, OSError) and exc.errno in {errno.EACCES, errno.EPERM}:
            fail(Exit.UNREACHABLE, f"{_SOCKET} is the leader's alone", next_step="run this as root")
        fail(
            Exit.UNREACHABLE,
            f"no leader daemon answers at {_SOCKET} ({type(exc).__name__})",
            next_step="run this on a manager; there: systemctl status spotswarm-leader",
        )
    if status == 409:
        leads = answer.get("leader")
        fail(
            Exit.STANDBY,
            f"this manager is not the active leader: {answer.get('stance')},"
            f" {answer.get('problem') or answer.get('reason')}",
            next_step=f"run this on {leads}" if leads else "wait for the swarm to have a leader",
        )
    if status == 404:
        fail(
            Exit.UNKNOWN,
            "the leader knows no such node or instance",
            next_step="spotswarm nodes shows the nodes, spotswarm joins who asked",
        )
    return answer


async def _get(path: str) -> tuple[int, Any]:
    connector = aiohttp.UnixConnector(str(_SOCKET))
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    async with (
        aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
        session.get(f"http://leader/{path}") as answer,
    ):
        return answer.status, await answer.json()
