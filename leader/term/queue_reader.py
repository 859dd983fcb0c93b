"""Reads EC2 notices from the SQS queue and puts them into the leader's inbox.

Rule: this module deletes only messages that require no action. `DeleteNotices` deletes all other
messages after they have been handled. Until then, SQS keeps redelivering them. Whatever a message
raises ends only the handling of this message.
"""

from typing import Final

import structlog

from leader.edges.aws.queue import NoticeQueue
from leader.leaving.parsing import Malformed, Unknown, excerpt, parse
from leader.term.inbox import Inbox
from leader.term.metrics import Metrics
from leader.view.events import Noticed
from leader.view.notices import Notice
from runtime import clock
from runtime.faults import Faults
from runtime.logs import scrub

log = structlog.get_logger("leader")


_PATH: Final = "the queue's messages"


async def read_queue(
    queue: NoticeQueue, inbox: Inbox, metrics: Metrics, faults: Faults | None = None
) -> None:
    """Read notices until `queue` raises an error."""
    faults = faults or Faults()
    while True:
        for body, receipt in await queue.receive():
            notices: tuple[Notice, ...] = ()
            with faults.contained(_PATH):
                notices = _notices(body, metrics)
            if not notices:
                await queue.delete((receipt,))
            for notice in notices:
                metrics.notices.labels("queue", notice.kind).inc()
                others = tuple(
                    other.instance for other in notices if other.instance != notice.instance
                )
                await inbox.put(
                    Noticed(
                        inbox.new_id("notice"),
                        clock.steady(),
                        notice,
                        receipt=receipt,
                        others=others,
                    )
                )


def _notices(body: str, metrics: Metrics) -> tuple[Notice, ...]:
    """Return a message's notices; count and log a message without notices."""
    match parse(body):
        case Unknown(what=what, is_expected=True):
            metrics.notices.labels("queue", "unknown").inc()
            log.info("ignored an irrelevant notice", what=what)
        case Unknown(what=what):
            metrics.notices.labels("queue", "unknown").inc()
            log.warning("deleted an unknown message", what=what, begins=scrub(excerpt(body)))
        case Malformed(why=why):
            metrics.notices.labels("queue", "malformed").inc()
            log.warning("could not parse a notice", why=why, begins=scrub(excerpt(body)))
        case notices:
            return notices
    return ()
