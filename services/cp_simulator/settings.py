"""The simulator's settings."""

from runtime.web.settings import WebSettings


class Settings(WebSettings):
    """The simulator's settings. They contain no secrets."""

    port: int = 5000
    """The port that the simulator listens on. The real gateway uses the same port."""
    idle_seconds: float = 360.0
    """How long the brokerage session lasts without requests, in seconds. The real gateway's session
    lasts "several minutes"."""
    penalty_seconds: float = 900.0
    """How long all requests are rejected after a violation of a limit, in seconds. The real
    gateway's documented penalty is fifteen minutes."""
    preflight_seconds: float = 0.3
    """The time from a contract's first snapshot until its data is available, in seconds."""
    admin: bool = False
    """Whether to serve the routes under /simulator/, which tests use to cause faults. Never enable
    these routes if untrusted clients can reach the simulator."""
