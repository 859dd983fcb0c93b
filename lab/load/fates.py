"""The results of requests, and figures about them. Pure.

Rule: a request without an answer of 200 is lost. Times come from `runtime.clock.monotonic`, which
all processes of a host share: a test may compare them with its own.
"""

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass


@dataclass(frozen=True, slots=True)
class Fate:
    """The result of one request."""

    host: str
    due: float
    """The time at which the client had to send it."""
    lag: float
    """Seconds by which the client sent it late; the service has no part in this."""
    latency: float
    """Seconds from sending to the whole answer, or to the error."""
    outcome: str
    """`ok`, a status, or the kind of error."""
    task: str = ""
    """The host name of the task that answered."""


@dataclass(frozen=True, slots=True)
class Loss:
    """All lost requests of one kind."""

    count: int
    first: float
    last: float


@dataclass(frozen=True, slots=True)
class Report:
    """Every request between `began` and `ended`, in the order they were due."""

    fates: tuple[Fate, ...]
    began: float
    ended: float

    @property
    def sent(self) -> int:
        """The number of requests."""
        return len(self.fates)

    @property
    def ok(self) -> int:
        """The number of requests with an answer of 200."""
        return sum(fate.outcome == "ok" for fate in self.fates)

    @property
    def lost(self) -> int:
        """The number of requests without one."""
        return self.sent - self.ok

    @property
    def losses(self) -> dict[str, Loss]:
        """Outcome → the lost requests, with the times of the first and the last."""
        losses: dict[str, Loss] = {}
        for fate in self.fates:
            if fate.outcome != "ok":
                before = losses.get(fate.outcome, Loss(0, fate.due, fate.due))
                losses[fate.outcome] = Loss(before.count + 1, before.first, fate.due)
        return losses

    @property
    def hosts(self) -> list[str]:
        """The services that the requests went to."""
        return sorted({fate.host for fate in self.fates})

    @property
    def tasks(self) -> set[str]:
        """Host names of all tasks that answered."""
        return {fate.task for fate in self.fates if fate.task}

    def of(self, host: str) -> "Report":
        """The report of one service."""
        return self._where(lambda fate: fate.host == host)

    def between(self, start: float, end: float) -> "Report":
        """The report of the requests due in this window."""
        part = self._where(lambda fate: start <= fate.due < end)
        return Report(part.fates, max(start, self.began), min(end, self.ended))

    def latency(self, share: float) -> float:
        """Seconds within which this share of the answers arrived; 1 is the slowest.

        Lost requests have no latency: look at `lost` first. NaN when there was no answer.
        """
        return _quantile((fate.latency for fate in self.fates if fate.outcome == "ok"), share)

    def lag(self, share: float = 1.0) -> float:
        """Seconds by which the client was late with this share of the requests, at most."""
        return _quantile((fate.lag for fate in self.fates), share)

    def dump(self) -> str:
        """The report as JSON, for another process."""
        return json.dumps([self.began, self.ended, *map(astuple, self.fates)])

    @classmethod
    def parse(cls, text: str) -> "Report":
        """The inverse of `dump`."""
        began, ended, *fates = json.loads(text)
        return cls(tuple(Fate(*fate) for fate in fates), began, ended)

    def __str__(self) -> str:
        """Print a line for each service, the kinds of loss, and how late the client was."""
        late = f"{1000 * self.lag(0.99):.0f} ms (p99), {1000 * self.lag():.0f} ms at most"
        seconds = f"{self.ended - self.began:.1f} s"
        lines = [f"{self.sent} sent in {seconds}, {self.lost} lost; the client was late by {late}"]
        for host in self.hosts:
            part = self.of(host)
            figures = " ".join(
                f"{name} {1000 * part.latency(share):.0f}"
                for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))
            )
            lines.append(
                f"  {host}: {part.sent} sent, {part.lost} lost, {len(part.tasks)} tasks, "
                f"{figures} ms"
            )
            for kind, loss in part.losses.items():
                first, last = loss.first - self.began, loss.last - self.began
                lines.append(f"    {loss.count} {kind}, from {first:.1f} s to {last:.1f} s")
        return "\n".join(lines)

    def _where(self, keeps: Callable[[Fate], bool]) -> "Report":
        return Report(tuple(filter(keeps, self.fates)), self.began, self.ended)


def _quantile(values: Iterable[float], share: float) -> float:
    ordered = sorted(values)
    if not ordered:
        return math.nan
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
