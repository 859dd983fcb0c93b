"""What AWS tells the queue: taken off it, read, handed on as events.

Rule: a message is deleted here only if nothing is to be done for it; any other when its work is
done (`DeleteNotices`). What is left on the queue comes again.
"""

from collections.abc import Awaitable, Callable

import structlog

from leader.edges.aws.queue import Notices
from leader.leaving.parsing import Malformed, Unknown, parse
from leader.term.metrics import Metrics
from leader.view.events import Event, Noticed
from runtime import clock

log = structlog.get_logger("leader")


async def hear(
    notices: Notices,
    metrics: Metrics,
    *,
    hand_on: Callable[[Event], Awaitable[None]],
    new_id: Callable[[str], str],
) -> None:
    """Hear for ever; raises what `Notices` does."""
    while True:
        for body, receipt in await notices.receive():
            found = parse(body)
            match found:
                case Unknown(what=what):
                    metrics.notices.labels("queue", "unknown").inc()
                    log.info("notice not for us", what=what)
                    await notices.delete((receipt,))
                case Malformed(why=why):
                    metrics.notices.labels("queue", "malformed").inc()
                    log.warning("notice cannot be read", why=why)
                    await notices.delete((receipt,))
                case _:
                    for notice in found:
                        metrics.notices.labels("queue", notice.kind).inc()
                        event = Noticed(new_id("notice"), clock.now(), notice, receipt=receipt)
                        await hand_on(event)
