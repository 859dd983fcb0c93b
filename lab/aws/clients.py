"""Creates boto3 clients for the lab's AWS.

Rule: this module must not import moto, directly or indirectly. Importing moto takes about a
second, which would slow down commands such as `python -m lab status`.
"""

from typing import Any, Final

import boto3
from botocore.config import Config

from lab.places import REGION

AGENT_TAG: Final = "spotswarm-lab:agent"
"""An instance tag; the value `off` masks our units, for benchmarks of bare machines."""
MANAGER: Final = "spotswarm-manager"
WORKER: Final = "spotswarm-worker"
VISITOR: Final = "visitor"
"""A role in the same account, but outside the cluster. Each profile is named after its role."""


def client(endpoint: str, service: str, key: str, secret: str, token: str | None = None) -> Any:
    """Return a boto3 client for a service in the lab's AWS."""
    # The type stubs support only literal service names.
    session: Any = boto3.Session(
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
        region_name=REGION,
    )
    config = Config(retries={"total_max_attempts": 2}, connect_timeout=5, read_timeout=30)
    return session.client(service, endpoint_url=endpoint, config=config)
