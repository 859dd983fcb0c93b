"""Collects the public names from our code: keys, settings, metrics, codes, commands.

When you move one of them, fix the import here and leave the recorded file alone.
"""

import importlib
from pathlib import Path
from typing import Any

import click
import typer
import yaml
from pydantic import SecretStr
from unchanged_cloud import Cloud

import services
from cli.__main__ import app
from cli.terminal.exits import Exit
from leader.edges.aws.founder import SsmFoundingRight
from leader.edges.broker.configuration import users_acl
from leader.settings import LeaderTable
from leader.term.metrics import Metrics
from wire import cluster_secrets, keys
from wire.cluster_secrets import ClusterSecrets
from wire.messages import DenialCode
from wire.user_data import UserData

REPOSITORY = Path(__file__).parents[3]


def secrets() -> ClusterSecrets:
    hidden = SecretStr("example")
    return ClusterSecrets(
        ca="ca",
        certificate="certificate",
        certificate_key=hidden,
        leader_key=hidden,
        agent_password=hidden,
        leader_password=hidden,
        previous_leader_key=hidden,
    )


ADDED_RIGHTS = (
    " +client|list +client|kill",
    " ~spotswarm:demo:reports",
    " %W~spotswarm:demo:reports",
    " +lpop",
)
"""Members have a list of their own since, and the leader closes connections."""


def _without_added_rights(line: str) -> str:
    for right in ADDED_RIGHTS:
        line = line.replace(right, "")
    return line


def of_redis() -> dict[str, Any]:
    return {
        "requests": keys.requests("demo"),
        "reply": keys.reply("demo", "0" * 32),
        "heartbeat": keys.heartbeat("demo"),
        "reply lives": keys.REPLY_LIFETIME.total_seconds(),
        "grant lives": keys.GRANT_LIFETIME.total_seconds(),
        "notice waits": keys.NOTICE_WAIT.total_seconds(),
        "heartbeat every": keys.HEARTBEAT_EVERY.total_seconds(),
        "heartbeat lives": keys.HEARTBEAT_LIFETIME.total_seconds(),
        # More may be kept than then.
        "requests kept": min(keys.REQUESTS_KEPT, 500),
        "acl": [_without_added_rights(line) for line in users_acl("demo", secrets()).splitlines()],
    }


def of_secrets() -> dict[str, Any]:
    folders = [cluster_secrets.LEADER, cluster_secrets.OPERATOR, cluster_secrets.CA_KEY]
    return {"files": list(secrets().to_files()), "folders": folders}


async def of_founding() -> list[Any]:
    """The parameter that records who founded the swarm, and the values written to it."""
    cloud = Cloud()
    right = SsmFoundingRight(cloud, cluster="demo")  # type: ignore[arg-type]
    await right.claim("i-00000000000000001")
    await right.founded("i-00000000000000001")
    return cloud.requests


def of_user_data() -> dict[str, Any]:
    """Every setting in user data with its default; None if it is required."""

    def defaults(model: Any) -> dict[str, Any]:
        return {name: field.get_default() for name, field in model.model_fields.items()}

    def plain(value: Any) -> Any:
        return None if repr(value) == "PydanticUndefined" else value

    return {
        "instance": {name: plain(value) for name, value in defaults(UserData).items()},
        "leader": {name: plain(value) for name, value in defaults(LeaderTable).items()},
    }


def of_services() -> dict[str, list[str]]:
    """The environment variables that configure each of the site's services."""
    folders = sorted(
        path.parent.name for path in Path(services.__file__).parent.glob("*/settings.py")
    )
    return {
        folder: [
            str(field.validation_alias or name).upper()
            for name, field in importlib.import_module(
                f"services.{folder}.settings"
            ).Settings.model_fields.items()
        ]
        for folder in folders
    }


def of_metrics() -> list[list[Any]]:
    """Each metric's name, type, labels and, for a histogram, buckets."""
    registry = Metrics().registry
    return sorted(
        [
            metric._name,
            metric._type,
            list(metric._labelnames),
            list(getattr(metric, "_upper_bounds", ())),
        ]
        for metric in set(registry._collector_to_names)
    )


def of_codes() -> dict[str, Any]:
    return {"denials": sorted(DenialCode), "exits": sorted(int(code) for code in Exit)}


def of_commands() -> dict[str, Any]:
    """Every command with its arguments, options and defaults."""
    group = typer.main.get_command(app)
    assert isinstance(group, click.Group | typer.core.TyperGroup)
    return {
        name: [
            [
                *parameter.opts,
                *parameter.secondary_opts,
                parameter.required,
                _plain(parameter.default),
            ]
            for parameter in command.params
        ]
        for name, command in group.commands.items()
    }


def _plain(value: Any) -> Any:
    return value if isinstance(value, bool | int | float | str | None) else repr(value)


def of_stacks() -> dict[str, Any]:
    """What each stack file defines: services with variables and labels, networks, volumes."""
    stacks = {}
    for path in sorted((REPOSITORY / "compose").glob("*.yml")):
        document = yaml.safe_load(path.read_text())
        parts = {
            kind: sorted(document.get(kind) or {})
            for kind in ("networks", "volumes", "secrets", "configs")
        }
        made = {
            name: {
                "variables": sorted(_keys(one.get("environment"))),
                "labels": sorted(_keys(one.get("labels"))),
                "deploy labels": sorted(_keys((one.get("deploy") or {}).get("labels"))),
            }
            for name, one in (document.get("services") or {}).items()
        }
        stacks[path.name] = parts | {"services": made}
    return stacks


def _keys(table: Any) -> list[str]:
    if isinstance(table, dict):
        return [str(key) for key in table]
    return [str(line).partition("=")[0] for line in table or ()]


def of_machines() -> list[str]:
    return sorted(path.name for path in (REPOSITORY / "ami/units").iterdir())


def of_env_example() -> list[str]:
    lines = (REPOSITORY / ".env.example").read_text().splitlines()
    names = (line.lstrip("#").partition("=")[0] for line in lines if "=" in line)
    return [name for name in names if name.isidentifier() and name.isupper()]
