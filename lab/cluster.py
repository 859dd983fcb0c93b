"""Founding the lab's cluster as an operator would: by our own commands, and nothing else.

Rule: the lab never reads or makes a secret of the cluster's itself. It runs `spotswarm init`,
which puts them into SSM, and `spotswarm user-data`, whose output is given to instances as it is.
"""

import os
import sys
from pathlib import Path
from typing import Final

from lab.account import Account
from lab.host import run
from lab.places import AWS_ENDPOINT, LEADER_ADDRESS, REGION, Places

REPOSITORY: Final = Path(__file__).resolve().parents[1]


def found(places: Places, account: Account) -> None:
    """Make the cluster's secrets; once in a lab."""
    places.cluster.mkdir(exist_ok=True)
    _spotswarm(
        places, account, "init", "--cluster", account.cluster, "--address", str(LEADER_ADDRESS)
    )


def user_data(places: Places, account: Account, role: str, *, managers: int = 3) -> str:
    """What instances of a role boot with."""
    options = ["--role", role]
    if role == "manager":
        options += ["--managers", str(managers), "--elastic-ip", account.allocation]
        options += ["--broker", "process"]
    return _spotswarm(places, account, "user-data", *options, "--aws-endpoint", AWS_ENDPOINT)


def _spotswarm(places: Places, account: Account, command: str, *options: str) -> str:
    path = f"/spotswarm/{account.cluster}"
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        "AWS_ENDPOINT_URL": account.endpoint,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": account.key,
        "AWS_SECRET_ACCESS_KEY": account.secret,
        "PYTHONPATH": str(REPOSITORY),
    }
    argv = (sys.executable, "-m", "cli", command, "--ssm", path)
    return run("env", "-C", str(places.cluster), *argv, *options, env=env).stdout
