"""The contained faults of a service, as a metric and as a readiness check.

Rule: each application has its own faults, so that its readiness shows only what it contained.
"""

from typing import Final

from prometheus_client import Counter

from runtime.faults import Faults

_CONTAINED: Final = Counter(
    "contained_faults_total", "Exceptions that one item of input raised, by input path", ["path"]
)


def counted() -> Faults:
    """Return a new collection of faults that updates the metric."""
    return Faults(lambda path: _CONTAINED.labels(path).inc())


def sentence(faults: Faults) -> str | None:
    """Readiness check: return None if no fault is recent, otherwise the input paths and numbers."""
    counts: dict[str, int] = {}
    for fault in faults.recent():
        counts[fault["path"]] = counts.get(fault["path"], 0) + fault["count"]
    if not counts:
        return None
    listed = ", ".join(f"{path} ({count})" for path, count in sorted(counts.items()))
    return f"contained faults, see the log: {listed}"
