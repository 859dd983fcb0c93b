"""What `requirements/steps.sh` shows of the commands that install something."""

import os
import subprocess
from pathlib import Path

STEPS = Path(__file__).parents[3] / "requirements/steps.sh"


def run(script: str, log: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f". {STEPS}; {script}"],
        env={"PATH": os.environ["PATH"], "SPOTSWARM_SETUP_LOG": str(log)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_step_is_announced_and_its_output_goes_to_the_log(tmp_path: Path) -> None:
    log = tmp_path / "new" / "setup.log"

    result = run("step 'installing noise' echo so many packages", log)

    assert result.returncode == 0
    first, last = result.stderr.splitlines()
    assert first == "installing noise"
    assert last.startswith("installing noise: done in ")
    assert "so many packages" in log.read_text()


def test_a_failed_step_shows_the_end_of_the_log_and_where_it_is(tmp_path: Path) -> None:
    log = tmp_path / "setup.log"

    result = run("step 'installing' sh -c 'echo no space left; exit 7'; echo unreachable", log)

    assert result.returncode == 7
    assert "no space left" in result.stderr
    assert f"next:  read {log}" in result.stderr
    assert not result.stdout
