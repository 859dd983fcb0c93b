"""Provides boto3 clients and translates their errors.

Rule: boto3 calls block, so make every call through `Aws.call`, which runs it in a thread pool and
limits the number of concurrent calls.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, ParamSpec, Self, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from runtime.errors import GoneError, RefusedError, UnavailableError

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient
    from mypy_boto3_sts import STSClient

P = ParamSpec("P")
R = TypeVar("R")

_CONFIG = Config(
    retries={"mode": "standard", "max_attempts": 4},
    connect_timeout=3,
    read_timeout=10,
    max_pool_connections=10,
)
_POLLED = Config(
    # The caller retries a failed poll. A poll waits up to 5 s for a message.
    retries={"mode": "standard", "max_attempts": 1},
    connect_timeout=3,
    read_timeout=8,
    max_pool_connections=10,
)
_GONE = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")
_REFUSED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthFailure")


class Aws:
    """The AWS clients for one region; in the lab, `endpoint` replaces the AWS endpoints."""

    def __init__(self, *, region: str, endpoint: str | None) -> None:
        self._region = region
        self._endpoint = endpoint
        self._threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="aws")

    async def __aenter__(self) -> Self:
        await asyncio.get_running_loop().run_in_executor(self._threads, self._open)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _open(self) -> None:
        session = boto3.Session(region_name=self._region)
        self.ec2: EC2Client = session.client("ec2", endpoint_url=self._endpoint, config=_CONFIG)
        self.sqs: SQSClient = session.client("sqs", endpoint_url=self._endpoint, config=_POLLED)
        self.ssm: SSMClient = session.client("ssm", endpoint_url=self._endpoint, config=_CONFIG)
        self.sts: STSClient = session.client("sts", endpoint_url=self._endpoint, config=_CONFIG)

    async def call(
        self, attempt: str, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Call a client's blocking function; `attempt` describes the call in error messages.

        Raises:
            GoneError: if the object does not exist in AWS.
            RefusedError: if our role lacks a permission, or if the object to be created already
                exists.
            UnavailableError: if the call fails for any other reason, such as throttling.
        """
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, lambda: function(*args, **kwargs))
        except ClientError as exc:
            code = str(exc.response.get("Error", {}).get("Code", ""))
            message = f"could not {attempt}: AWS returned {code}"
            if "NotFound" in code or code in _GONE:
                raise GoneError(message) from exc
            if code in _REFUSED:
                raise RefusedError(f"{message}; check the manager role's policy") from exc
            if code in {"ParameterAlreadyExists", "Resource.AlreadyAssociated"}:
                raise RefusedError(message) from exc
            raise UnavailableError(message) from exc
        except BotoCoreError as exc:
            raise UnavailableError(f"could not {attempt}: {type(exc).__name__}") from exc

    async def account(self) -> str:
        """Return the id of the leader's AWS account; only instances in this account may join."""
        answer = await self.call("look up our account", self.sts.get_caller_identity)
        return str(answer["Account"])
