"""The registry's collection is alone with the registry, and leaves it writable however it ends.

The script runs in this machine's own shell; only the `docker` command is a stand-in that records
what it is asked to do.
"""

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

SCRIPT: Final = Path(__file__).parents[3] / "compose" / "scripts" / "collect-registry.sh"
DOCKER: Final = r"""#!/bin/sh
# $PLACE/calls gets a line for each call; the collection ends when $PLACE/go exists.
case "$1 ${2-}" in
    "ps "*) [ -e "$PLACE/elsewhere" ] || echo 0123456789ab ;;
    "service inspect") cat "$PLACE/state" ;;
    "service update")
        case "$*" in *env-add*) way=read-only ;; *) way=writable ;; esac
        if [ -e "$PLACE/fails-$way" ]; then rm "$PLACE/fails-$way"; exit 1; fi
        echo "$way" >>"$PLACE/calls"
        ;;
    "exec "*)
        echo "collection begins" >>"$PLACE/calls"
        until [ -e "$PLACE/go" ]; do sleep 0.05; done
        echo "$*" | cut -d" " -f3- >>"$PLACE/calls"
        ;;
esac
"""
COLLECTED: Final = "registry garbage-collect /etc/docker/registry/config.yml"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    docker = tmp_path / "docker"
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    (tmp_path / "state").write_text("completed\n")
    return tmp_path


def start(place: Path, *options: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        ["/bin/sh", str(SCRIPT), *options],
        env={
            "PATH": f"{place}:/usr/bin:/bin",
            "PLACE": str(place),
            "PAUSE": "0.05",
            "TRIES": "500",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def calls(place: Path) -> list[str]:
    file = place / "calls"
    return file.read_text().splitlines() if file.exists() else []


def wait_for(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_registry_is_read_only_while_it_is_collected(place: Path) -> None:
    (place / "go").touch()
    process = start(place, "--delete-untagged")
    output, _ = process.communicate(timeout=30)

    assert process.returncode == 0, output
    collected = COLLECTED.replace("collect ", "collect --delete-untagged ")
    assert calls(place) == ["read-only", "collection begins", collected, "writable"]


@pytest.mark.parametrize("name", ["SIGHUP", "SIGINT", "SIGTERM"])
def test_a_signal_never_leaves_the_registry_read_only(place: Path, name: str) -> None:
    """The registry becomes writable only after the collection, which the signal does not end."""
    process = start(place)
    wait_for(lambda: "collection begins" in calls(place))
    process.send_signal(getattr(signal, name))
    (place / "go").touch()
    output, _ = process.communicate(timeout=30)

    assert process.returncode == 128 + getattr(signal, name), output
    assert calls(place) == ["read-only", "collection begins", COLLECTED, "writable"]


def test_a_manager_that_is_away_for_a_moment_does_not_leave_it_read_only(place: Path) -> None:
    for file in ("go", "fails-writable"):
        (place / file).touch()
    process = start(place)
    output, _ = process.communicate(timeout=30)

    assert process.returncode == 0, output
    assert calls(place)[-1] == "writable"


@pytest.mark.parametrize("state", ["rollback_completed", "paused", ""])
def test_nothing_is_deleted_unless_all_registries_are_read_only(place: Path, state: str) -> None:
    (place / "state").write_text(state + "\n")
    process = start(place)
    wait_for(lambda: "writable" in calls(place))
    (place / "state").write_text("completed\n")
    output, _ = process.communicate(timeout=30)

    assert process.returncode == 1
    assert "nothing was deleted" in output
    assert "collection begins" not in calls(place)


def test_it_says_where_to_run_it(place: Path) -> None:
    (place / "elsewhere").touch()
    process = start(place)
    output, _ = process.communicate(timeout=30)

    assert process.returncode == 1
    assert "run this on a node where one runs" in output
    assert calls(place) == []
