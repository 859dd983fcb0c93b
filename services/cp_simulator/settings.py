"""The simulator's settings."""

from runtime.web.settings import WebSettings


class Settings(WebSettings):
    """The simulator's own settings; it has no secrets."""

    port: int = 5000
    """The port it listens on, as the real gateway does."""
    idle_seconds: float = 360.0
    """How long the brokerage session lasts without requests; "several minutes" at the real one."""
    penalty_seconds: float = 900.0
    """How long every request is refused after one too many; documented as 15 minutes."""
    preflight_seconds: float = 0.3
    """How long after a contract's first snapshot its data arrives."""
    admin: bool = False
    """Serve /simulator/…, with which tests make trouble. Never enable it where others reach it."""
