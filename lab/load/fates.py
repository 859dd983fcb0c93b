"""What became of requests, and the figures one asks for. Pure.

Rule: everything but an answer of 200 is lost. Times are of `runtime.clock.monotonic`, which all
processes of a host share: a test may compare them with its own.
"""

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass


@dataclass(frozen=True, slots=True)
class Fate:
    """One request."""

    host: str
    due: float
    """When it was to be sent."""
    lag: float
    """Seconds by which the client was late; not the service's fault."""
    latency: float
    """Seconds from sending to the whole answer, or to the error."""
    outcome: str
    """`ok`, a status, or the kind of error."""
    task: str = ""
    """Host name of the task that answered."""


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
        """How many requests there were."""
        return len(self.fates)

    @property
    def ok(self) -> int:
        """How many were answered 200."""
        return sum(fate.outcome == "ok" for fate in self.fates)

    @property
    def lost(self) -> int:
        """How many were not."""
        return self.sent - self.ok

    @property
    def losses(self) -> dict[str, Loss]:
        """Kind → what was lost, with the time of the first and the last."""
        found: dict[str, Loss] = {}
        for fate in self.fates:
            if fate.outcome != "ok":
                before = found.get(fate.outcome, Loss(0, fate.due, fate.due))
                found[fate.outcome] = Loss(before.count + 1, before.first, fate.due)
        return found

    @property
    def hosts(self) -> list[str]:
        """The services asked."""
        return sorted({fate.host for fate in self.fates})

    @property
    def tasks(self) -> set[str]:
        """Host names of all tasks that answered."""
        return {fate.task for fate in self.fates if fate.task}

    def of(self, host: str) -> "Report":
        """The same for one service."""
        return self._where(lambda fate: fate.host == host)

    def between(self, start: float, end: float) -> "Report":
        """Only the requests due in this window."""
        kept = self._where(lambda fate: start <= fate.due < end)
        return Report(kept.fates, max(start, self.began), min(end, self.ended))

    def latency(self, share: float) -> float:
        """Seconds within which this share of the answered requests was answered; 1 is the slowest.

        Lost ones have no latency: look at `lost` first. NaN when none was answered.
        """
        return _quantile((fate.latency for fate in self.fates if fate.outcome == "ok"), share)

    def lag(self, share: float = 1.0) -> float:
        """Seconds by which the client was late with this share of the requests, at most."""
        return _quantile((fate.lag for fate in self.fates), share)

    def dump(self) -> str:
        """As JSON, for another process."""
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
