"""Ports that servers of the contract tests may listen on."""

import random
import socket
from typing import Final

BELOW_EPHEMERAL: Final = range(20_000, 32_000)
"""Linux gives outgoing connections ports from 32,768 on: one of those may be free when it is
chosen and somebody's own end of a connection when the server comes to bind it."""


def free_port() -> int:
    """A port of the loopback address that nothing uses now, and that no client will be given."""
    while True:
        port = random.choice(BELOW_EPHEMERAL)
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
