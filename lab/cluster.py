"""Creates the lab's cluster as an operator would, using only `spotswarm` commands.

Rule: the lab does not create any of the cluster's secrets itself. It runs `spotswarm init`, which
stores the secrets in SSM, and passes the output of `spotswarm user-data` to the instances. In this
output, the lab changes only the queue's URL and the settings that a scenario overrides. `keep`
saves these settings for later launches.
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


def create(places: Places, account: Account) -> None:
    """Create the cluster's secrets; call this once per lab."""
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
    """Save settings for later launches.

    `leader` contains settings for the `[leader]` table of the managers' user data, and `agent`
    contains settings for all instances.
    """
    places.cluster.mkdir(exist_ok=True)
    settings = json.dumps({"leader": dict(leader), "agent": dict(agent)})
    _settings_file(places).write_text(settings, encoding="utf-8")


def user_data(places: Places, account: Account, role: str, *, managers: int = 3) -> str:
    """Return the user data for instances with the given role."""
    options = ["--role", role]
    if role == "manager":
        options += ["--managers", str(managers), "--elastic-ip", account.allocation]
        options += ["--broker", "process"]
    text = _spotswarm(places, account, "user-data", *options, "--aws-endpoint", places.aws_endpoint)
    settings = json.loads(_settings_file(places).read_text(encoding="utf-8"))
    return merged(
        text, leader={"queue": account.queue, **settings["leader"]}, agent=settings["agent"]
    )


def merged(text: str, *, leader: Mapping[str, Any], agent: Mapping[str, Any]) -> str:
    """Return user data with some settings replaced.

    `agent` replaces settings at the top level. `leader` replaces settings in the `[leader]` table,
    if there is one.
    """
    first, _, _ = text.partition("\n")
    table = {**tomllib.loads(text), **agent}
    if "leader" in table:
        table["leader"] = {**table["leader"], **leader}
    return f"{first}\n{tomli_w.dumps(table, multiline_strings=True)}"


def _settings_file(places: Places) -> Path:
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
