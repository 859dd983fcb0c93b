"""The three methods of joining a swarm: our agent, `docker swarm join`, and Ansible.

Each method makes all machines join at the same time, and waits for its commands to finish. Rule:
run each method as its users would. A step that is skipped for one method is skipped for all.
"""

import asyncio
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

from bench.join.setup import Setup
from lab.host import LabError
from lab.machines.machine import Machine

_PLAYBOOK: Final = Path(__file__).with_name("playbook.yml")
_UNIT: Final = "spotswarm-agent.service"
_STAGE_ENDS: Final = (
    # Stages, in order, and text in the agent's journal that marks the end of each stage.
    ("settled", "prepared"),
    ("asked", "asking to join"),
    ("granted", "joining the swarm"),
)


class Way(Protocol):
    """A way to join the swarm."""

    name: str
    what: str
    until_active: bool
    """Whether the leader labels and activates the node afterwards, which is also timed."""

    async def join(self, machines: Sequence[Machine], token: str) -> None:
        """Make the machines join, and wait for the commands to finish."""
        ...


class Agent:
    """Our method: a machine joins automatically when its agent starts."""

    name = "spotswarm"
    what = "spotswarm-agent"
    until_active = True

    async def join(self, machines: Sequence[Machine], token: str) -> None:  # noqa: ARG002
        """Start all agents. Each agent requests its own token."""
        start = ("systemctl", "start", "--no-block", _UNIT)
        await asyncio.gather(*(_run(*machine.command(*start)) for machine in machines))


class Raw:
    """The baseline: `docker swarm join` on every machine, using a token from the benchmark."""

    name = "raw"
    what = "docker swarm join"
    until_active = False

    def __init__(self, manager: Machine) -> None:
        self._manager = f"{manager.address}:2377"

    async def join(self, machines: Sequence[Machine], token: str) -> None:
        """Run `docker swarm join` on all machines."""
        argv = ("docker", "swarm", "join", "--token", token, self._manager)
        await asyncio.gather(*(_run(*machine.command(*argv)) for machine in machines))


class Ansible:
    """An Ansible playbook, run from the host over ssh with eight forks and no fact gathering."""

    name = "ansible"
    what = "ansible-playbook"
    until_active = False

    def __init__(self, setup: Setup) -> None:
        self._setup = setup

    async def join(self, machines: Sequence[Machine], token: str) -> None:
        """Run the playbook on all machines."""
        with tempfile.TemporaryDirectory(prefix="ssw-") as home:
            inventory = Path(home) / "hosts.json"
            inventory.write_text(json.dumps(self._inventory(machines)), encoding="ascii")
            argv = (
                str(self._setup.ansible / "ansible-playbook"),
                f"--inventory={inventory}",
                "--forks=8",
                f"--extra-vars={json.dumps({'token': token})}",
                str(_PLAYBOOK),
            )
            environment = {name: text for name, text in os.environ.items() if name[:6] != "PYTHON"}
            # Use a new home for each round, so that ssh connections are not reused. In practice,
            # there is no open connection to a machine that is about to join.
            await _run(*argv, env={**environment, "ANSIBLE_HOME": home, "LC_ALL": "C.UTF-8"})

    def _inventory(self, machines: Sequence[Machine]) -> dict[str, object]:
        hosts = {machine.hostname: {"ansible_host": machine.address} for machine in machines}
        settings = {
            "manager": self._setup.manager.address,
            "ansible_user": "root",
            "ansible_python_interpreter": "/usr/bin/python3",
            "ansible_ssh_private_key_file": str(self._setup.key),
            "ansible_ssh_common_args": "-o StrictHostKeyChecking=no"
            " -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR",
        }
        return {"all": {"hosts": hosts, "vars": settings}}


def stages(machine: Machine, *, began: float, wall: float) -> tuple[dict[str, float], int]:
    """Return the time from the command to the end of each agent stage, and the retry count.

    Times are in seconds. Retries can explain a slow round. `began` is the command's start time on
    the monotonic clock, which systemd uses for process start times. `wall` is the same time on the
    wall clock, which the journal uses.
    """
    shown = machine.run("systemctl", "show", "--property=ExecMainStartTimestampMonotonic", _UNIT)
    reached = {"process": int(shown.stdout.partition("=")[2]) / 1e6 - began}
    read = ("journalctl", "--no-pager", "-o", "json", f"--unit={_UNIT}", f"--since=@{wall:.6f}")
    stage_ends, retries = list(_STAGE_ENDS), 0
    for line in machine.run(*read).stdout.splitlines():
        entry = json.loads(line)
        message = str(entry.get("MESSAGE"))
        retries += "; retrying" in message
        if stage_ends and stage_ends[0][1] in message:
            reached[stage_ends.pop(0)[0]] = int(entry["__REALTIME_TIMESTAMP"]) / 1e6 - wall
    return reached, retries


async def _run(*argv: str, env: dict[str, str] | None = None) -> None:
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=env,
    )
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode:
        raise LabError(f"`{argv[-1]}` failed ({process.returncode}): {output.decode()[-2000:]}")
