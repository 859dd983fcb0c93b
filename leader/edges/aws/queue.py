"""The SQS queue that receives EventBridge's events. `leader.leaving.parsing` reads them.

Rule: a message is deleted when what it called for is done, not when it is read. Until then SQS
shows it again after `_HIDDEN_SECONDS`, with a new receipt: to this leader or to the next.
"""

from collections.abc import Sequence
from typing import Final

from leader.edges.aws.clients import Aws
from runtime.errors import GoneError, RefusedError, UnavailableError

_POLL_SECONDS: Final = 5
"""A stopping daemon waits for this: a thread cannot be cancelled."""
_HIDDEN_SECONDS: Final = 20
_AT_ONCE: Final = 10
"""The most SQS gives or deletes in one call.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
"""
_NOT_THERE: Final = frozenset({"ReceiptHandleIsInvalid", "InvalidParameterValue"})


class Notices:
    """One queue."""

    def __init__(self, aws: Aws, queue_url: str) -> None:
        self._aws = aws
        self._url = queue_url

    async def receive(self) -> tuple[tuple[str, str], ...]:
        """Bodies and receipts of up to ten messages; none came after five seconds.

        Call it one at a time. A receipt holds for as long as the message is not shown again.

        Raises:
            UnavailableError: whatever the reason is, a queue that is missing or closed to us
                included: agents tell of notices too, and joining needs no queue.
        """
        try:
            answer = await self._aws.call(
                "receiving notices",
                self._aws.sqs.receive_message,
                QueueUrl=self._url,
                MaxNumberOfMessages=_AT_ONCE,
                WaitTimeSeconds=_POLL_SECONDS,
                VisibilityTimeout=_HIDDEN_SECONDS,
            )
        except (GoneError, RefusedError) as exc:
            raise UnavailableError(str(exc)) from exc
        return tuple(
            (message.get("Body", ""), message["ReceiptHandle"])
            for message in answer.get("Messages", ())
        )

    async def delete(self, receipts: Sequence[str]) -> None:
        """Take messages off the queue; one that is gone already, or shown again, is no error.

        Raises:
            UnavailableError: some are there still; deleting all of them again is right.
        """
        for start in range(0, len(receipts), _AT_ONCE):
            await self._delete(receipts[start : start + _AT_ONCE])

    async def _delete(self, receipts: Sequence[str]) -> None:
        try:
            answer = await self._aws.call(
                "deleting notices",
                self._aws.sqs.delete_message_batch,
                QueueUrl=self._url,
                Entries=[
                    {"Id": str(number), "ReceiptHandle": receipt}
                    for number, receipt in enumerate(dict.fromkeys(receipts))
                ],
            )
        except GoneError:
            return
        except RefusedError as exc:
            # A right that is missing must not end the leader: the messages only come again.
            raise UnavailableError(str(exc)) from exc
        left = [one["Code"] for one in answer.get("Failed", ()) if one["Code"] not in _NOT_THERE]
        if left:
            raise UnavailableError(f"deleting notices: AWS says {left[0]} to {len(left)} of them")
