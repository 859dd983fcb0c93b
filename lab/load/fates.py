"""The results of requests, and statistics about them. This module does no I/O.

Rule: a request counts as lost unless it gets a response with status 200. All times come from
`runtime.clock.monotonic`, a clock that all processes on a host share. A test can therefore compare
these times with its own measurements.
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
    """When the client should have sent the request."""
    lag: float
    """How many seconds late the client sent the request; not caused by the service."""
    latency: float
    """Seconds from sending the request to the complete response or the error."""
    outcome: str
    """`ok`, an HTTP status, or the kind of error."""
    task: str = ""
    """The host name of the task that responded."""


@dataclass(frozen=True, slots=True)
class Loss:
    """The number of lost requests with one outcome, and when the first and last were due."""

    count: int
    first: float
    last: float


@dataclass(frozen=True, slots=True)
class Report:
    """The results of all requests between `began` and `ended`, in the order they were due."""

    fates: tuple[Fate, ...]
    began: float
    ended: float

    @property
    def sent(self) -> int:
        """The number of requests that were sent."""
        return len(self.fates)

    @property
    def ok(self) -> int:
        """The number of requests that got a response with status 200."""
        return sum(fate.outcome == "ok" for fate in self.fates)

    @property
    def lost(self) -> int:
        """The number of lost requests."""
        return self.sent - self.ok

    @property
    def losses(self) -> dict[str, Loss]:
        """For each outcome, the number of lost requests, and when the first and last were due."""
        losses: dict[str, Loss] = {}
        for fate in self.fates:
            if fate.outcome != "ok":
                before = losses.get(fate.outcome, Loss(0, fate.due, fate.due))
                losses[fate.outcome] = Loss(before.count + 1, before.first, fate.due)
        return losses

    @property
    def hosts(self) -> list[str]:
        """The host names that requests were sent to, one for each service."""
        return sorted({fate.host for fate in self.fates})

    @property
    def tasks(self) -> set[str]:
        """The host names of all tasks that responded."""
        return {fate.task for fate in self.fates if fate.task}

    def of(self, host: str) -> "Report":
        """Return a report on the requests to one service, given the service's host name."""
        return self._where(lambda fate: fate.host == host)

    def between(self, start: float, end: float) -> "Report":
        """Return a report on the requests that were due at or after `start` and before `end`."""
        part = self._where(lambda fate: start <= fate.due < end)
        return Report(part.fates, max(start, self.began), min(end, self.ended))

    def latency(self, share: float) -> float:
        """Return a quantile of the latencies in seconds; a `share` of 1 means the longest latency.

        Lost requests are not included, so check `lost` as well. The result is NaN if all requests
        were lost.
        """
        return _quantile((fate.latency for fate in self.fates if fate.outcome == "ok"), share)

    def lag(self, share: float = 1.0) -> float:
        """Return a quantile of the client's sending delays in seconds (by default, the maximum)."""
        return _quantile((fate.lag for fate in self.fates), share)

    def dump(self) -> str:
        """Return the report as JSON, which another process can read with `parse`."""
        return json.dumps([self.began, self.ended, *map(astuple, self.fates)])

    @classmethod
    def parse(cls, text: str) -> "Report":
        """Read a report from the output of `dump`."""
        began, ended, *fates = json.loads(text)
        return cls(tuple(Fate(*fate) for fate in fates), began, ended)

    def __str__(self) -> str:
        """Return a summary: the client's delays, and each service's latencies and lost requests."""
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
