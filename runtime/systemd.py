"""Reporting to systemd: READY, STATUS, WATCHDOG (sd_notify(3)).

The protocol is one datagram to a socket that the environment names. Without that socket, as when
a program is run by hand, every call does nothing.
"""

import asyncio
import os
import socket


def notify(**state: str) -> None:
    """Send fields such as `READY="1"` or `STATUS="joining"`; never raises, never blocks."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    lines = "\n".join(f"{name}={' '.join(value.split())}" for name, value in state.items())
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
        try:
            sock.sendto(lines.encode(), address)
        except OSError:
            return


def watchdog_seconds() -> float | None:
    """Half of the interval that the unit sets for the watchdog; None if the unit sets none."""
    microseconds = os.environ.get("WATCHDOG_USEC")
    return int(microseconds) / 2_000_000 if microseconds else None


async def feed_watchdog() -> None:
    """Report for ever from the event loop, so that the watchdog detects a blocked loop."""
    every = watchdog_seconds()
    while True:
        notify(WATCHDOG="1")
        await asyncio.sleep(every or 3600)
