"""The SQS queue that delivers EventBridge events to the leader.

Rule: delete a message after it has been handled, not when it is received. Until a message is
deleted, SQS delivers it again every `_HIDDEN_SECONDS` seconds, each time with a new receipt. A new
leader therefore receives the messages that the previous leader did not handle.
"""

from collections.abc import Sequence
from typing import Final

from leader.edges.aws.clients import Aws
from runtime.errors import GoneError, RefusedError, UnavailableError

_POLL_SECONDS: Final = 5
"""A stopping daemon waits for up to this long, because a polling thread cannot be cancelled."""
_HIDDEN_SECONDS: Final = 20
_AT_ONCE: Final = 10
"""The maximum number of messages that SQS returns or deletes in one call.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
"""
_ALREADY_GONE: Final = frozenset({"ReceiptHandleIsInvalid", "InvalidParameterValue"})


class NoticeQueue:
    """Receives messages from an SQS queue, and deletes handled messages."""

    def __init__(self, aws: Aws, queue_url: str) -> None:
        self._aws = aws
        self._url = queue_url

    async def receive(self) -> tuple[tuple[str, str], ...]:
        """Return up to ten (body, receipt) pairs; wait up to five seconds for the first message.

        Do not call this method concurrently. A receipt is valid until SQS delivers the message
        again.

        Raises:
            UnavailableError: on any failure, including a missing queue or permission. The leader
                can work without the queue, because agents also report notices.
        """
        try:
            answer = await self._aws.call(
                "receive notices",
                self._aws.sqs.receive_message,
                QueueUrl=self._url,
                MaxNumberOfMessages=_AT_ONCE,
                WaitTimeSeconds=_POLL_SECONDS,
                VisibilityTimeout=_HIDDEN_SECONDS,
            )
        except (GoneError, RefusedError) as exc:
            raise UnavailableError(str(exc)) from exc
        # A message without a receipt cannot be deleted; the queue delivers it again.
        return tuple(
            (str(message.get("Body", "")), message["ReceiptHandle"])
            for message in answer.get("Messages", ())
            if message.get("ReceiptHandle")
        )

    async def delete(self, receipts: Sequence[str]) -> None:
        """Delete the messages with these receipts; ignore expired receipts.

        Raises:
            UnavailableError: if some messages were not deleted; it is safe to try again with all
                receipts.
        """
        for start in range(0, len(receipts), _AT_ONCE):
            await self._delete(receipts[start : start + _AT_ONCE])

    async def _delete(self, receipts: Sequence[str]) -> None:
        try:
            answer = await self._aws.call(
                "delete notices",
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
            # A missing permission must not end the term: SQS merely delivers the messages again.
            raise UnavailableError(str(exc)) from exc
        codes = [failure["Code"] for failure in answer.get("Failed", ())]
        remaining = [code for code in codes if code not in _ALREADY_GONE]
        if remaining:
            raise UnavailableError(
                f"could not delete {len(remaining)} notices: AWS returned {remaining[0]}"
            )
