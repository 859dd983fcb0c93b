"""The loop that makes machines out of EC2's instances.

Rule: one act in flight for each machine. Nothing is decided here; `reconcile` does that.
A machine that cannot be built is written down as dead and said loudly; the others go on.
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

_EVERY: Final = 0.2
_AT_ONCE: Final = 3
"""Machines booting at the same time; more make each other late."""
_BOOT_SECONDS: Final = 120
_QUARANTINE: Final = 32
"""Addresses of destroyed machines that rest before they are used again."""


@dataclass(slots=True)
class _Held:
    record: Record
    process: "subprocess.Popen[bytes] | None" = None
    is_busy: bool = False


class Hypervisor:
    """Holds the machines of one lab; `run` for as long as the lab is up."""

    def __init__(
        self,
        cloud: Cloud,
        places: Places,
        layers: Callable[[str], str],
        *,
        grace: Callable[[str], float],
    ) -> None:
        """`layers` gives the file system of an image id, as overlayfs takes it.

        `grace` is how many seconds an instance's machine has to shut down.
        """
        self._cloud = cloud
        self._grace = grace
        self._places = places
        self._machines = places.machines
        self._layers = layers
        self._held: dict[str, _Held] = {}
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._threads = ThreadPoolExecutor(8, "machine")
        self._resting: deque[str] = deque()
        self._instances: dict[str, Instance] = {}

    def find(self, address: str) -> Instance | None:
        """The instance that runs at a private address."""
        for instance in self._instances.values():
            if instance.address == address and instance.state == "running":
                return instance
        return None

    def stages(self) -> dict[str, Stage]:
        """Instance id → how far its machine is, of all there are."""
        return {name: held.record.stage for name, held in self._held.items()}

    def reboot(self, instance: str) -> None:
        """Ask a machine to boot again, in order; quiet when it does not run."""
        if held := self._held.get(instance):
            power.send(held.record, power.REBOOT)

    async def run(self) -> None:
        """Compare and act until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._instances = self._cloud.instances()
                self._notice_ends()
                states = {name: one.state for name, one in self._instances.items()}
                for name, act in reconcile(states, self.stages()).items():
                    held = self._held.get(name)
                    if held and held.is_busy:
                        continue
                    if held is None:
                        held = self._enter(self._instances[name])
                    held.is_busy = True
                    tasks.create_task(self._perform(act, held), name=f"{act} {name}")
                await asyncio.sleep(_EVERY)

    def _enter(self, instance: Instance) -> _Held:
        record = Record(
            instance=instance.id,
            address=instance.address,
            hostname=power.hostname(instance.address),
            role=instance.tags.get(TAG_ROLE, ""),
        )
        record.write(self._machines)
        held = _Held(record)
        self._held[instance.id] = held
        return held

    async def _perform(self, act: Act, held: _Held) -> None:
        name = held.record.instance
        try:
            match act:
                case Act.CREATE:
                    await self._create(held)
                case Act.BOOT:
                    await self._boot(held)
                case Act.SHUT_DOWN:
                    await self._shut_down(held)
                case Act.SETTLE:
                    self._write(held, stage=Stage.STOPPED, init=None)
                case Act.DESTROY:
                    await self._destroy(held)
            log.info("machine done", act=act, instance=name, stage=held.record.stage)
        except (LabError, OSError) as exc:
            log.exception("machine failed", act=act, instance=name, reason=str(exc))
            if name in self._held and act is not Act.DESTROY:
                self._write(held, stage=Stage.DEAD)
            # A disk still in use is free a moment later; asking at once would fill the log.
            await asyncio.sleep(1)
        finally:
            held.is_busy = False

    async def _create(self, held: _Held) -> None:
        instance = self._instances[held.record.instance]
        if not power.is_ours(self._places, instance.address):
            raise LabError(
                f"{instance.id} has the address {instance.address}, outside of the lab's network: "
                "launch it into one of the lab's subnets"
            )
        planned = held.record
        async with self._slots:
            held.record = await self._in_thread(
                lambda: power.build(
                    self._places,
                    planned,
                    layers=self._layers(instance.image),
                    agent=instance.tags.get(AGENT_TAG) != "off",
                )
            )
            await self._switch_on(held)

    async def _boot(self, held: _Held) -> None:
        async with self._slots:
            await self._switch_on(held)

    async def _switch_on(self, held: _Held) -> None:
        began = clock.monotonic()
        record = held.record
        process, init = await self._in_thread(lambda: power.switch_on(self._places, record))
        held.process = process
        self._write(held, stage=Stage.BOOTED, init=init)
        while clock.monotonic() - began < _BOOT_SECONDS and process.poll() is None:
            if version := await self._in_thread(lambda: power.engine_version(held.record)):
                held.record = replace(held.record, engine=version)
                self._write(held, stage=Stage.ENGINE)
                seconds = round(clock.monotonic() - began, 2)
                log.info(
                    "engine answers", instance=record.instance, version=version, seconds=seconds
                )
                return
            await asyncio.sleep(0.1)
        # Not a failure of the hardware: who wants to know why asks the machine's journal.
        log.warning("engine does not answer", instance=record.instance)

    async def _shut_down(self, held: _Held) -> None:
        process, record = held.process, held.record
        if process is not None:
            grace = self._grace(record.instance)
            await self._in_thread(lambda: power.shut_down(process, record, within=grace))
        held.process = None
        self._write(held, stage=Stage.STOPPED, init=None)

    async def _destroy(self, held: _Held) -> None:
        if held.record.stage in RUNNING:
            # As EC2 does: the system gets its chance, and then no other.
            await self._shut_down(held)
        record = held.record
        await self._in_thread(lambda: power.destroy(self._places, record))
        del self._held[record.instance]
        self._resting.append(record.address)
        if len(self._resting) > _QUARANTINE:
            self._cloud.free(self._resting.popleft())

    def _notice_ends(self) -> None:
        """Machines that stopped by themselves: rebooted, powered off, or cut."""
        for name, held in self._held.items():
            if held.is_busy or held.process is None or held.record.stage not in RUNNING:
                continue
            code = held.process.poll()
            if code is None:
                continue
            held.process = None
            log.info("machine ended", instance=name, code=code)
            if code == power.REBOOTED:
                # EC2 still says running: the next comparison boots it again.
                self._write(held, stage=Stage.STOPPED, init=None)
            elif code == 0:
                self._write(held, stage=Stage.STOPPED, init=None)
                with contextlib.suppress(KeyError):
                    self._cloud.was_shut_down(self._instances[name])
                    self._instances[name] = self._cloud.instances()[name]
            else:
                self._write(held, stage=Stage.DEAD, init=None)

    def _write(self, held: _Held, *, stage: Stage, **fields: int | None) -> None:
        init = fields.get("init", held.record.init)
        held.record = replace(held.record, stage=stage, init=init)
        held.record.write(self._machines)

    async def _in_thread(self, call: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)
