"""What the simulator is told by its environment."""

from runtime.web.settings import WebSettings


class Settings(WebSettings):
    """The simulator's settings; none is a secret, for it has none."""

    port: int = 5000
    """As the real gateway's."""
    idle_seconds: float = 360.0
    """The brokerage session ends when nothing was asked for so long; the real one takes several
    minutes, which is not said more exactly."""
    penalty_seconds: float = 900.0
    """How long everything is refused after one request too many; documented as 15 minutes."""
    preflight_seconds: float = 0.3
    """How long after a contract's first snapshot its data comes."""
    admin: bool = False
    """Serve /simulator/…, by which tests make trouble. Never where others can reach it."""
