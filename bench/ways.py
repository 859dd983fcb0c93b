"""The three ways into a swarm: our agent, Docker's own command, Ansible.

Each gives one command to all machines at once and returns when it has ended. Rule: every way is
run as its users run it, with its defaults; what is spared to one is spared to all.
"""

import asyncio
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

from bench.ground import Ground
from lab.host import LabError
from lab.machines.machine import Machine

_PLAYBOOK: Final = Path(__file__).with_name("playbook.yml")
_UNIT: Final = "spotswarm-agent.service"
_WORDS: Final = (
    # Of the agent's journal, in their order; each ends the stage it is named after.
    ("settled", "prepared"),
    ("asked", "asking to join"),
    ("granted", "joining the swarm"),
)


class Way(Protocol):
    """One way into the swarm."""

    name: str
    what: str
    until_active: bool
    """Whether a node is to be labelled and activated by somebody, which is timed as well."""

    async def join(self, machines: Sequence[Machine], token: str) -> None:
        """Give the command and wait for its end."""
        ...


class Agent:
    """Ours: the machine joins by itself once its agent starts."""

    name = "spotswarm"
    what = "spotswarm-agent"
    until_active = True

    async def join(self, machines: Sequence[Machine], token: str) -> None:  # noqa: ARG002
        """Start all agents; they ask for the token themselves."""
        start = ("systemctl", "start", "--no-block", _UNIT)
        await asyncio.gather(*(_run(*machine.command(*start)) for machine in machines))


class Raw:
    """The baseline: Docker's own command on every machine, with the token in hand."""

    name = "raw"
    what = "docker swarm join"
    until_active = False

    def __init__(self, manager: Machine) -> None:
        self._manager = f"{manager.address}:2377"

    async def join(self, machines: Sequence[Machine], token: str) -> None:
        """Run the command on all machines."""
        argv = ("docker", "swarm", "join", "--token", token, self._manager)
        await asyncio.gather(*(_run(*machine.command(*argv)) for machine in machines))


class Ansible:
    """One playbook run from the host over ssh, facts off, eight forks, else the defaults."""

    name = "ansible"
    what = "ansible-playbook"
    until_active = False

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    async def join(self, machines: Sequence[Machine], token: str) -> None:
        """Run the playbook for all machines."""
        with tempfile.TemporaryDirectory(prefix="ssw-") as home:
            inventory = Path(home) / "hosts.json"
            inventory.write_text(json.dumps(self._inventory(machines)), encoding="ascii")
            argv = (
                str(self._ground.ansible / "ansible-playbook"),
                f"--inventory={inventory}",
                "--forks=8",
                f"--extra-vars={json.dumps({'token': token})}",
                str(_PLAYBOOK),
            )
            kept = {name: text for name, text in os.environ.items() if name[:6] != "PYTHON"}
            # A home of its own: no connection of an earlier round is taken up again. A machine
            # that is to join a swarm is one that nobody has connected to.
            await _run(*argv, env={**kept, "ANSIBLE_HOME": home, "LC_ALL": "C.UTF-8"})

    def _inventory(self, machines: Sequence[Machine]) -> dict[str, object]:
        hosts = {one.hostname: {"ansible_host": one.address} for one in machines}
        settings = {
            "manager": self._ground.manager.address,
            "ansible_user": "root",
            "ansible_python_interpreter": "/usr/bin/python3",
            "ansible_ssh_private_key_file": str(self._ground.key),
            "ansible_ssh_common_args": "-o StrictHostKeyChecking=no"
            " -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR",
        }
        return {"all": {"hosts": hosts, "vars": settings}}


def stages(machine: Machine, *, began: float, wall: float) -> tuple[dict[str, float], int]:
    """Seconds after the command at which the agent reached each of its stages, by its journal.

    And how often it had to try again: more than never explains a slow round. `began` and `wall`
    are the command's time by two clocks; systemd dates the process by one, the journal its lines
    by the other.
    """
    shown = machine.run("systemctl", "show", "--property=ExecMainStartTimestampMonotonic", _UNIT)
    found = {"process": int(shown.stdout.partition("=")[2]) / 1e6 - began}
    read = ("journalctl", "--no-pager", "-o", "json", f"--unit={_UNIT}", f"--since=@{wall:.6f}")
    words, retries = list(_WORDS), 0
    for line in machine.run(*read).stdout.splitlines():
        entry = json.loads(line)
        said = str(entry.get("MESSAGE"))
        retries += "trying again" in said
        if words and words[0][1] in said:
            found[words.pop(0)[0]] = int(entry["__REALTIME_TIMESTAMP"]) / 1e6 - wall
    return found, retries


async def _run(*argv: str, env: dict[str, str] | None = None) -> None:
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=env,
    )
    try:
        said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode:
        raise LabError(f"`{argv[-1]}` failed ({process.returncode}): {said.decode()[-2000:]}")
