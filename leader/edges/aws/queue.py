"""The SQS queue with EventBridge's events, which `leader.leaving.parsing` parses.

Rule: delete a message when its work is done, not when it is read. Until then SQS delivers it again
after `_HIDDEN_SECONDS`, with a new receipt, to this leader or to the next.
"""

from collections.abc import Sequence
from typing import Final

from leader.edges.aws.clients import Aws
from runtime.errors import GoneError, RefusedError, UnavailableError

_POLL_SECONDS: Final = 5
"""A stopping daemon waits this long, because a thread cannot be cancelled."""
_HIDDEN_SECONDS: Final = 20
_AT_ONCE: Final = 10
"""The most messages that SQS returns or deletes in one call.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
"""
_ALREADY_GONE: Final = frozenset({"ReceiptHandleIsInvalid", "InvalidParameterValue"})


class NoticeQueue:
    """One queue."""

    def __init__(self, aws: Aws, queue_url: str) -> None:
        self._aws = aws
        self._url = queue_url

    async def receive(self) -> tuple[tuple[str, str], ...]:
        """Bodies and receipts of up to ten messages, or none after five seconds.

        Do not call it concurrently. A receipt is valid until SQS delivers the message again.

        Raises:
            UnavailableError: for any reason, even if the queue is missing or we may not read it:
                agents report notices too, and joining needs no queue.
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
        """Delete messages; those that are gone or were delivered again are ignored.

        Raises:
            UnavailableError: some were not deleted; it is safe to delete all of them again.
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
            # A missing permission must not end the term: the messages are only delivered again.
            raise UnavailableError(str(exc)) from exc
        codes = [failure["Code"] for failure in answer.get("Failed", ())]
        remaining = [code for code in codes if code not in _ALREADY_GONE]
        if remaining:
            raise UnavailableError(
                f"deleting notices: AWS answers {remaining[0]} for {len(remaining)} of them"
            )
