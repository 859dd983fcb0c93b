"""Clients of the lab's AWS.

Rule: this module imports nothing that imports moto: a command such as `python -m lab status` would
start a second later.
"""

from typing import Any, Final

import boto3
from botocore.config import Config

from lab.places import REGION

AGENT_TAG: Final = "spotswarm-lab:agent"
"""`off` boots the instance with our units masked, for benches of bare machines."""
MANAGER: Final = "spotswarm-manager"
WORKER: Final = "spotswarm-worker"
VISITOR: Final = "visitor"
"""A role of the same account outside the cluster. Each profile has the name of its role."""


def client(endpoint: str, service: str, key: str, secret: str, token: str | None = None) -> Any:
    """A boto3 client of the lab's AWS."""
    # The stubs cannot follow a service name that is a value.
    session: Any = boto3.Session(
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
        region_name=REGION,
    )
    config = Config(retries={"total_max_attempts": 2}, connect_timeout=5, read_timeout=30)
    return session.client(service, endpoint_url=endpoint, config=config)
