"""Zeros at the end of Redis's append-only file are removed, and nothing else is.

The script runs in this machine's own shell; only the program that it starts is a stand-in.
"""

import subprocess
from pathlib import Path
from typing import Final

import pytest

SCRIPT: Final = Path(__file__).parents[3] / "compose" / "scripts" / "start-redis.sh"
COMMAND: Final = b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$3\r\n\0\0\0\r\n"
PASSWORD: Final = "only-redis-knows"


def start(place: Path) -> "subprocess.CompletedProcess[str]":
    entrypoint = place / "docker-entrypoint.sh"
    entrypoint.write_text('#!/bin/sh\necho "$@"\ncat\n')
    entrypoint.chmod(0o755)
    (place / "password").write_text(PASSWORD)
    return subprocess.run(
        ["/bin/sh", str(SCRIPT)],
        env={
            "PATH": f"{place}:/usr/bin:/bin",
            "DATA": str(place),
            "PASSWORD_FILE": str(place / "password"),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )


def append_only(place: Path, content: bytes, number: int = 1) -> Path:
    file = place / "appendonlydir" / f"appendonly.aof.{number}.incr.aof"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content)
    return file


@pytest.mark.parametrize("zeros", [1, 3, 200, 4096])
@pytest.mark.parametrize("content", [COMMAND * 3, COMMAND[:-5], b""])
def test_zeros_at_the_end_are_removed_and_the_file_is_kept(
    tmp_path: Path, content: bytes, zeros: int
) -> None:
    file = append_only(tmp_path, content + b"\0" * zeros)

    ended = start(tmp_path)

    assert file.read_bytes() == content
    (copy,) = (tmp_path / "damaged").iterdir()
    assert copy.read_bytes() == content + b"\0" * zeros
    assert f"removed {zeros} zeros" in ended.stderr


@pytest.mark.parametrize("content", [COMMAND, COMMAND + b"\0" * 9 + COMMAND, COMMAND[:-5], b""])
def test_nothing_else_is_changed(tmp_path: Path, content: bytes) -> None:
    """What is damaged in another way, Redis repairs or refuses itself."""
    file = append_only(tmp_path, content)

    ended = start(tmp_path)

    assert file.read_bytes() == content
    assert not (tmp_path / "damaged").exists()
    assert ended.stderr == ""


def test_a_new_store_starts_and_the_password_is_no_argument(tmp_path: Path) -> None:
    ended = start(tmp_path)

    arguments, configuration = ended.stdout.splitlines()
    assert arguments == "redis-server - --appendonly yes --appendfsync always"
    assert configuration == f"requirepass {PASSWORD}"
