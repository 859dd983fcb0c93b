"""Runs a machine for each simulated EC2 instance.

Rule: carry out only one action on a machine at a time. `reconcile` chooses the action. If an action
fails, the reason is logged and the machine is recorded as dead. Other machines are not affected.
"""

import asyncio
import contextlib
import subprocess
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final, TypeVar

import structlog

from lab.aws.clients import AGENT_TAG
from lab.aws.cloud import Cloud, Instance
from lab.host import LabError
from lab.machines import power
from lab.machines.reconcile import Act, reconcile
from lab.machines.record import RUNNING, Record, Stage
from lab.places import Places
from runtime import clock
from wire.labels import TAG_ROLE

log: Final = structlog.get_logger("lab.machines.hypervisor")

Result = TypeVar("Result")

_EVERY: Final = 0.25
_AT_ONCE: Final = 3
"""How many machines boot at the same time; more machines would delay each other."""
_BOOT_SECONDS: Final = 120
_QUARANTINE: Final = 32
"""How many addresses of destroyed machines are held back before they are reused."""


@dataclass(slots=True)
class _Entry:
    """A machine and its nspawn process."""

    record: Record
    process: "subprocess.Popen[bytes] | None" = None
    is_busy: bool = False


class Hypervisor:
    """Manages the machines of one lab while `run` is running."""

    def __init__(
        self,
        cloud: Cloud,
        places: Places,
        layers: Callable[[str], str],
        *,
        grace: Callable[[str], float],
    ) -> None:
        """Create a hypervisor that has no machines yet.

        `layers` takes an image id and returns the image's layers in overlayfs format. `grace` takes
        an instance id and returns how many seconds the instance may take to shut down.
        """
        self._cloud = cloud
        self._grace = grace
        self._places = places
        self._machines = places.machines
        self._layers = layers
        self._entries: dict[str, _Entry] = {}
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._threads = ThreadPoolExecutor(8, "machine")
        self._resting: deque[str] = deque()
        self._instances: dict[str, Instance] = {}

    def find(self, address: str) -> Instance | None:
        """Return the running instance with this private address, or None."""
        for instance in self._instances.values():
            if instance.address == address and instance.state == "running":
                return instance
        return None

    def stages(self) -> dict[str, Stage]:
        """Return the stage of each machine, by instance id."""
        return {name: entry.record.stage for name, entry in self._entries.items()}

    def reboot(self, instance: str) -> None:
        """Reboot a machine cleanly; do nothing if the machine is not running."""
        if entry := self._entries.get(instance):
            power.send(entry.record, power.REBOOT)

    async def run(self) -> None:
        """Keep the machines in sync with the EC2 instances until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._instances = self._cloud.instances()
                self._notice_ends()
                states = {name: instance.state for name, instance in self._instances.items()}
                for name, act in reconcile(states, self.stages()).items():
                    entry = self._entries.get(name)
                    if entry and entry.is_busy:
                        continue
                    if entry is None:
                        entry = self._enter(self._instances[name])
                    entry.is_busy = True
                    tasks.create_task(self._perform(act, entry), name=f"{act} {name}")
                await asyncio.sleep(_EVERY)

    def _enter(self, instance: Instance) -> _Entry:
        record = Record(
            instance=instance.id,
            address=instance.address,
            hostname=power.hostname(instance.address),
            role=instance.tags.get(TAG_ROLE, ""),
        )
        record.write(self._machines)
        entry = _Entry(record)
        self._entries[instance.id] = entry
        return entry

    async def _perform(self, act: Act, entry: _Entry) -> None:
        name = entry.record.instance
        try:
            match act:
                case Act.CREATE:
                    await self._create(entry)
                case Act.BOOT:
                    await self._boot(entry)
                case Act.SHUT_DOWN:
                    await self._shut_down(entry)
                case Act.SETTLE:
                    self._write(entry, stage=Stage.STOPPED, init=None)
                case Act.DESTROY:
                    await self._destroy(entry)
            log.info("completed an action", act=act, instance=name, stage=entry.record.stage)
        except (LabError, OSError) as exc:
            log.exception("an action failed", act=act, instance=name, reason=str(exc))
            if name in self._entries and act is not Act.DESTROY:
                self._write(entry, stage=Stage.DEAD)
            # A busy disk is free a moment later; retries without a pause would flood the log.
            await asyncio.sleep(1)
        finally:
            entry.is_busy = False

    async def _create(self, entry: _Entry) -> None:
        instance = self._instances[entry.record.instance]
        if not power.is_ours(self._places, instance.address):
            raise LabError(
                f"{instance.id} has the address {instance.address}, outside the lab's network: "
                "launch the instance in one of the lab's subnets"
            )
        planned = entry.record
        async with self._slots:
            entry.record = await self._in_thread(
                lambda: power.build(
                    self._places,
                    planned,
                    layers=self._layers(instance.image),
                    agent=instance.tags.get(AGENT_TAG) != "off",
                )
            )
            await self._switch_on(entry)

    async def _boot(self, entry: _Entry) -> None:
        async with self._slots:
            await self._switch_on(entry)

    async def _switch_on(self, entry: _Entry) -> None:
        began = clock.monotonic()
        record = entry.record
        process, init = await self._in_thread(lambda: power.switch_on(self._places, record))
        entry.process = process
        self._write(entry, stage=Stage.BOOTED, init=init)
        while clock.monotonic() - began < _BOOT_SECONDS and process.poll() is None:
            if version := await self._in_thread(lambda: power.engine_version(entry.record)):
                entry.record = replace(entry.record, engine=version)
                self._write(entry, stage=Stage.ENGINE)
                seconds = round(clock.monotonic() - began, 2)
                log.info(
                    "the engine started",
                    instance=record.instance,
                    version=version,
                    seconds=seconds,
                )
                return
            await asyncio.sleep(0.1)
        # This is not a hardware failure; the reason is in the machine's journal.
        log.warning("the engine did not start", instance=record.instance)

    async def _shut_down(self, entry: _Entry) -> None:
        process, record = entry.process, entry.record
        if process is not None:
            grace = self._grace(record.instance)
            await self._in_thread(lambda: power.shut_down(process, record, within=grace))
        entry.process = None
        self._write(entry, stage=Stage.STOPPED, init=None)

    async def _destroy(self, entry: _Entry) -> None:
        if entry.record.stage in RUNNING:
            # As on EC2, the machine may shut down first.
            await self._shut_down(entry)
        record = entry.record
        await self._in_thread(lambda: power.destroy(self._places, record))
        del self._entries[record.instance]
        self._resting.append(record.address)
        if len(self._resting) > _QUARANTINE:
            self._cloud.free(self._resting.popleft())

    def _notice_ends(self) -> None:
        """Update the records of machines that have rebooted, powered off or lost power."""
        for name, entry in self._entries.items():
            if entry.is_busy or entry.process is None or entry.record.stage not in RUNNING:
                continue
            code = entry.process.poll()
            if code is None:
                continue
            entry.process = None
            log.info("a machine stopped", instance=name, code=code)
            if code == power.REBOOTED:
                # EC2 still reports the instance as running, so the machine is booted again soon.
                self._write(entry, stage=Stage.STOPPED, init=None)
            elif code == 0:
                self._write(entry, stage=Stage.STOPPED, init=None)
                with contextlib.suppress(KeyError):
                    self._cloud.was_shut_down(self._instances[name])
                    self._instances[name] = self._cloud.instances()[name]
            else:
                self._write(entry, stage=Stage.DEAD, init=None)

    def _write(self, entry: _Entry, *, stage: Stage, **fields: int | None) -> None:
        init = fields.get("init", entry.record.init)
        entry.record = replace(entry.record, stage=stage, init=init)
        entry.record.write(self._machines)

    async def _in_thread(self, call: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)
