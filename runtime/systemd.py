"""Reports READY, STATUS and WATCHDOG to systemd; see sd_notify(3).

Each report is one datagram to the socket named by the environment variable NOTIFY_SOCKET. If the
variable is not set, nothing is sent.
"""

import asyncio
import os
import socket


def notify(**state: str) -> None:
    """Send fields such as `READY="1"` or `STATUS="joining"`, without blocking or raising errors."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    lines = "\n".join(f"{name}={' '.join(value.split())}" for name, value in state.items())
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
            sock.sendto(lines.encode(errors="replace"), address)
    except OSError:
        return


def watchdog_seconds() -> float | None:
    """Return half of the unit's watchdog interval, or None if the unit has no watchdog."""
    microseconds = os.environ.get("WATCHDOG_USEC")
    return int(microseconds) / 2_000_000 if microseconds else None


async def feed_watchdog() -> None:
    """Report to the systemd watchdog until cancelled; a blocked event loop stops the reports."""
    every = watchdog_seconds()
    while True:
        notify(WATCHDOG="1")
        await asyncio.sleep(every or 3600)
