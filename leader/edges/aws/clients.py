"""Provides boto3 clients and translates their errors.

Rules: boto3 calls block, so make every call through `Aws.call`, which runs it in a thread pool and
limits the number of concurrent calls. A boto3 client keeps the credentials that it was opened with,
and one that was opened without any never gets any. Clients are therefore opened when there are
credentials, and opened again after a call that had none.
"""

import asyncio
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, ParamSpec, Self, TypeVar, cast

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

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
_CONFIGS: Final = {"ec2": _CONFIG, "sqs": _POLLED, "ssm": _CONFIG, "sts": _CONFIG}
_METADATA: Final = {"metadata_service_timeout": 5, "metadata_service_num_attempts": 5}
"""The metadata service of a new instance may take seconds, and may not know the role yet.
boto3's own limits are one attempt of one second.
https://boto3.amazonaws.com/v1/documentation/api/latest/guide/configuration.html
"""
_GONE = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")
_REFUSED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthFailure")


class _Client:
    """Stands for one service's client, which is opened by the first call that needs it."""

    def __init__(self, clients: Callable[[], Mapping[str, Any]], service: str) -> None:
        self._clients = clients
        self._service = service

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            return getattr(self._clients()[self._service], operation)(*args, **kwargs)

        return call


class Aws:
    """The AWS clients for one region; in the lab, `endpoint` replaces the AWS endpoints."""

    def __init__(self, *, region: str, endpoint: str | None) -> None:
        self._region = region
        self._endpoint = endpoint
        self._threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="aws")
        self._opening = threading.Lock()
        self._clients: Mapping[str, Any] | None = None
        self.ec2 = cast("EC2Client", _Client(self._opened, "ec2"))
        self.sqs = cast("SQSClient", _Client(self._opened, "sqs"))
        self.ssm = cast("SSMClient", _Client(self._opened, "ssm"))
        self.sts = cast("STSClient", _Client(self._opened, "sts"))

    async def __aenter__(self) -> Self:
        # Open the clients in the background: that takes half a second, which a failover would miss.
        self._threads.submit(self._warm_up)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _warm_up(self) -> None:
        # Whatever fails here fails again, and is reported, when a client is needed.
        with suppress(Exception):
            self._opened()

    def _opened(self) -> Mapping[str, Any]:
        """Return the clients; open them if there are credentials.

        Raises:
            NoCredentialsError: if there are none yet.
        """
        with self._opening:
            if self._clients is None:
                self._clients = self._open()
            return self._clients

    def _open(self) -> Mapping[str, Any]:
        # A new session for each attempt, because a session may keep that there are no credentials.
        session = botocore.session.Session()
        for variable, value in _METADATA.items():
            session.set_config_variable(variable, value)
        opening: Any = boto3.Session(region_name=self._region, botocore_session=session)
        if opening.get_credentials() is None:
            raise NoCredentialsError
        return {
            service: opening.client(service, endpoint_url=self._endpoint, config=config)
            for service, config in _CONFIGS.items()
        }

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
        except NoCredentialsError as exc:
            self._clients = None
            raise UnavailableError(
                f"could not {attempt}: this instance has no credentials yet; check its instance"
                " profile and the metadata service"
            ) from exc
        except BotoCoreError as exc:
            raise UnavailableError(f"could not {attempt}: {type(exc).__name__}") from exc

    async def account(self) -> str:
        """Return the id of the leader's AWS account; only instances in this account may join."""
        answer = await self.call("look up our account", self.sts.get_caller_identity)
        return str(answer["Account"])
