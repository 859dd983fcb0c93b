"""AWS's notices in the metadata service: reading them, and remembering which stand.

Rule: a notice is withdrawn only after the service has answered without it for `WITHDRAWN_AFTER`;
a service that does not answer withdraws nothing. The formats are those that AWS's node
termination handler reads:
https://github.com/aws/aws-node-termination-handler/blob/main/pkg/ec2metadata/ec2metadata.go
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import AwareDatetime, BaseModel, Field, StringConstraints, TypeAdapter

from agent.events import AllClear, News, NoticesChanged
from agent.model import AwsNotice, StandingNotice
from wire.messages import MalformedMessage

INTERRUPTION: Final = "spot/instance-action"
REBALANCE: Final = "events/recommendations/rebalance"
MAINTENANCE: Final = "events/maintenance/scheduled"
"""Paths below `meta-data/`."""

WITHDRAWN_AFTER: Final = timedelta(seconds=60)
_MOST_EVENTS: Final = 8
_URGENCY: Final = ("interruption", "maintenance", "rebalance")


class _Interruption(BaseModel):
    action: Literal["terminate", "stop", "hibernate"]
    time: AwareDatetime


class _Rebalance(BaseModel):
    notice_time: Annotated[AwareDatetime, Field(alias="noticeTime")]


class _Maintenance(BaseModel):
    event: Annotated[str, StringConstraints(pattern=r"^[\w.:-]{1,80}$"), Field(alias="EventId")]
    code: Annotated[str, StringConstraints(pattern=r"^[a-z-]{1,40}$"), Field(alias="Code")]
    not_before: Annotated[str, Field(alias="NotBefore")]
    state: Annotated[str, Field(alias="State")]


_MAINTENANCES: Final[TypeAdapter[list[_Maintenance]]] = TypeAdapter(list[_Maintenance])


def read(path: str, text: str | None) -> tuple[AwsNotice, ...]:
    """The notices in `text` at `path`; None is the normal answer and means that there are none.

    Raises:
        MalformedMessage: the text is not what AWS documents.
    """
    if text is None:
        return ()
    try:
        return _READERS[path](text)
    # Pydantic's error for JSON of an unexpected shape is a ValueError too.
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
            datetime.strptime(event.not_before, "%d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC),
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
    """The notices that stand, as far as we know."""

    records: tuple[_Record, ...] = ()
    last_seen: datetime | None = None
    """When any notice was last seen; at first, when we first looked."""
    is_clear: bool = False

    @property
    def standing(self) -> tuple[StandingNotice, ...]:
        """Most urgent first."""
        notices = (record.standing for record in self.records)
        return tuple(sorted(notices, key=lambda standing: _URGENCY.index(standing.notice.kind)))

    @property
    def to_report(self) -> tuple[StandingNotice, ...]:
        """What the leader must know: an interruption comes alone, for it leaves no time."""
        standing = self.standing
        is_interrupted = bool(standing) and standing[0].notice.kind == "interruption"
        return standing[:1] if is_interrupted else standing


def update(
    board: NoticeBoard, path: str, notices: tuple[AwsNotice, ...], at: datetime
) -> tuple[NoticeBoard, News | None]:
    """Record one answer of the service; returns the news in it, if any."""
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
