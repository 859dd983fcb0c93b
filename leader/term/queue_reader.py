"""Reads EC2 notices from the SQS queue and puts them into the leader's inbox.

Rule: this module deletes only messages that require no action. `DeleteNotices` deletes all other
messages after they have been handled. Until then, SQS keeps redelivering them.
"""

import structlog

from leader.edges.aws.queue import NoticeQueue
from leader.leaving.parsing import Malformed, Unknown, parse
from leader.term.inbox import Inbox
from leader.term.metrics import Metrics
from leader.view.events import Noticed
from runtime import clock

log = structlog.get_logger("leader")


async def read_queue(queue: NoticeQueue, inbox: Inbox, metrics: Metrics) -> None:
    """Read notices until `queue` raises an error."""
    while True:
        for body, receipt in await queue.receive():
            result = parse(body)
            match result:
                case Unknown(what=what):
                    metrics.notices.labels("queue", "unknown").inc()
                    log.info("ignored an irrelevant notice", what=what)
                    await queue.delete((receipt,))
                case Malformed(why=why):
                    metrics.notices.labels("queue", "malformed").inc()
                    log.warning("could not parse a notice", why=why)
                    await queue.delete((receipt,))
                case notices:
                    for notice in notices:
                        metrics.notices.labels("queue", notice.kind).inc()
                        event = Noticed(
                            inbox.new_id("notice"), clock.steady(), notice, receipt=receipt
                        )
                        await inbox.put(event)
