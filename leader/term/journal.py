"""Logs, counts and records what was decided and how it ended."""

from datetime import datetime

import structlog

from leader.report.record import Record
from leader.term.metrics import Metrics
from leader.view.actions import (
    Action,
    DeleteNotices,
    DenyJoin,
    DrainNode,
    GrantJoin,
    ListInstances,
    OrderLeave,
    Refuse,
    SettleNode,
    TerminateInstance,
)
from leader.view.events import Done, Event, Failed

log = structlog.get_logger("leader")


class Journal:
    """The journal of one term; `record` is what the admin API shows of it."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self.record = Record()

    def decided(self, action: Action, at: datetime) -> None:
        """Note that an action was decided."""
        if isinstance(action, ListInstances | DeleteNotices):
            # Routine, and about no node: they would displace what operators look for.
            return
        self.record.decided(action, at)
        match action:
            case GrantJoin():
                self._metrics.joins.labels("granted", "").inc()
            case DenyJoin(denied=denied):
                self._metrics.joins.labels("denied", denied.code.value).inc()
        write = log.error if isinstance(action, Refuse) else log.info
        write(
            "decided",
            action=type(action).__name__,
            subject=action.subject,
            reason=action.reason,
            cause=action.cause,
        )

    def received(self, event: Event) -> None:
        """Note how an action ended, if the event says so."""
        match event:
            case Done(action=action):
                self.record.ended(action, "done")
                self._metrics.actions.labels(type(action).__name__, "done").inc()
                self._count_tasks(action)
            case Failed(action=action, reason=reason):
                self.record.ended(action, f"failed: {reason}")
                self._metrics.actions.labels(type(action).__name__, "failed").inc()
                log.warning(
                    "action failed",
                    action=type(action).__name__,
                    subject=action.subject,
                    reason=reason,
                )

    def _count_tasks(self, action: Action) -> None:
        """Count the tasks that were not moved in time, and those that were cut off."""
        match action:
            case DrainNode(unmoved=left) if left:
                self._metrics.tasks_unmoved.inc(len(left))
                log.warning("tasks not moved", node=action.node, tasks=left)
            case (
                OrderLeave(cut_off=cut_off)
                | SettleNode(cut_off=cut_off)
                | TerminateInstance(cut_off=cut_off)
            ) if cut_off:
                self._metrics.tasks_cut_off.inc(len(cut_off))
                log.warning("tasks cut off", instance=action.instance, tasks=cut_off)
