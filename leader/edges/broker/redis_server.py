"""Runs Redis for the active leader, in a container or as a child process.

Rule: keep Redis's files (certificate, key, ACL) in a tmpfs directory that only Redis can read.
Pass no secrets on the command line or in the environment, where other users could read them.
"""

import asyncio
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol, Self

import aiohttp
import structlog
from aiodocker import Docker

from leader.edges.broker.configuration import CONTAINER_MB, redis_conf, users_acl
from leader.edges.docker.errors import translated
from runtime.errors import GoneError, RefusedError, UnavailableError
from wire.cluster_secrets import ClusterSecrets

log = structlog.get_logger("broker")

CONTAINER: Final = "spotswarm-broker"
_CONTAINER_UID = 999
"""The id of the user `redis` in the official image."""
_NOBODY_UID = 65534
_STOP_SECONDS = 3


class RedisServer(Protocol):
    """A Redis server that runs while its async context is open."""

    async def __aenter__(self) -> Self: ...
    async def __aexit__(self, *_: object) -> None: ...
    async def ended(self) -> str:
        """Wait until Redis exits, and return a message that includes the exit code."""


def write_files(
    directory: Path, *, cluster: str, secrets: ClusterSecrets, port: int, seen_as: str, uid: int
) -> None:
    """Write Redis's files so that only the user `uid` can read them.

    `seen_as` is the path where Redis sees `directory`, which is different in a container.
    """
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(mode=0o700, parents=True)
    files = {
        "redis.conf": redis_conf(port=port, bind="0.0.0.0", directory=seen_as),
        "users.acl": users_acl(cluster, secrets),
        "ca.crt": secrets.ca,
        "broker.crt": secrets.certificate,
        "broker.key": secrets.certificate_key.get_secret_value(),
    }
    for name, text in files.items():
        path = directory / name
        path.touch(mode=0o600)
        path.write_text(text if text.endswith("\n") else text + "\n")
        path.chmod(0o400)
        os.chown(path, uid, uid)
    os.chown(directory, uid, uid)


class ProcessRedis:
    """Runs `redis-server` as a child process, which is killed if the leader dies."""

    def __init__(
        self, directory: Path, *, cluster: str, secrets: ClusterSecrets, port: int
    ) -> None:
        self._directory = directory
        self._cluster = cluster
        self._secrets = secrets
        self._port = port

    async def __aenter__(self) -> Self:
        program = shutil.which("redis-server")
        if program is None:
            raise RefusedError(
                "redis-server is not installed; run `apt-get install redis-server`"
                ' or set broker = "container"'
            )
        uid = _NOBODY_UID if os.getuid() == 0 else os.getuid()
        write_files(
            self._directory,
            cluster=self._cluster,
            secrets=self._secrets,
            port=self._port,
            seen_as=str(self._directory),
            uid=uid,
        )
        # setpriv's parent-death signal survives the exec, so even a leader that is killed with
        # SIGKILL leaves no Redis behind that would occupy the port.
        command = ["setpriv", "--pdeathsig", "KILL"]
        if os.getuid() == 0:
            command += [f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
        self._process = await asyncio.create_subprocess_exec(
            *command,
            program,
            str(self._directory / "redis.conf"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
        )
        log.info("started the broker", kind="process", pid=self._process.pid, port=self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        with suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await self._process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        shutil.rmtree(self._directory, ignore_errors=True)

    async def ended(self) -> str:  # noqa: D102
        return f"redis-server exited with code {await self._process.wait()}"


class ContainerRedis:
    """Runs Redis in a container that Swarm does not manage and therefore cannot move."""

    def __init__(
        self,
        directory: Path,
        *,
        cluster: str,
        secrets: ClusterSecrets,
        port: int,
        image: str,
        docker_url: str = "unix:///run/docker.sock",
    ) -> None:
        self._directory = directory
        self._cluster = cluster
        self._secrets = secrets
        self._port = port
        self._image = image
        self._url = docker_url

    async def __aenter__(self) -> Self:
        write_files(
            self._directory,
            cluster=self._cluster,
            secrets=self._secrets,
            port=self._port,
            seen_as="/broker",
            uid=_CONTAINER_UID,
        )
        self._docker = Docker(url=self._url)
        try:
            await self._start()
        except BaseException:
            await self._docker.close()
            raise
        log.info("started the broker", kind="container", image=self._image, port=self._port)
        return self

    async def _start(self) -> None:
        await self._remove()
        with translated(f"look up the image {self._image}"):
            try:
                with translated(f"look up the image {self._image}"):
                    await self._docker.images.inspect(self._image)
            except GoneError:
                log.info("pulling the broker's image", image=self._image)
                await self._docker.images.pull(self._image)
        with translated("start the broker's container"):
            self._container = await self._docker.containers.create(
                name=CONTAINER,
                config={
                    "Image": self._image,
                    "Entrypoint": ["redis-server"],
                    "Cmd": ["/broker/redis.conf"],
                    "User": f"{_CONTAINER_UID}:{_CONTAINER_UID}",
                    "HostConfig": {
                        # On the host network, Redis sees the clients' addresses and has no proxy
                        # in front of it.
                        "NetworkMode": "host",
                        "Binds": [f"{self._directory}:/broker:ro"],
                        "ReadonlyRootfs": True,
                        "Tmpfs": {"/tmp": "size=1m"},  # noqa: S108  inside the container
                        "CapDrop": ["ALL"],
                        "SecurityOpt": ["no-new-privileges"],
                        "Memory": CONTAINER_MB * 1024 * 1024,
                        "RestartPolicy": {"Name": "no"},
                    },
                },
            )
            await self._container.start()

    async def _remove(self) -> None:
        """Remove the broker's container, including one left behind by a leader that was killed."""
        try:
            with translated("remove the broker's container"):
                old = await self._docker.containers.get(CONTAINER)
                await old.delete(force=True)
        except GoneError:
            return

    async def __aexit__(self, *_: object) -> None:
        try:
            async with asyncio.timeout(10):
                await self._remove()
        except (UnavailableError, RefusedError, TimeoutError) as exc:
            log.warning("could not remove the broker's container", reason=str(exc))
        await self._docker.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    async def ended(self) -> str:  # noqa: D102
        with translated("watch the broker's container"):
            answer = await self._container.wait(timeout=aiohttp.ClientTimeout(total=None))
        return f"the broker's container exited with code {answer.get('StatusCode')}"
