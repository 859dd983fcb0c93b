"""Logs, counts and records the actions that the leader decides on, and their outcomes."""

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
    ReportFault,
    SettleNode,
    TerminateInstance,
)
from leader.view.events import Done, Event, Failed

log = structlog.get_logger("leader")


class Journal:
    """Logs, counts and records the actions of one term; the admin API shows the `record`."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self.record = Record()

    def decided(self, action: Action, at: datetime) -> None:
        """Log, count and record an action that the leader has decided on."""
        if isinstance(action, ListInstances | DeleteNotices):
            # Skip routine actions that concern no node: they would displace useful entries.
            return
        self.record.decided(action, at)
        match action:
            case GrantJoin():
                self._metrics.joins.labels("granted", "").inc()
            case DenyJoin(denied=denied):
                self._metrics.joins.labels("denied", denied.code.value).inc()
        write = log.error if isinstance(action, Refuse | ReportFault) else log.info
        write(
            "decided on an action",
            action=type(action).__name__,
            subject=action.subject,
            reason=action.reason,
            cause=action.cause,
        )

    def received(self, event: Event) -> None:
        """Log, count and record the outcome of an action, if the event reports one."""
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
        """Count and log the tasks that were not moved in time or did not stop in time."""
        match action:
            case DrainNode(unmoved=left) if left:
                self._metrics.tasks_unmoved.inc(len(left))
                log.warning("tasks were not moved in time", node=action.node, tasks=left)
            case (
                OrderLeave(cut_off=cut_off)
                | SettleNode(cut_off=cut_off)
                | TerminateInstance(cut_off=cut_off)
            ) if cut_off:
                self._metrics.tasks_cut_off.inc(len(cut_off))
                log.warning(
                    "tasks were killed before they finished",
                    instance=action.instance,
                    tasks=cut_off,
                )
        match action:
            case OrderLeave() | SettleNode() | TerminateInstance() if not action.is_work_known:
                self._metrics.departures_unknown.inc()
                log.warning("it is not known what still ran on a node", instance=action.instance)
