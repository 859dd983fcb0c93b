"""Messages, user data and public names are those of commit 1b511bb; names may only be added."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import unchanged_names as names
from typer.testing import CliRunner
from unchanged_recorded import RECORDED, check, check_kept

import wire
from cli.__main__ import app
from wire.messages import dump, parse

EXAMPLES = sorted((RECORDED / "wire").glob("*.json"))
_SECRET = re.compile(r"[A-Za-z0-9_+/-]{43}=?")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_message_is_written_as_it_was(path: Path) -> None:
    message = path.read_bytes()

    assert (Path(wire.__file__).parent / "examples" / path.name).read_bytes() == message
    assert dump(parse(message.strip())) == message.strip()


async def test_names_are_as_they_were() -> None:
    check_kept(
        "names",
        {
            "redis": names.of_redis(),
            "secrets": names.of_secrets(),
            "founding": await names.of_founding(),
            "user data": names.of_user_data(),
            "services": names.of_services(),
            "metrics": names.of_metrics(),
            "codes": names.of_codes(),
            "commands": names.of_commands(),
            "stacks": names.of_stacks(),
            "units": names.of_machines(),
            ".env.example": names.of_env_example(),
        },
    )


def test_what_init_and_user_data_print_is_as_it_was(tmp_path: Path) -> None:
    place = ["--directory", str(tmp_path / "secrets"), "--json"]
    manager = (
        "user-data --role manager --managers 5 --elastic-ip eipalloc-1 --queue https://sqs.example/q"
        " --broker process --aws-endpoint http://10.0.0.9:5000"
    )
    printed = [
        _printed(command, place, tmp_path)
        for command in (
            "init --cluster demo --address 198.51.100.7 --name leader.example.org --port 6390",
            "user-data --role worker",
            manager,
        )
    ]
    files = sorted(
        str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()
    )

    check("init", {"printed": printed, "files": files})


def _printed(command: str, place: list[str], directory: Path) -> dict[str, Any]:
    done = CliRunner().invoke(app, [*command.split(), *place])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert done.stdout == json.dumps(told) + "\n"
    text = told.pop("user_data")
    table = tomllib.loads(text)
    ca, password = table["ca"].strip(), table["password"]
    for secret in (ca, password, *table["leader_keys"]):
        text = text.replace(secret, "<random>")
    assert ca.startswith("-----BEGIN CERTIFICATE-----")
    assert _SECRET.fullmatch(password)
    return {
        "typed": command,
        "user_data": text.replace(str(directory), "<directory>").splitlines(),
    } | {key: value.replace(str(directory), "<directory>") for key, value in told.items()}


def test_the_admin_socket_is_named_by_the_same_variable(tmp_path: Path) -> None:
    socket = tmp_path / "nobody.sock"
    done = subprocess.run(
        [sys.executable, "-m", "cli", "status", "--json"],
        cwd=names.REPOSITORY,
        env=os.environ | {"SPOTSWARM_ADMIN_SOCKET": str(socket)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 4
    assert str(socket) in done.stderr
