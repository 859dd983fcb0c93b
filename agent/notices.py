"""Parses AWS notices from the metadata service and tracks which notices are current.

Rule: treat a notice as withdrawn only when it has been missing from the metadata service's
responses for `WITHDRAWN_AFTER`. If the service does not respond, all notices remain current. The
formats match those of the AWS Node Termination Handler:
https://github.com/aws/aws-node-termination-handler/blob/main/pkg/ec2metadata/ec2metadata.go
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import BaseModel, Field, StringConstraints, TypeAdapter

from agent.events import AllClear, News, NoticesChanged
from agent.model import AwsNotice, StandingNotice
from wire.messages import MalformedMessage
from wire.times import Time, plausible

INTERRUPTION: Final = "spot/instance-action"
REBALANCE: Final = "events/recommendations/rebalance"
MAINTENANCE: Final = "events/maintenance/scheduled"
"""These three constants are paths under `meta-data/`."""

WITHDRAWN_AFTER: Final = timedelta(seconds=60)
_MOST_EVENTS: Final = 8
_URGENCY: Final = ("interruption", "maintenance", "rebalance")


class _Interruption(BaseModel):
    action: Literal["terminate", "stop", "hibernate"]
    time: Time


class _Rebalance(BaseModel):
    notice_time: Annotated[Time, Field(alias="noticeTime")]


class _Maintenance(BaseModel):
    event: Annotated[str, StringConstraints(pattern=r"^[\w.:-]{1,80}$"), Field(alias="EventId")]
    code: Annotated[str, StringConstraints(pattern=r"^[a-z-]{1,40}$"), Field(alias="Code")]
    not_before: Annotated[str, Field(alias="NotBefore")]
    state: Annotated[str, Field(alias="State")]


_MAINTENANCES: Final[TypeAdapter[list[_Maintenance]]] = TypeAdapter(list[_Maintenance])


def read(path: str, text: str | None) -> tuple[AwsNotice, ...]:
    """Parse the text that the metadata service returned for `path`.

    If `text` is None, there is no notice, and the result is empty.

    Raises:
        MalformedMessage: if the text does not have the format that AWS documents.
    """
    if text is None:
        return ()
    try:
        return _READERS[path](text)
    # Pydantic's validation error is also a ValueError.
    except (ValueError, RecursionError):
        raise MalformedMessage(f"the metadata service's {path} has an unknown format") from None


def _interruption(text: str) -> tuple[AwsNotice, ...]:
    document = _Interruption.model_validate_json(text)
    return (AwsNotice("interruption", document.time.astimezone(UTC), document.action),)


def _rebalance(text: str) -> tuple[AwsNotice, ...]:
    document = _Rebalance.model_validate_json(text)
    return (AwsNotice("rebalance", document.notice_time.astimezone(UTC)),)


def _maintenance(text: str) -> tuple[AwsNotice, ...]:
    active = [
        event
        for event in _MAINTENANCES.validate_python(json.loads(text))
        if event.state == "active"
    ]
    return tuple(
        AwsNotice(
            "maintenance",
            plausible(
                datetime.strptime(event.not_before, "%d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
            ),
            "stop" if event.code in {"instance-stop", "instance-retirement"} else None,
            event.event,
            event.code,
        )
        for event in active[:_MOST_EVENTS]
    )


_READERS: Final[Mapping[str, Callable[[str], tuple[AwsNotice, ...]]]] = {
    INTERRUPTION: _interruption,
    REBALANCE: _rebalance,
    MAINTENANCE: _maintenance,
}
_KIND_AT: Final = {INTERRUPTION: "interruption", REBALANCE: "rebalance"}


class _Record(NamedTuple):
    standing: StandingNotice
    last_seen: datetime


@dataclass(frozen=True, slots=True)
class NoticeBoard:
    """The current notices from AWS, and when each of them was last seen."""

    records: tuple[_Record, ...] = ()
    last_seen: datetime | None = None
    """When any notice was last seen; before the first notice, the time of the first poll."""
    is_clear: bool = False

    @property
    def standing(self) -> tuple[StandingNotice, ...]:
        """The current notices, most urgent first."""
        notices = (record.standing for record in self.records)
        return tuple(sorted(notices, key=lambda standing: _URGENCY.index(standing.notice.kind)))

    @property
    def to_report(self) -> tuple[StandingNotice, ...]:
        """The notices to report to the leader.

        An interruption notice is urgent, so it is reported alone. Otherwise, all notices are
        reported.
        """
        standing = self.standing
        is_interrupted = bool(standing) and standing[0].notice.kind == "interruption"
        return standing[:1] if is_interrupted else standing


def update(
    board: NoticeBoard, path: str, notices: tuple[AwsNotice, ...], at: datetime
) -> tuple[NoticeBoard, News | None]:
    """Record the notices found at `path`, and return the updated `NoticeBoard`.

    Also return the resulting `News` event, or None if there is no news.
    """
    kind = _KIND_AT.get(path, "maintenance")
    before = {
        (record.standing.notice.kind, record.standing.notice.event): record
        for record in board.records
    }
    records = dict(before)
    for notice in notices:
        key = (notice.kind, notice.event)
        first_seen = before[key].standing.first_seen if key in before else at
        records[key] = _Record(StandingNotice(notice, first_seen), at)
    for key, record in before.items():
        is_withdrawn = at - record.last_seen > WITHDRAWN_AFTER
        if key[0] == kind and is_withdrawn and records[key] is record:
            del records[key]
    last_seen = at if notices or board.last_seen is None else board.last_seen
    is_clear = not records and at - last_seen > WITHDRAWN_AFTER
    after = replace(board, records=tuple(records.values()), last_seen=last_seen, is_clear=is_clear)
    if after.is_clear and not board.is_clear:
        return after, AllClear(at)
    standing = after.standing
    if standing and standing != board.standing:
        return after, NoticesChanged(at, standing[0].notice)
    return after, None
