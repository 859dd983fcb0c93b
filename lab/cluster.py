"""Founding the lab's cluster as an operator would: by our own commands, and nothing else.

Rule: the lab never makes a secret of the cluster's itself. It runs `spotswarm init`, which puts
them into SSM, and `spotswarm user-data`, whose output is given to instances with nothing changed
but the settings a scenario asks for, kept by `keep` for whatever is launched later.
"""

import json
import os
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import tomli_w

from lab.aws.account import Account
from lab.host import run
from lab.places import REGION, Places

REPOSITORY: Final = Path(__file__).resolve().parents[1]


def found(places: Places, account: Account) -> None:
    """Make the cluster's secrets; once in a lab."""
    places.cluster.mkdir(exist_ok=True)
    _spotswarm(
        places,
        account,
        "init",
        "--cluster",
        account.cluster,
        "--address",
        str(places.leader_address),
    )


def keep(places: Places, *, leader: Mapping[str, Any], agent: Mapping[str, Any]) -> None:
    """Write down settings of a scenario's: of the leader's table, and of everybody's."""
    places.cluster.mkdir(exist_ok=True)
    kept = json.dumps({"leader": dict(leader), "agent": dict(agent)})
    _kept(places).write_text(kept, encoding="utf-8")


def user_data(places: Places, account: Account, role: str, *, managers: int = 3) -> str:
    """What instances of a role boot with."""
    options = ["--role", role]
    if role == "manager":
        options += ["--managers", str(managers), "--elastic-ip", account.allocation]
        options += ["--broker", "process"]
    said = _spotswarm(places, account, "user-data", *options, "--aws-endpoint", places.aws_endpoint)
    kept = json.loads(_kept(places).read_text(encoding="utf-8"))
    return merged(said, leader={"queue": account.queue, **kept["leader"]}, agent=kept["agent"])


def merged(said: str, *, leader: Mapping[str, Any], agent: Mapping[str, Any]) -> str:
    """User data with settings laid over it; the leader's only where there is a leader's table."""
    first, _, _ = said.partition("\n")
    table = {**tomllib.loads(said), **agent}
    if "leader" in table:
        table["leader"] = {**table["leader"], **leader}
    return f"{first}\n{tomli_w.dumps(table, multiline_strings=True)}"


def _kept(places: Places) -> Path:
    return places.cluster / "settings.json"


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
