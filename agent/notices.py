"""What the metadata service announces, read and remembered.

Rule: an announcement stands until the service has said for `WITHDRAWN_AFTER` that it does not;
a service that does not answer says nothing. Formats as the node termination handler reads them:
https://github.com/aws/aws-node-termination-handler/blob/main/pkg/ec2metadata/ec2metadata.go
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import AwareDatetime, BaseModel, Field, StringConstraints, TypeAdapter

from agent.events import AllClear, News, NoticesChanged
from agent.model import Announcement, Standing
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


def read(path: str, text: str | None) -> tuple[Announcement, ...]:
    """What `text` at `path` announces; None is the normal answer and announces nothing.

    Raises:
        MalformedMessage: it is not what AWS documents.
    """
    if text is None:
        return ()
    try:
        return _READERS[path](text)
    # A JSON of unexpected shape is a ValueError too, pydantic's.
    except (ValueError, RecursionError):
        raise MalformedMessage(f"the metadata service's {path} is of no known form") from None


def _interruption(text: str) -> tuple[Announcement, ...]:
    found = _Interruption.model_validate_json(text)
    return (Announcement("interruption", found.time.astimezone(UTC), found.action),)


def _rebalance(text: str) -> tuple[Announcement, ...]:
    found = _Rebalance.model_validate_json(text)
    return (Announcement("rebalance", found.notice_time.astimezone(UTC)),)


def _maintenance(text: str) -> tuple[Announcement, ...]:
    active = [
        found
        for found in _MAINTENANCES.validate_python(json.loads(text))
        if found.state == "active"
    ]
    return tuple(
        Announcement(
            "maintenance",
            datetime.strptime(found.not_before, "%d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC),
            "stop" if found.code in {"instance-stop", "instance-retirement"} else None,
            found.event,
            found.code,
        )
        for found in active[:_MOST_EVENTS]
    )


_READERS: Final[Mapping[str, Callable[[str], tuple[Announcement, ...]]]] = {
    INTERRUPTION: _interruption,
    REBALANCE: _rebalance,
    MAINTENANCE: _maintenance,
}
_NOTICE_AT: Final = {INTERRUPTION: "interruption", REBALANCE: "rebalance"}


class _Seen(NamedTuple):
    standing: Standing
    last: datetime


@dataclass(frozen=True, slots=True)
class Board:
    """What is announced, as far as we know."""

    seen: tuple[_Seen, ...] = ()
    last: datetime | None = None
    """When anything was announced last; at first, when we first looked."""
    is_clear: bool = False

    @property
    def standing(self) -> tuple[Standing, ...]:
        """Most urgent first."""
        held = (seen.standing for seen in self.seen)
        return tuple(sorted(held, key=lambda one: _URGENCY.index(one.announcement.notice)))

    @property
    def to_tell(self) -> tuple[Standing, ...]:
        """What the leader is to be told: the interruption alone, which needs our whole time."""
        standing = self.standing
        return standing[:1] if _top(standing) == "interruption" else standing


def _top(standing: tuple[Standing, ...]) -> str:
    return standing[0].announcement.notice if standing else ""


def heard(
    board: Board, path: str, found: tuple[Announcement, ...], at: datetime
) -> tuple[Board, News | None]:
    """Note one answer of the service; what changed by it, if anything."""
    notice = _NOTICE_AT.get(path, "maintenance")
    before = {
        (one.standing.announcement.notice, one.standing.announcement.event): one
        for one in board.seen
    }
    now = dict(before)
    for one in found:
        key = (one.notice, one.event)
        since = before[key].standing.seen if key in before else at
        now[key] = _Seen(Standing(one, since), at)
    for key, seen in before.items():
        if key[0] == notice and at - seen.last > WITHDRAWN_AFTER and now[key] is seen:
            del now[key]
    last = at if found or board.last is None else board.last
    is_quiet = not now and at - last > WITHDRAWN_AFTER
    after = replace(board, seen=tuple(now.values()), last=last, is_clear=is_quiet)
    if after.is_clear and not board.is_clear:
        return after, AllClear(at)
    standing = after.standing
    if standing and standing != board.standing:
        return after, NoticesChanged(at, standing[0].announcement)
    return after, None
