"""Isolates the parts of a decision: what one part raises does not prevent the other parts.

Rule: a decision cannot log, so it reports the exception as an action, which counts and logs it.
"""

from collections.abc import Callable, Iterable, Iterator

from leader.view.actions import Action, ReportFault
from leader.view.moment import Moment


def isolated(
    about: str, rule: Callable[[Moment], Iterable[Action]], moment: Moment
) -> Iterator[Action]:
    """Yield a rule's actions; if the rule raises an exception, yield a report of the exception."""
    try:
        yield from rule(moment)
    except Exception as exc:  # noqa: BLE001  the report has the exception
        yield report(about, exc)


def report(about: str, error: Exception) -> ReportFault:
    """Return the action that reports an exception; `about` is what could not be decided."""
    return ReportFault(
        about=about,
        error=error,
        reason=f"the leader has a fault, and could not decide on {about}: {type(error).__name__}",
    )
