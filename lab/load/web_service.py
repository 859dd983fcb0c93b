"""Describes a service that runs the test application, and lists its Docker options.

Rule: with the default settings, a service loses no requests. It has a health check; without one,
Docker would treat a task as running as soon as its process starts. After SIGTERM, a task keeps
accepting requests for longer than the ingress's refresh interval. The stop grace period leaves
enough time for the slowest request. Docker's defaults for replacing tasks are not changed, because
Spotswarm must work with them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from lab.images import application as images

NETWORK: Final = "proxy"
DOMAIN: Final = "lab.example"


@dataclass(frozen=True, slots=True)
class WebService:
    """A service that runs the lab's test application."""

    name: str
    replicas: int = 2
    start_seconds: float = 0.0
    linger_seconds: float = 5.0
    stop_seconds: float = 0.0
    """How long the application takes to exit after it has stopped serving."""
    has_health_check: bool = True
    health_interval_seconds: float = 1.0
    version: str = "1"
    is_bad: bool = False
    """Whether the application never becomes healthy."""
    constraint: str = "node.role==worker"
    labels: Mapping[str, str] = field(default_factory=dict)
    extra: tuple[str, ...] = ()
    """Additional options for `docker service create`."""

    @property
    def host(self) -> str:
        """The host name that the ingress routes to this service."""
        return f"{self.name}.{DOMAIN}"

    def options(self) -> list[str]:
        """Return the options for `docker service create`; the image is not included."""
        router = f"traefik.http.routers.{self.name}"
        labels = {
            "traefik.enable": "true",
            f"{router}.rule": f"Host(`{self.host}`)",
            f"{router}.entrypoints": "web",
            f"traefik.http.services.{self.name}.loadbalancer.server.port": "8080",
            **self.labels,
        }
        environment = {
            "START_SECONDS": self.start_seconds,
            "LINGER_SECONDS": self.linger_seconds,
            "STOP_SECONDS": self.stop_seconds,
        }
        # The linger, then requests in flight, then the service's own delay.
        grace = self.linger_seconds + 10 + self.stop_seconds + 2
        options = [
            f"--name={self.name}",
            f"--replicas={self.replicas}",
            f"--network={NETWORK}",
            "--endpoint-mode=dnsrr",
            f"--constraint={self.constraint}",
            f"--stop-grace-period={grace:.0f}s",
            "--limit-memory=96M",
            *(f"--label={name}={value}" for name, value in labels.items()),
            *(f"--env={name}={value}" for name, value in environment.items()),
        ]
        if self.has_health_check:
            options += [
                f"--health-cmd={images.HEALTH_COMMAND}",
                f"--health-interval={self.health_interval_seconds:g}s",
                "--health-timeout=10s",
                "--health-retries=3",
                f"--health-start-period={self.start_seconds + 10:.0f}s",
            ]
        return [*options, *self.extra]
