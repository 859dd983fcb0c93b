"""Converts between the leader's steady time and the dates of others: labels, notices and Swarm.

The view and all decisions use `runtime.clock.steady`, so that setting this machine's clock changes
neither order nor age. Dates of others come from clocks outside this process. `received` converts
such a date once, when the leader first sees it, and keeps the result; `sent` converts dates that
the leader writes. Rule: the clocks must not be read here; the caller passes `step`, which is how
far the machine's clock was set (`runtime.clock.step`). While the step is zero, nothing changes,
except dates that cannot be right.
"""

import json
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeGuard, TypeVar

from leader.view.actions import Action, ChangeService, GrantJoin, PauseNode
from leader.view.events import Event, NodesListed, Noticed, WorkListed
from leader.view.model import Node
from leader.view.notices import NOTICE, Notice
from leader.view.work import Service, Task
from wire.labels import LABEL_DEADLINE, LABEL_LOAN, LABEL_SINCE, read_time, time_text

_TOLERANCE: Final = timedelta(seconds=1)
_MOST_REMEMBERED: Final = 10_000
_ZERO: Final = timedelta()
_YEAR_9000: Final = 221_845_392_000

_Key = tuple[str, ...]
_Created = TypeVar("_Created", Node, Task)


class Timeline:
    """Remembers, for one term, how each date of others was converted."""

    def __init__(self) -> None:
        self._offsets: OrderedDict[_Key, timedelta] = OrderedDict()
        self._node_births = _Births()
        self._task_births = _Births()

    def received(self, event: Event, step: timedelta) -> Event:
        """Return the event with all dates in the leader's steady time."""
        match event:
            case NodesListed(nodes=nodes, at=at):
                created = self._node_births.of(
                    ((node.id, node.created) for node in nodes), at, event.requested_at, step
                )
                return replace(
                    event, nodes=tuple(self._node(node, created, at, step) for node in nodes)
                )
            case WorkListed(services=services, tasks=tasks, at=at):
                created = self._task_births.of(
                    ((task.id, task.created) for task in tasks), at, event.requested_at, step
                )
                return replace(
                    event,
                    services=tuple(self._service(service, at, step) for service in services),
                    tasks=tuple(_born(task, created[task.id]) for task in tasks),
                )
            case Noticed(notice=notice, at=at):
                return replace(event, notice=self._notice(notice, at, step))
        return event

    def sent(self, action: Action, step: timedelta) -> Action:
        """Return the action with all dates as the machine's clock shows them."""
        match action:
            case PauseNode(labels=labels) if LABEL_SINCE in labels or LABEL_DEADLINE in labels:
                labels = _shifted_labels(labels, step)
                self._offsets[_node_key(action.node, labels)] = step
                return replace(action, labels=labels)
            case ChangeService(label=str() as label):
                label = _shifted_loan(label, step)
                self._offsets["service", action.service, label] = step
                return replace(action, label=label)
            case GrantJoin(expires=expires):
                return replace(action, expires=_shifted(expires, step))
        return action

    def _offset(self, key: _Key, first: Callable[[], timedelta]) -> timedelta:
        """Return the offset of a date: the one of the first time that the date was seen."""
        if key not in self._offsets:
            self._offsets[key] = first()
            if len(self._offsets) > _MOST_REMEMBERED:
                self._offsets.popitem(last=False)
        self._offsets.move_to_end(key)
        return self._offsets[key]

    def _node(
        self, node: Node, created: Mapping[str, datetime], at: datetime, step: timedelta
    ) -> Node:
        node = _born(node, created[node.id])
        if LABEL_SINCE not in node.labels and LABEL_DEADLINE not in node.labels:
            return node
        since = read_time(node.labels.get(LABEL_SINCE))
        offset = self._offset(
            _node_key(node.id, node.labels), lambda: _label_offset(since, at, step)
        )
        return replace(node, labels=_shifted_labels(node.labels, -offset)) if offset else node

    def _service(self, service: Service, at: datetime, step: timedelta) -> Service:
        label = service.labels.get(LABEL_LOAN)
        if label is None:
            return service
        offset = self._offset(("service", service.id, label), lambda: _loan_offset(label, at, step))
        if not offset:
            return service
        labels = {**service.labels, LABEL_LOAN: _shifted_loan(label, -offset)}
        return replace(service, labels=labels)

    def _notice(self, notice: Notice, at: datetime, step: timedelta) -> Notice:
        dates = (str(notice.announced_at), str(notice.deadline))
        key = ("notice", notice.instance, notice.kind, notice.source, *dates)
        offset = self._offset(key, lambda: _notice_offset(notice, at, step))
        if not offset:
            return notice
        deadline = None if notice.deadline is None else _shifted(notice.deadline, -offset)
        return replace(
            notice, announced_at=_shifted(notice.announced_at, -offset), deadline=deadline
        )


class _Births:
    """When nodes or tasks were created, in steady time.

    Swarm dates them by the clock of the manager that led. What the previous list did not contain
    was created after that list was requested, and nothing is created in the future.
    """

    def __init__(self) -> None:
        self._known: dict[str, datetime] = {}
        self._requested_at: datetime | None = None

    def of(
        self,
        dated: Iterable[tuple[str, datetime]],
        at: datetime,
        requested_at: datetime | None,
        step: timedelta,
    ) -> dict[str, datetime]:
        """Return when each id was created, and forget the ids that are not listed."""
        known, earliest = self._known, self._requested_at
        births: dict[str, datetime] = {}
        for name, date in dated:
            birth = known.get(name)
            if birth is None:
                birth = _shifted(date, -step)
                if earliest is not None and birth < earliest - _TOLERANCE:
                    birth = earliest
                if birth > at + _TOLERANCE:
                    birth = at
            births[name] = birth
        self._known, self._requested_at = births, requested_at
        return births


def _born(entry: _Created, created: datetime) -> _Created:
    return entry if entry.created == created else replace(entry, created=created)


def _node_key(node: str, labels: Mapping[str, str]) -> _Key:
    return ("node", node, labels.get(LABEL_SINCE, ""), labels.get(LABEL_DEADLINE, ""))


def _label_offset(since: datetime, at: datetime, step: timedelta) -> timedelta:
    """Return the offset of a label's dates: `since` is never in the future.

    If it would be both before and after our clock was set, the clock of the leader that wrote the
    label was ahead of ours. The deadline moves with `since`, so a deadline is never further away
    than when it was written.
    """
    ahead = since - at
    plausible = [offset for offset in (step, _ZERO) if ahead - offset <= _TOLERANCE]
    return min(plausible, default=ahead)


def _notice_offset(notice: Notice, at: datetime, step: timedelta) -> timedelta:
    """Return the offset of a notice's dates.

    AWS announces an interruption two minutes ahead. If somebody set our clock, this tells whether
    it was right before or is right now. If the deadline is further away by both, our clock is
    behind. An agent sends only notices that are current. If its deadline passed long ago by both,
    our clock is ahead, and the time that the agent had when it saw the notice counts.
    """
    if notice.kind != "interruption" or notice.deadline is None:
        return step
    ahead = notice.deadline - at
    plausible = [
        offset for offset in (step, _ZERO) if -NOTICE <= ahead - offset <= NOTICE + _TOLERANCE
    ]
    if plausible:
        return min(plausible)
    if ahead - step > NOTICE:
        return ahead - NOTICE
    if notice.source == "agent":
        return ahead - min(max(notice.deadline - notice.announced_at, _ZERO), NOTICE)
    return step


def _shifted(date: datetime, by: timedelta) -> datetime:
    try:
        return date + by
    except OverflowError:  # the first or the last hours of the calendar
        return date


def _shifted_labels(labels: Mapping[str, str], by: timedelta) -> dict[str, str]:
    """Return the labels with their dates shifted; what is not a date stays as it is."""
    if not by:
        return dict(labels)
    shifted = dict(labels)
    for name in (LABEL_SINCE, LABEL_DEADLINE):
        date = read_time(labels.get(name))
        if date.timestamp() > 0:
            shifted[name] = time_text(_shifted(date, by))
    return shifted


def _loan_offset(label: str, at: datetime, step: timedelta) -> timedelta:
    since = _loan_fields(label).get("since")
    if not _is_date(since):
        return step
    return _label_offset(datetime.fromtimestamp(since, UTC), at, step)


def _shifted_loan(label: str, by: timedelta) -> str:
    """Return a loan's label with its date shifted; a label that is not a loan stays as it is."""
    fields = _loan_fields(label) if by else {}
    since = fields.get("since")
    if not _is_date(since):
        return label
    shifted = fields | {"since": since + by.total_seconds()}
    return json.dumps(shifted, separators=(",", ":"), sort_keys=True)


def _is_date(seconds: object) -> TypeGuard[float]:
    """Return whether a value is a number of seconds since 1970, in the years of our calendar."""
    return isinstance(seconds, int | float) and 0 < seconds < _YEAR_9000


def _loan_fields(label: str) -> dict[str, Any]:
    try:
        fields = json.loads(label)
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}
