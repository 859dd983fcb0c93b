"""The gateway's entrypoint starts what was mounted and reports what is missing.

Interactive Brokers' gateway may not be redistributed: a zip with the same layout replaces it.
"""

import asyncio
import os
import signal
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

ENTRYPOINT = Path(__file__).resolve().parents[3] / "services" / "cp_gateway" / "entrypoint"
CONF = (
    "listenPort: 5000\nips:\n  allow:\n    - 192.*\n    - 127.0.0.1\n  deny:\n    - 212.90.324.10\n"
)
RUN = "#!/bin/bash\ntrap 'echo ended >> ended; exit 143' TERM\ncp $1 seen\nsleep 600 & wait\n"


def packed(directory: Path, **files: str) -> Path:
    path = directory / "clientportal.gw.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "/"), text)
    return path


def started(home: Path, zip_path: Path, **env: str) -> "subprocess.Popen[str]":
    home.mkdir(exist_ok=True)
    settings = {"GATEWAY_ZIP": str(zip_path), "GATEWAY_HOME": str(home)}
    return subprocess.Popen(
        [ENTRYPOINT], env=os.environ | settings | env, stderr=subprocess.PIPE, text=True
    )


def test_without_a_zip_it_ends_with_an_instruction(tmp_path: Path) -> None:
    process = started(tmp_path / "home", tmp_path / "absent.zip")
    _, output = process.communicate(timeout=60)
    assert process.returncode == 78
    assert "Mount Interactive Brokers' clientportal.gw.zip" in output


@pytest.mark.parametrize(
    "files", [{}, {"bin__run.sh": RUN}, {"bin__run.sh": RUN, "root__conf.yaml": "listenPort: 1\n"}]
)
def test_a_zip_of_anything_else_is_not_started(tmp_path: Path, files: dict[str, str]) -> None:
    process = started(tmp_path / "home", packed(tmp_path, **files))
    _, output = process.communicate(timeout=60)
    assert process.returncode == 78
    assert output.count("\n") == 1


async def test_it_starts_with_its_own_settings_and_allows_the_swarms_addresses(
    tmp_path: Path, eventually: Any
) -> None:
    home = tmp_path / "home"
    process = started(home, packed(tmp_path, **{"bin__run.sh": RUN, "root__conf.yaml": CONF}))
    try:

        async def seen() -> str:
            path = home / "seen"
            return path.read_text() if path.exists() else ""

        configuration = await eventually(seen)
        assert configuration == CONF.replace("127.0.0.1\n", "127.0.0.1\n    - 10.*\n")
        process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.wait, 60)
        assert (home / "ended").read_text() == "ended\n"
        assert process.returncode == 143
    finally:
        if process.poll() is None:
            process.kill()
        await asyncio.to_thread(process.communicate)
