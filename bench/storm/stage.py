"""Starts the programs of this benchmark, and ends them whatever happens.

Rule: nothing waits for the leader without watching its process. If it ends, the benchmark says so.
"""

import asyncio
import json
import os
import random
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from nacl.public import PrivateKey

from bench.storm import people
from cli.founding.secrets import create, user_data_text
from lab.host import LabError
from runtime import clock
from wire import user_data
from wire.sealing import public_text
from wire.user_data import UserData

Value = TypeVar("Value")

_READY_SECONDS: Final = 60.0
_END_SECONDS: Final = 15.0
_LAST_CHARACTERS: Final = 1500


@dataclass(slots=True)
class Program:
    """A program that runs, and the JSON lines that it has printed."""

    name: str
    process: asyncio.subprocess.Process
    log: Path
    events: list[dict[str, Any]] = field(default_factory=list)
    reading: "asyncio.Task[None] | None" = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self) -> None:
        """Collect what the program prints until it ends."""
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            with suppress(ValueError):
                self.events.append(json.loads(line))
            self._changed.set()

    async def first(self, matches: Callable[[dict[str, Any]], bool], within: float) -> float | None:
        """Return the time of the first event that matches, or None if there is none in time."""
        deadline = clock.monotonic() + within
        while True:
            for event in self.events:
                if matches(event):
                    return float(event.get("at", 0.0))
            self._changed.clear()
            try:
                async with asyncio.timeout_at(
                    asyncio.get_running_loop().time() + deadline - clock.monotonic()
                ):
                    await self._changed.wait()
            except TimeoutError:
                return None

    async def ready(self) -> None:
        """Wait until the program says that it is ready."""
        seen = self.first(lambda event: event.get("event") == "ready", _READY_SECONDS)
        if await self.watched(seen) is None:
            raise LabError(f"{self.name} was not ready in time; {self.last_words()}")

    async def watched(self, work: Coroutine[Any, Any, Value]) -> Value:
        """Wait for `work`. Raise LabError with the program's last words if the program ends."""
        task = asyncio.create_task(work)
        ended = asyncio.create_task(self.process.wait())
        try:
            await asyncio.wait({task, ended}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                code = ended.result()
                raise LabError(f"{self.name} ended with code {code}; {self.last_words()}")
            return task.result()
        finally:
            for pending in (task, ended):
                pending.cancel()
            await asyncio.gather(task, ended, return_exceptions=True)

    def last_words(self) -> str:
        """Return the end of the program's log."""
        return f"its log ends with:\n{self.log.read_text(errors='replace')[-_LAST_CHARACTERS:]}"

    def cpu_seconds(self) -> float:
        """Return how much CPU time the program has used."""
        # The name, in parentheses, may contain spaces.
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def most_memory_mb(self) -> float:
        """Return the most memory that the program has used."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
        raise LabError(f"/proc does not tell the memory of {self.name}")


@dataclass(slots=True)
class Stage:
    """A cluster's secrets, and its programs."""

    place: Path
    shared: UserData
    keys: dict[str, PrivateKey]
    """The members' join keys, by instance."""
    port: int
    aws_port: int

    @asynccontextmanager
    async def outside(self) -> AsyncIterator[Program]:
        """Run AWS and the engine."""
        socket_path = self.place / "engine.sock"
        socket_path.unlink(missing_ok=True)
        args: tuple[object, ...] = ("--port", self.aws_port, "--socket", socket_path)
        args += ("--members", self.place / "members.json")
        async with self._running("bench.storm.outside", *args) as program:
            await program.ready()
            yield program

    @asynccontextmanager
    async def leading(self, *, is_floor: bool = False) -> AsyncIterator[Program]:
        """Run the leader, or the floor."""
        args: tuple[object, ...] = ("--directory", self.place, "--port", self.port)
        args += ("--aws", f"http://127.0.0.1:{self.aws_port}/")
        async with self._running(
            "bench.storm.leading", *args, *(("--floor",) if is_floor else ())
        ) as program:
            await program.ready()
            yield program

    @asynccontextmanager
    async def crowd(
        self, first: int, count: int, *, within: float, is_floor: bool
    ) -> AsyncIterator[Program]:
        """Run many agents, which wait for a line on stdin."""
        args: tuple[object, ...] = ("--user-data", self.place / "agent.toml")
        args += ("--first", first, "--count", count, "--within", within)
        async with self._running(
            "bench.storm.crowd", *args, *(("--floor",) if is_floor else ())
        ) as program:
            yield program

    @asynccontextmanager
    async def junk(self, rate: int) -> AsyncIterator[Program]:
        """Run the flood, which ends with a line on stdin."""
        args = ("--user-data", self.place / "agent.toml", "--rate", rate)
        async with self._running("bench.storm.junk", *args) as program:
            yield program

    @asynccontextmanager
    async def _running(self, module: str, *args: object) -> AsyncIterator[Program]:
        key = people.access_key_of(people.MANAGER)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.place),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "PYDANTIC_DISABLE_PLUGINS": "__all__",
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": people.secret_of(key),
            "AWS_SESSION_TOKEN": people.session_token_of(key),
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        log = self.place / f"{module}.log"
        with log.open("wb") as stderr:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                module,
                *map(str, args),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=stderr,
                env=environment,
                limit=1 << 24,
            )
        program = Program(module, process, log)
        program.reading = asyncio.create_task(program.read())
        try:
            yield program
        finally:
            await _end(process)
            await asyncio.wait({program.reading}, timeout=_END_SECONDS)
            program.reading.cancel()


async def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(_END_SECONDS):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def tell(program: Program) -> None:
    """Send the program a line on stdin."""
    assert program.process.stdin is not None
    program.process.stdin.write(b"\n")
    await program.process.stdin.drain()


async def last_line(program: Program) -> Any:
    """Wait until the program ends, and return the value of its last JSON line."""
    code = await program.process.wait()
    if program.reading is not None:
        await program.reading
    if code != 0 or not program.events:
        raise LabError(f"{program.name} ended with code {code}; {program.last_words()}")
    return program.events[-1]


def set_up(place: Path) -> Stage:
    """Write the secrets and the user data of a new cluster into a directory."""
    # The broker runs as another user, and must reach its files below this directory.
    place.chmod(0o755)
    port, aws_port = _free_ports(2)
    created = create(
        cluster=people.CLUSTER,
        names=[],
        addresses=["127.0.0.1"],
        port=port,
        days=1,
        at=clock.now(),
    )
    directory = place / "secrets"
    directory.mkdir(mode=0o700)
    for name, text in created.leader.to_files().items():
        (directory / name).write_text(text)
        (directory / name).chmod(0o600)
    keys = {people.instance_of(number): PrivateKey.generate() for number in people.MEMBERS}
    members = {instance: public_text(key.public_key) for instance, key in keys.items()}
    (place / "members.json").write_text(json.dumps(members))
    table = created.agent | {"sts_endpoint": f"http://127.0.0.1:{aws_port}/"}
    text = user_data_text(table)
    (place / "agent.toml").write_text(text)
    return Stage(place, user_data.parse(text), keys, port, aws_port)


def _free_ports(count: int) -> Sequence[int]:
    """Return free ports below the range that the kernel uses for outgoing connections."""
    ports: list[int] = []
    while len(ports) < count:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as sock, suppress(OSError):
            sock.bind(("127.0.0.1", port))
            if port not in ports:
                ports.append(port)
    return ports


@asynccontextmanager
async def all_of(*contexts: Any) -> AsyncIterator[list[Program]]:
    """Enter several contexts, and yield what they yield."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(context) for context in contexts]
