"""The cluster's secrets from `spotswarm init` to the leader, by directory and by SSM."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cli.edges.stores import Directory, Parameters
from leader.edges.aws import secrets
from leader.edges.aws.clients import Aws
from runtime.errors import RefusedError
from wire import user_data
from wire.cluster_secrets import LEADER, ClusterSecrets
from wire.messages import Role


def spotswarm(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=os.environ | environment,
        cwd=Path(user_data.__file__).parents[1],
    )


def texts(directory: Path) -> dict[str, str]:
    return {str(file): file.read_text() for file in directory.rglob("*") if file.is_file()}


def is_same(first: ClusterSecrets, second: ClusterSecrets) -> bool:
    """Every secret byte by byte, but for the line end of a file."""
    return {name: text.strip() for name, text in first.to_files().items()} == {
        name: text.strip() for name, text in second.to_files().items()
    }


async def test_a_directory_is_written_and_read_back(cluster: Any, tmp_path: Path) -> None:
    store = Directory(tmp_path / "secrets")
    store.write(LEADER, cluster.secrets.to_files())
    assert is_same(await secrets.read(f"{store.place}/{LEADER}", None), cluster.secrets)
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "secrets").rglob("*"))
    assert (tmp_path / "secrets").stat().st_mode & 0o077 == 0


async def test_a_directory_open_to_others_is_refused(cluster: Any, tmp_path: Path) -> None:
    store = Directory(tmp_path / "secrets")
    store.write(LEADER, cluster.secrets.to_files())
    (tmp_path / "secrets" / LEADER).chmod(0o750)
    with pytest.raises(RefusedError, match=r"other users can access .*; run `chmod"):
        await secrets.read(f"{store.place}/{LEADER}", None)


async def test_a_missing_secret_is_named_and_no_value_is_quoted(
    cluster: Any, tmp_path: Path
) -> None:
    store = Directory(tmp_path / "secrets")
    files = cluster.secrets.to_files()
    store.write(LEADER, {name: text for name, text in files.items() if name != "leader.key"})
    with pytest.raises(
        RefusedError, match=r"missing cluster secrets: leader\.key; .*spotswarm init"
    ) as refused:
        await secrets.read(f"{store.place}/{LEADER}", None)
    text_of_error = f"{refused.value!r} {refused.value.__cause__!r}"
    assert not any(text in text_of_error for text in files.values())


async def test_a_missing_directory_and_ssm_without_aws_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="does not exist; create it with"):
        await secrets.read(f"file:{tmp_path}/nowhere", None)
    with pytest.raises(RefusedError, match="SSM require AWS"):
        await secrets.read("ssm:/spotswarm/x/leader", None)


async def test_a_store_is_never_overwritten(cluster: Any, tmp_path: Path) -> None:
    store = Directory(tmp_path / "secrets")
    store.write(LEADER, cluster.secrets.to_files())
    with pytest.raises(RefusedError, match="already exists"):
        store.write(LEADER, {"leader.key": "another"})
    assert is_same(await secrets.read(f"{store.place}/{LEADER}", None), cluster.secrets)


async def test_ssm_is_written_and_read_back(
    cluster: Any, cloud: Any, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", cloud.url)
    store = Parameters("/spotswarm/round-trip")
    assert store.read(LEADER) == {}
    files = cluster.secrets.to_files()
    store.write(LEADER, files)
    assert store.read(LEADER) == files
    assert await secrets.read(f"{store.place}/{LEADER}", aws) == cluster.secrets
    with pytest.raises(RefusedError, match="ParameterAlreadyExists"):
        store.write(LEADER, {"leader.key": "another"})
    pages = (
        cloud.client("ssm")
        .get_paginator("describe_parameters")
        .paginate(
            ParameterFilters=[
                {"Key": "Path", "Option": "Recursive", "Values": ["/spotswarm/round-trip"]}
            ]
        )
    )
    ours = [parameter for page in pages for parameter in page["Parameters"]]
    assert len(ours) == len(files)
    assert {parameter["Type"] for parameter in ours} == {"SecureString"}


def test_init_makes_user_data_that_an_agent_and_a_leader_can_read(tmp_path: Path) -> None:
    place = tmp_path / "secrets"
    init = spotswarm(
        *("init", "--cluster", "blue", "--address", "10.0.0.1", "--directory", str(place))
    )
    assert init.returncode == 0, init.stderr
    worker = user_data.parse(init.stdout)
    assert (worker.cluster, worker.role, worker.leader) == ("blue", Role.WORKER, None)
    assert worker.broker == "rediss://10.0.0.1:6380"
    again = spotswarm("user-data", "--role", "worker", "--directory", str(place), "--json")
    assert user_data.parse(json.loads(again.stdout)["user_data"]) == worker
    manager = user_data.parse(
        spotswarm("user-data", "--role", "manager", "--directory", str(place)).stdout
    )
    assert manager.leader is not None
    assert manager.leader["secrets"] == f"file:{place}/{LEADER}"
    assert user_data.unknown(init.stdout) == ()


def test_init_a_second_time_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    command = (
        *("init", "--cluster", "blue", "--name", "leader.example.com"),
        *("--directory", str(tmp_path / "secrets")),
    )
    assert spotswarm(*command).returncode == 0
    before = texts(tmp_path)
    second = spotswarm(*command)
    assert second.returncode == 2
    assert "already contains a cluster's secrets" in second.stderr
    assert second.stdout == ""
    assert texts(tmp_path) == before


def test_init_into_ssm_a_second_time_is_refused_and_changes_nothing(cloud: Any) -> None:
    command = ("init", "--cluster", "blue", "--address", "10.0.0.1", "--ssm", "/spotswarm/blue")
    ssm = cloud.client("ssm")

    def values() -> dict[str, str]:
        pages = ssm.get_paginator("get_parameters_by_path").paginate(
            Path="/spotswarm/blue", Recursive=True, WithDecryption=True
        )
        return {
            parameter["Name"]: parameter["Value"]
            for page in pages
            for parameter in page["Parameters"]
        }

    first = spotswarm(*command, AWS_ENDPOINT_URL=cloud.url)
    assert first.returncode == 0, first.stderr
    before = values()
    assert len(before) == 8
    second = spotswarm(*command, AWS_ENDPOINT_URL=cloud.url)
    assert second.returncode == 2
    assert values() == before


def test_init_with_an_invalid_cluster_name_is_refused_and_leaves_nothing(
    tmp_path: Path,
) -> None:
    done = spotswarm(
        *("init", "--cluster", "Blue!", "--address", "10.0.0.1"),
        *("--directory", str(tmp_path / "secrets")),
    )
    assert done.returncode == 2
    assert not (tmp_path / "secrets").exists()
