"""Real things for the contract tests: Redis, Docker engines, and moto as a server.

Nothing is mocked and nothing is skipped: a program that is missing fails the test with its
name. Everything started here is ended by its own pid, in networks and directories of its own.
"""

import asyncio
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

sys.path.insert(0, str(Path(__file__).parent))

import boto3
import pytest
from moto.server import ThreadedMotoServer
from ports import free_port
from programs import needs
from pydantic import SecretStr

from agent.signing import Credentials
from cli.founding.making import Made, make
from leader.edges.aws.clients import Aws
from leader.edges.broker import connection as leader_broker
from leader.edges.broker.connection import Broker
from leader.edges.broker.redis_server import ProcessRedis, lay_down
from leader.edges.docker.swarm import Swarm
from leader.view.ids import NodeId
from runtime import clock
from wire.cluster_secrets import ClusterSecrets
from wire.labels import TAG_CLUSTER, TAG_ROLE
from wire.messages import Role
from wire.user_data import UserData

T = TypeVar("T")

CLUSTER: Final = "contract"
REGION: Final = "eu-central-1"
ACCOUNT: Final = "123456789012"
OTHER_ACCOUNT: Final = "210987654321"
NOBODY: Final = 65534
IMAGE: Final = "127.0.0.1:1/busybox:1"
"""An engine tries to pull what a service names before it uses its own; here it is refused."""


def run(*command: str, check: bool = True) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if check and done.returncode:
        pytest.fail(f"{' '.join(command)}: {done.stderr or done.stdout}")
    return done.stdout


async def poll(
    check: Callable[[], Awaitable[T]], within: float = 20.0, *, every: float = 0.05
) -> T:
    """The first true answer of `check`; the test fails when none came in time."""
    deadline = clock.monotonic() + within
    while True:
        found = await check()
        if found:
            return found
        if clock.monotonic() > deadline:
            pytest.fail(f"not so within {within} s; the last answer was {found!r}")
        await asyncio.sleep(every)


@pytest.fixture
def eventually() -> Callable[..., Awaitable[Any]]:
    return poll


@pytest.fixture(scope="session")
def ground() -> Iterator[Path]:
    """A directory the Redis user can pass through, which pytest's own are not."""
    path = Path(tempfile.mkdtemp(prefix="ssc-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


# The cluster's secrets and its Redis.


@dataclass
class Cluster:
    """One cluster's secrets, as `spotswarm init` makes them, and a port for its broker."""

    name: str
    made: Made
    port: int

    @property
    def secrets(self) -> ClusterSecrets:
        return self.made.secrets

    def told(self, **changes: Any) -> UserData:
        """What its agents are told, with changes."""
        return UserData.model_validate(self.made.agent | changes)


def new_cluster(name: str = CLUSTER) -> Cluster:
    port = free_port()
    made = make(cluster=name, names=[], addresses=["127.0.0.1"], port=port, days=30, at=clock.now())
    return Cluster(name, made, port)


@pytest.fixture
def cluster() -> Cluster:
    return new_cluster()


@pytest.fixture
def another_cluster() -> Cluster:
    """Its CA, keys and passwords are none of the first one's."""
    return new_cluster()


@pytest.fixture(scope="session")
def standing(ground: Path) -> Iterator[Cluster]:
    """A cluster whose Redis stands for the whole session, for tests that change nothing."""
    cluster = new_cluster()
    directory = ground / "standing"
    lay_down(
        directory,
        cluster=cluster.name,
        secrets=cluster.secrets,
        port=cluster.port,
        seen_as=str(directory),
        uid=NOBODY,
    )
    server = subprocess.Popen(
        [
            needs("setpriv"),
            f"--reuid={NOBODY}",
            f"--regid={NOBODY}",
            "--clear-groups",
            needs("redis-server"),
            str(directory / "redis.conf"),
        ],
        stdout=subprocess.DEVNULL,
    )

    async def wait() -> None:
        async with leader_broker.connected(cluster.secrets, cluster=CLUSTER, port=cluster.port):
            return

    try:
        asyncio.run(wait())
        yield cluster
    finally:
        server.terminate()
        server.wait(10)


@dataclass
class Brokers:
    """Starts and stops the cluster's Redis within one test."""

    cluster: Cluster
    directory: Path

    def server(self) -> ProcessRedis:
        needs("redis-server")
        return ProcessRedis(
            self.directory,
            cluster=self.cluster.name,
            secrets=self.cluster.secrets,
            port=self.cluster.port,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Broker]:
        """Redis by `ProcessRedis`, and the leader's connections to it."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.server())
            yield await stack.enter_async_context(self.connected())

    def connected(self) -> Any:
        return leader_broker.connected(
            self.cluster.secrets, cluster=self.cluster.name, port=self.cluster.port
        )


@pytest.fixture
def brokers(cluster: Cluster, ground: Path) -> Brokers:
    return Brokers(cluster, ground / f"broker-{cluster.port}")


@pytest.fixture
async def broker(brokers: Brokers) -> AsyncIterator[Broker]:
    async with brokers.running() as connected:
        yield connected


# Docker engines.


@dataclass
class Machine:
    """A dockerd of its own: network, mounts and host name apart from this machine's."""

    name: str
    address: str
    directory: Path
    bridge: str
    is_networked: bool = True
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"unix://{self.directory}/s"

    def plug_in(self) -> None:
        self.directory.mkdir()
        run("ip", "netns", "add", self.name)
        run(
            *("ip", "link", "add", f"{self.name}v", "type", "veth"),
            *("peer", "name", "host0", "netns", self.name),
        )
        run("ip", "link", "set", f"{self.name}v", "master", self.bridge, "up")
        run("ip", "-n", self.name, "link", "set", "lo", "up")
        run("ip", "-n", self.name, "addr", "add", f"{self.address}/24", "dev", "host0")
        run("ip", "-n", self.name, "link", "set", "host0", "up")

    def start(self) -> None:
        """Start dockerd; `wait` says when it answers."""
        needs("docker")
        place = self.directory
        command = [
            needs("dockerd"),
            f"--data-root={place}/data",
            f"--exec-root={place}/exec",
            f"--pidfile={place}/pid",
            f"--host={self.url}",
            f"--cgroup-parent=/{self.name}",
            "--label=rack=7",
        ]
        if self.is_networked:
            inside = f'hostname {self.name}; exec "$@"'
            apart = ["nsenter", f"--net=/run/netns/{self.name}", "unshare", "-m", "-u"]
            command = [*apart, "sh", "-c", inside, "sh", *command]
        else:
            # On the host's network it must leave that alone.
            command += ["--bridge=none", "--iptables=false", "--ip-forward=false"]
            command = ["unshare", "-m", *command]
        with (place / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def wait(self, within: float = 30.0) -> None:
        deadline = clock.monotonic() + within
        while True:
            assert self.process is not None
            if self.process.poll() is not None or clock.monotonic() > deadline:
                pytest.fail(
                    f"dockerd did not start: {(self.directory / 'log').read_text()[-2000:]}"
                )
            if self.answers("/_ping"):
                return
            threading_pause()

    def answers(self, path: str) -> bool:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(5)
            try:
                sock.connect(f"{self.directory}/s")
                sock.sendall(f"GET {path} HTTP/1.0\r\nHost: d\r\n\r\n".encode())
                return b" 200 " in sock.recv(64)
            except OSError:
                return False

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)

    def kill(self) -> None:
        """End it the hard way; its containerd dies with it."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def forget_swarm(self) -> None:
        """Start anew in no swarm: an engine whose join got stuck neither joins nor leaves."""
        self.stop()
        shutil.rmtree(self.directory / "data/swarm", ignore_errors=True)
        self.start()
        self.wait()

    def join(self, manager: "Machine", token: str) -> None:
        """Join as a worker; an engine that got stuck in its attempt is started anew."""
        command = ("swarm", "join", "--token", token, "--advertise-addr", self.address)
        run("docker", "-H", self.url, *command, f"{manager.address}:2377", check=False)
        if self.docker("info", "--format", "{{.Swarm.LocalNodeState}}") != "active":
            self.forget_swarm()
            self.docker(*command, f"{manager.address}:2377")

    def docker(self, *command: str, check: bool = True) -> str:
        return run("docker", "-H", self.url, *command, check=check).strip()

    def load(self, image: str, packed: bytes) -> None:
        """Make an image of a tar file, unless there is one of that name."""
        if not self.docker("image", "ls", "--quiet", image):
            command = [needs("docker"), "-H", self.url, "import", "-", image]
            subprocess.run(command, input=packed, check=True, capture_output=True, timeout=60)

    def remove_services(self) -> None:
        if names := self.docker("service", "ls", "--quiet").split():
            self.docker("service", "rm", *names)

    def remove_containers(self) -> None:
        # One that its own task's end removes meanwhile is no error.
        if names := self.docker("ps", "--all", "--quiet").split():
            self.docker("rm", "--force", "--volumes", *names, check=False)

    def remove(self) -> None:
        self.stop()
        if self.is_networked:
            run("ip", "link", "del", f"{self.name}v", check=False)
            run("ip", "netns", "del", self.name, check=False)
        for line in Path("/proc/mounts").read_text().splitlines():
            if line.split()[1].startswith(f"{self.directory}/"):
                run("umount", "-l", line.split()[1], check=False)
        for group in Path("/sys/fs/cgroup").glob(f"*/{self.name}"):
            for below, _, _ in os.walk(group, topdown=False):
                Path(below).rmdir()
        shutil.rmtree(self.directory, ignore_errors=True)


def threading_pause() -> None:
    """A short pause between two looks, where there is no event loop."""
    signal.sigtimedwait([], 0.02)


@pytest.fixture(scope="session")
def machines(ground: Path) -> Iterator[list[Machine]]:
    """Three engines on a bridge of their own, in no swarm."""
    if os.getuid() != 0:
        pytest.fail("engines of one's own need root")
    number = os.getpid() % 250
    bridge = f"ssc{number}-br"
    run("ip", "link", "add", bridge, "type", "bridge")
    made: list[Machine] = []
    try:
        run("ip", "addr", "add", f"10.97.{number}.1/24", "dev", bridge)
        run("ip", "link", "set", bridge, "up")
        for host in (11, 12, 13):
            name = f"ssc{number}-{host}"
            machine = Machine(name, f"10.97.{number}.{host}", ground / name, bridge)
            made.append(machine)
            machine.plug_in()
            machine.start()
        for machine in made:
            machine.wait()
        yield made
    finally:
        for machine in made:
            if machine.process is not None and machine.process.poll() is None:
                machine.process.terminate()
        for machine in made:
            machine.remove()
        run("ip", "link", "del", bridge, check=False)


@pytest.fixture
async def engines(machines: list[Machine]) -> list[Machine]:
    """The three engines, all up; only the first may be in a swarm, and then alone.

    A manager takes five seconds to leave, so the first one's swarm is kept between tests.
    """

    def reset(machine: Machine) -> None:
        if not machine.answers("/_ping"):
            machine.start()
            machine.wait()
        if machine is machines[0]:
            return
        # An engine with tasks on their way may take longer than it gives itself.
        for _ in range(3):
            if machine.docker("info", "--format", "{{.Swarm.LocalNodeState}}") == "inactive":
                return
            machine.docker("swarm", "leave", "--force", check=False)
        machine.forget_swarm()

    await asyncio.gather(*(asyncio.to_thread(reset, machine) for machine in machines))
    return machines


@pytest.fixture
async def swarm(engines: list[Machine]) -> AsyncIterator[Swarm]:
    """The first engine's own swarm, of which it is the only node."""
    manager = engines[0]
    async with Swarm(manager.url) as opened:
        if (await opened.engine()).state == "inactive":
            await opened.found(address=manager.address)
            # A node that is gone is Down after three of these.
            await asyncio.to_thread(
                manager.docker, "swarm", "update", "--dispatcher-heartbeat", "1s"
            )
        nodes = await opened.nodes()
        others = [node.id for node in nodes if node.address != manager.address]
        if others:
            await asyncio.to_thread(manager.docker, "node", "rm", "--force", *others)
        yield opened


@dataclass
class Pair:
    """A swarm of two nodes that can run busybox: a manager, and a worker that takes tasks."""

    swarm: Swarm
    manager: Machine
    worker: Machine
    at_manager: NodeId
    at_worker: NodeId


@pytest.fixture(scope="session")
def busybox() -> bytes:
    """An image of one static program; health checks need a shell."""
    packed = io.BytesIO()
    shell = tarfile.TarInfo("bin/sh")
    shell.type, shell.linkname = tarfile.SYMTYPE, "busybox"
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(needs("busybox"), "bin/busybox")
        archive.addfile(shell)
    return packed.getvalue()


@pytest.fixture
async def pair(swarm: Swarm, engines: list[Machine], busybox: bytes) -> AsyncIterator[Pair]:
    manager, worker = engines[:2]
    for machine in (manager, worker):
        await asyncio.to_thread(machine.load, IMAGE, busybox)
    token = await swarm.token(Role.WORKER)
    await asyncio.to_thread(worker.join, manager, token)

    async def found() -> dict[str, NodeId] | None:
        ready = {node.address: node.id for node in await swarm.nodes() if node.is_ready}
        return ready if len(ready) == 2 else None

    nodes = await poll(found)
    yield Pair(swarm, manager, worker, nodes[manager.address], nodes[worker.address])
    await asyncio.to_thread(manager.remove_services)
    # An engine can forget the container of a job that was removed while it started.
    await asyncio.gather(*(asyncio.to_thread(one.remove_containers) for one in (manager, worker)))


@pytest.fixture(scope="session")
def host_engine(ground: Path) -> Iterator[Machine]:
    """An engine on the host's network, which it is told to leave alone."""
    machine = Machine(
        f"ssc{os.getpid() % 250}-host", "127.0.0.1", ground / "host", "", is_networked=False
    )
    machine.directory.mkdir()
    try:
        machine.start()
        machine.wait()
        yield machine
    finally:
        machine.remove()


# AWS.


@dataclass
class Cloud:
    """Moto behind a socket, with signatures checked; the admin's key is in the environment."""

    url: str
    instances: dict[str, str]
    """Ids by what they are: worker, manager, foreign, untagged, terminated, unknown."""
    admin: tuple[str, str]
    _credentials: dict[tuple[str, str, str], Credentials] = field(repr=False)

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=self.admin[0],
            aws_secret_access_key=self.admin[1],
        )

    def credentials(
        self, session: str, *, role: str = "spotswarm-worker", account: str = ACCOUNT
    ) -> Credentials:
        """What the metadata service gives an instance of this name, or a person of that."""
        return self._credentials[session, role, account]


def _assumed(sts: Any, instances: dict[str, str]) -> dict[tuple[str, str, str], Credentials]:
    """Credentials by session name, role and account, made before anything is checked."""
    wanted = {(session, "spotswarm-worker", ACCOUNT) for session in instances.values()}
    wanted |= {
        ("alice", "spotswarm-worker", ACCOUNT),
        (instances["worker"], "visitor", ACCOUNT),
        (instances["worker"], "spotswarm-worker", OTHER_ACCOUNT),
        (instances["manager"], "spotswarm-manager", ACCOUNT),
        (instances["spot manager"], "spotswarm-manager", ACCOUNT),
    }
    found = {}
    for session, role, account in wanted:
        arn = f"arn:aws:iam::{account}:role/{role}"
        made = sts.assume_role(RoleArn=arn, RoleSessionName=session)["Credentials"]
        found[session, role, account] = Credentials(
            access_key=made["AccessKeyId"],
            secret_key=SecretStr(made["SecretAccessKey"]),
            session_token=SecretStr(made["SessionToken"]),
            expires=made["Expiration"],
        )
    return found


def _roles(iam: Any) -> None:
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "sts:AssumeRole",
                "Principal": {"Service": "ec2.amazonaws.com"},
            }
        ],
    }
    for role in ("spotswarm-worker", "spotswarm-manager", "visitor"):
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(trust))


def _admin(iam: Any) -> tuple[str, str]:
    everything = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
    }
    iam.create_user(UserName="admin")
    iam.put_user_policy(
        UserName="admin", PolicyName="everything", PolicyDocument=json.dumps(everything)
    )
    key = iam.create_access_key(UserName="admin")["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


def _launched(ec2: Any) -> dict[str, str]:
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]

    def launch(tags: dict[str, str], *, is_spot: bool) -> str:
        market = {"InstanceMarketOptions": {"MarketType": "spot"}} if is_spot else {}
        listed = [{"Key": name, "Value": value} for name, value in tags.items()]
        made = ec2.run_instances(
            ImageId=image,
            MinCount=1,
            MaxCount=1,
            InstanceType="t3.small",
            **market,
            **(
                {"TagSpecifications": [{"ResourceType": "instance", "Tags": listed}]}
                if tags
                else {}
            ),
        )
        return str(made["Instances"][0]["InstanceId"])

    ours = {TAG_CLUSTER: CLUSTER}
    found = {
        "worker": launch(ours, is_spot=True),
        "manager": launch(ours | {TAG_ROLE: "manager"}, is_spot=False),
        "spot manager": launch(ours | {TAG_ROLE: "manager"}, is_spot=True),
        "foreign": launch({TAG_CLUSTER: "another"}, is_spot=True),
        "untagged": launch({}, is_spot=True),
        "terminated": launch(ours, is_spot=True),
        "unknown": "i-00000000000000000",
    }
    ec2.terminate_instances(InstanceIds=[found["terminated"]])
    return found


def _switch_auth_on(url: str) -> None:
    """From here on every call's signature, session token and policy are checked."""
    request = urllib.request.Request(
        f"{url}/moto-api/reset-auth", data=b"0", headers={"Content-Type": "text/plain"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 200


@pytest.fixture(scope="session")
def cloud() -> Iterator[Cloud]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"

    def client(service: str, key: str = "test", token: str | None = None) -> Any:
        return boto3.client(
            service,
            endpoint_url=url,
            region_name=REGION,
            aws_access_key_id=key,
            aws_secret_access_key="test",
            aws_session_token=token,
        )

    with pytest.MonkeyPatch.context() as environment:
        try:
            _roles(client("iam"))
            admin = _admin(client("iam"))
            instances = _launched(client("ec2"))
            arn = f"arn:aws:iam::{OTHER_ACCOUNT}:role/first"
            other = client("sts").assume_role(RoleArn=arn, RoleSessionName="setup")["Credentials"]
            _roles(client("iam", other["AccessKeyId"], other["SessionToken"]))
            credentials = _assumed(client("sts"), instances)
            _switch_auth_on(url)
            for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
                environment.delenv(name, raising=False)
            for name, value in {
                "AWS_ACCESS_KEY_ID": admin[0],
                "AWS_SECRET_ACCESS_KEY": admin[1],
                "AWS_DEFAULT_REGION": REGION,
                "AWS_EC2_METADATA_DISABLED": "true",
                "AWS_CONFIG_FILE": "/dev/null",
                "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            }.items():
                environment.setenv(name, value)
            yield Cloud(url, instances, admin, credentials)
        finally:
            server.stop()


@pytest.fixture(scope="session")
def aws(cloud: Cloud) -> Iterator[Aws]:
    """The leader's clients; making them takes half a second, and no event loop owns them."""
    opened = Aws(region=REGION, endpoint=cloud.url)
    asyncio.run(opened.__aenter__())
    yield opened
    asyncio.run(opened.__aexit__())
