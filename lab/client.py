"""A lab for tests and benches: launch, kill, look inside, wait.

Rule: whatever AWS can do is asked of AWS, with the lab's key; only what AWS cannot do (cut the
power, look into a machine) is done on the host.
"""

import http
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from lab import cluster, sharing, sweep
from lab.aws.account import Account
from lab.aws.clients import AGENT_TAG, MANAGER, WORKER
from lab.aws.orders import Orders
from lab.engines import DEFAULT, choose, package_version
from lab.host import LabError, check_needs
from lab.machines import image, layer, net, power
from lab.machines.machine import Machine
from lab.machines.record import RUNNING, Stage, read, read_all
from lab.places import ZONES, Places
from wire.labels import TAG_CLUSTER, TAG_ROLE

EXTRA_LAYER: Final = "SPOTSWARM_LAB_EXTRA_LAYER"
"""Environment variable: a directory laid over the image as the topmost layer."""
Report = Callable[[str], None]


def _quiet(_said: str) -> None:
    """Nobody wants to hear it."""


class Lab:
    """One lab that is up on this host."""

    def __init__(self, places: Places, account: Account) -> None:
        self.places = places
        self.account = account
        self.market = Orders(places.control)
        """What AWS announces and takes."""
        self._clients: dict[str, Any] = {}
        self._asked_last = ""

    @classmethod
    def up(
        cls,
        *,
        name: str | None = None,
        managers: int = 3,
        workers: int = 3,
        cluster_name: str = "demo",
        engine: str = DEFAULT,
        leader: Mapping[str, object] | None = None,
        agent: Mapping[str, object] | None = None,
        report: Report = _quiet,
    ) -> "Lab":
        """Bake what has changed, start the lab's daemon, found a cluster, launch instances.

        `engine` is what machines get unless their launch names another. `leader` is laid over the
        `[leader]` table of the managers' user data, `agent` over the rest of everybody's, of
        instances launched later too. Returns when they are launched; `wait_nodes` waits for the
        swarm. Without a `name` it is the lab that the environment names.

        Raises:
            LabError: a need is missing, or this lab is up already.
        """
        machine_engine = choose(engine)
        check_needs(machine_engine.suite)
        places = places_of(name)
        sharing.refuse_clash(places)
        if left := sweep.remains(places):
            raise LabError(
                f"the lab {places.name} is up, or was left after a crash ({left[0]}): "
                f"take it down with `{places.command} down`"
            )
        layers = image.bake(places, cluster.REPOSITORY, machine_engine, report=report)
        _prepare(places)
        _offer(places, engine, layers)
        places.engine.write_text(engine, encoding="ascii")
        report("opening the cloud")
        _start_daemon(places, cluster_name)
        lab = cls(places, Account.read(places.account))
        report("founding the cluster")
        cluster.found(places, lab.account)
        cluster.keep(places, leader=leader or {}, agent=agent or {})
        (places.cluster / "managers").write_text(str(managers), encoding="ascii")
        report("launching instances")
        if managers:
            lab.launch(role="manager", lifecycle="on-demand", count=managers)
        if workers:
            lab.launch(role="worker", lifecycle="spot", count=workers)
        return lab

    @classmethod
    def attach(cls, name: str | None = None) -> "Lab":
        """The lab with this name, or the one that the environment names, which is up.

        Raises:
            LabError: there is none.
        """
        places = places_of(name)
        if sweep.daemon(places) is None or not places.account.exists():
            raise LabError(f"the lab {places.name} is not up: start it with `{places.command} up`")
        return cls(places, Account.read(places.account))

    def down(self) -> None:
        """Take the lab down.

        Raises:
            LabError: names what could not be removed.
        """
        if left := sweep.sweep(self.places):
            raise LabError("could not remove: " + "; ".join(left))

    def launch(
        self,
        *,
        role: str = "worker",
        lifecycle: str = "spot",
        count: int = 1,
        user_data: str | None = None,
        profile: str | None = None,
        zone: str | None = None,
        instance_type: str = "t3.small",
        engine: str | None = None,
        tags: Mapping[str, str] | None = None,
        agent_enabled: bool = True,
    ) -> list[str]:
        """Launch instances of the cluster; returns their ids, before they boot.

        Without a zone they go round the zones. `user_data=""` launches with none. Without an
        engine they get the lab's usual one.

        Raises:
            LabError: there is no such engine, or its image could not be baked.
        """
        ec2 = self.aws("ec2")
        text = self.user_data(role) if user_data is None else user_data
        every = {TAG_CLUSTER: self.account.cluster, TAG_ROLE: role, **(tags or {})}
        if not agent_enabled:
            every[AGENT_TAG] = "off"
        asked: dict[str, Any] = {
            "ImageId": self._image(engine),
            "InstanceType": instance_type,
            "IamInstanceProfile": {"Name": profile or (MANAGER if role == "manager" else WORKER)},
            "MetadataOptions": {
                "HttpTokens": "required",
                "HttpPutResponseHopLimit": 1,
                "InstanceMetadataTags": "enabled",
            },
            "TagSpecifications": [
                {
                    "ResourceType": "instance",
                    "Tags": [{"Key": key, "Value": value} for key, value in every.items()],
                }
            ],
            "MinCount": 1,
            "MaxCount": 1,
        }
        if text:
            asked["UserData"] = text
        if lifecycle == "spot":
            asked["InstanceMarketOptions"] = {"MarketType": "spot"}
        launched = []
        offset = len(read_all(self.places.machines))
        for number in range(count):
            where = zone or ZONES[(offset + number) % len(ZONES)]
            made = ec2.run_instances(**asked, SubnetId=self.account.subnets[_zone(where)])
            launched.append(str(made["Instances"][0]["InstanceId"]))
        return launched

    def engine_package(self) -> str:
        """The version of the package docker.io in the image of the lab's usual engine."""
        engine = self.places.engine.read_text(encoding="ascii")
        layers = self.places.layers(engine).read_text(encoding="utf-8").splitlines()
        return package_version([Path(layer) for layer in layers])

    def _image(self, engine: str | None) -> str:
        """The image id of an engine, whose image is baked if this lab has not used it yet."""
        engine = engine or self.places.engine.read_text(encoding="ascii")
        if not self.places.layers(engine).exists():
            layers = image.bake(self.places, cluster.REPOSITORY, choose(engine), report=_quiet)
            _offer(self.places, engine, layers)
        return self.account.images[engine]

    def terminate(self, *instances: str) -> None:
        """Terminate as EC2 does: the system is asked to shut down, then destroyed."""
        self.aws("ec2").terminate_instances(InstanceIds=list(instances))

    def kill(self, instance: str) -> None:
        """Cut a machine's power; EC2 goes on saying that it runs."""
        record = self.machine(instance).record
        power.send(record, signal.SIGKILL)
        self._await(instance, {Stage.DEAD}, within=10)

    def reboot(self, instance: str) -> None:
        """Boot a machine again on its disk, in order if it runs, also after its power was cut."""
        record = self.machine(instance).record
        if record.stage in RUNNING:
            power.send(record, power.REBOOT)
            self._await_change(instance, record.init, within=60)
            return
        ec2 = self.aws("ec2")
        ec2.stop_instances(InstanceIds=[instance])
        self._await(instance, {Stage.STOPPED}, within=10)
        ec2.start_instances(InstanceIds=[instance])
        self._await(instance, RUNNING, within=30)

    def partition(self, instance: str) -> None:
        """Pull a machine's cable: it reaches nobody, the metadata service neither."""
        net.disconnect(self.places, instance, self.machine(instance).address)

    def heal(self, instance: str) -> None:
        """Put its cable back; a boot does the same."""
        net.connect(self.places, instance, self.machine(instance).address)

    def announce(self, body: str) -> None:
        """Put any text into the cluster's queue; `lab.aws.eventbridge` words what AWS would say."""
        self.aws("sqs").send_message(QueueUrl=self.account.queue, MessageBody=body)

    def machine(self, instance: str) -> Machine:
        """The machine of an instance.

        Raises:
            LabError: there is none; it may not be built yet, see `wait_machines`.
        """
        record = read(self.places.machines, instance)
        if record is None:
            raise LabError(f"no machine {instance}; `python -m lab status` lists them")
        return Machine(record.instance, record.address, record.hostname, self.places.machines)

    def machines(self) -> list[Machine]:
        """All machines there are, in whatever stage."""
        return [self.machine(record.instance) for record in read_all(self.places.machines)]

    def wait_machines(
        self, *instances: str, stage: Stage = Stage.ENGINE, within: float = 60
    ) -> list[Machine]:
        """Wait until machines have come to a stage; by default, until their engines answer.

        Raises:
            LabError: names the first that did not, with the end of its journal.
        """
        wanted = {stage, Stage.ENGINE} if stage is Stage.BOOTED else {stage}
        for instance in instances:
            began = time.monotonic()
            self._await(instance, wanted, within=within)
            within = max(0.0, within - (time.monotonic() - began))
        return [self.machine(instance) for instance in instances]

    def user_data(self, role: str) -> str:
        """What instances of a role are launched with, printed by our own command."""
        kept = self.places.cluster / f"{role}.toml"
        if not kept.exists():
            managers = int((self.places.cluster / "managers").read_text(encoding="ascii"))
            text = cluster.user_data(self.places, self.account, role, managers=max(1, managers))
            kept.touch(mode=0o600)
            kept.write_text(text, encoding="utf-8")
        return kept.read_text(encoding="utf-8")

    def aws(self, service: str) -> Any:
        """A boto3 client with the lab's own key, which may do anything."""
        if service not in self._clients:
            self._clients[service] = self.account.client(service)
        return self._clients[service]

    def nodes(self) -> list[dict[str, Any]]:
        """The cluster's nodes, as `spotswarm nodes --json` prints them; empty before there is one.

        The active leader alone answers: the manager that answered last is asked first.
        """
        managers = sorted(self._managers(), key=lambda one: one.instance != self._asked_last)
        for machine in managers:
            try:
                status, nodes = machine.ask_leader("/nodes")
            except (OSError, LabError):
                continue
            if status == http.HTTPStatus.OK and nodes:
                self._asked_last = machine.instance
                return list(nodes)
        return []

    def wait_nodes(self, count: int, within: float = 60) -> list[dict[str, Any]]:
        """Wait until exactly this many nodes serve; returns all nodes.

        Raises:
            LabError: says who is missing and what it said last.
        """
        deadline = time.monotonic() + within
        while True:
            nodes = self.nodes()
            if sum(map(is_serving, nodes)) == count:
                return nodes
            if time.monotonic() > deadline:
                raise LabError(self._who_is_missing(nodes, count, within))
            time.sleep(0.1)

    def _managers(self) -> list[Machine]:
        return [
            self.machine(one.instance)
            for one in read_all(self.places.machines)
            if one.role == "manager" and one.stage is Stage.ENGINE
        ]

    def _who_is_missing(self, nodes: Sequence[Mapping[str, Any]], count: int, within: float) -> str:
        serving = [node for node in nodes if is_serving(node)]
        head = f"{len(serving)} of {count} nodes serve after {within:.0f} s"
        known = json.dumps(serving)
        for machine in self.machines():
            if machine.hostname not in known:
                return f"{head}; {self.last_words(machine)}"
        return head

    def last_words(self, machine: Machine, lines: int = 25) -> str:
        """How far a machine came and the end of its journal, for a person."""
        record = machine.record
        if record.stage in RUNNING:
            units = ("spotswarm-agent", "spotswarm-leader", "docker")
            said = machine.journal(*units, lines=lines)
        else:
            said = machine.console()[-2000:]
        return f"{machine.instance} ({machine.hostname}) is {record.stage}:\n{said}"

    def _await(self, instance: str, stages: Sequence[Stage] | Any, *, within: float) -> None:
        deadline = time.monotonic() + within
        while True:
            record = read(self.places.machines, instance)
            if record is not None and record.stage in stages:
                return
            if time.monotonic() > deadline:
                wanted = " or ".join(sorted(stages))
                told = f"{instance} is not {wanted} after {within:.0f} s"
                if record is None:
                    raise LabError(f"{told}; no machine was built, see {self.places.log}")
                raise LabError(f"{told}; {self.last_words(self.machine(instance))}")
            time.sleep(0.05)

    def _await_change(self, instance: str, init: int | None, *, within: float) -> None:
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            record = read(self.places.machines, instance)
            if record and record.stage in RUNNING and record.init != init:
                return
            time.sleep(0.05)
        raise LabError(f"{instance} did not boot again; {self.last_words(self.machine(instance))}")


def places_of(name: str | None = None) -> Places:
    """The places of a lab, by its name or by the environment.

    Raises:
        LabError: no lab can have this name.
    """
    try:
        return Places.here(name)
    except ValueError as exc:
        raise LabError(str(exc)) from exc


def is_serving(node: Mapping[str, Any]) -> bool:
    """Whether a node of `spotswarm nodes --json` takes tasks and is bound to its instance."""
    return (
        node.get("status") == "ready"
        and node.get("availability") == "active"
        and bool(node.get("instance"))
    )


def _zone(name: str) -> str:
    for zone in ZONES:
        if name in (zone, zone[-1]):
            return zone
    raise LabError(f"no zone {name!r}; the lab has {', '.join(ZONES)}")


def _prepare(places: Places) -> None:
    places.lab.mkdir(mode=0o700, parents=True)
    places.machines.mkdir()
    places.efs.mkdir(mode=0o755)
    layer.write(places.lab / "layer", places)


def _offer(places: Places, engine: str, layers: list[Path]) -> None:
    """Let machines boot from these layers; the daemon reads the list when it builds one."""
    stack = [places.lab / "layer", *layers]
    if extra := os.environ.get(EXTRA_LAYER):
        if not Path(extra).is_dir():
            raise LabError(f"{EXTRA_LAYER}={extra} is no directory")
        stack.insert(0, Path(extra).resolve())
    listed = places.layers(engine)
    listed.parent.mkdir(exist_ok=True)
    draft = listed.with_name(f"{engine}.new")
    draft.write_text("\n".join(map(str, stack)), encoding="utf-8")
    draft.rename(listed)


def _start_daemon(places: Places, cluster_name: str) -> None:
    # By way of a shell that ends at once, so that it is nobody's child: whoever called `up` may
    # go on for long, or end, and never has to know of it.
    # What it does at its start goes before other work too; see `host.prefer_this_process`.
    prefer = "echo -10 2>/dev/null >/proc/self/autogroup || true"
    script = f'{prefer}; exec </dev/null >>"$1" 2>&1; shift; "$@" & exit 0'
    argv = [sys.executable, "-m", sweep.DAEMON, str(places.lab), cluster_name]
    subprocess.run(
        ["sh", "-c", script, "sh", str(places.log), *argv],
        check=True,
        cwd=cluster.REPOSITORY,
        env=places.environment(),
        start_new_session=True,
    )
    was_seen = False
    deadline = time.monotonic() + 60
    while not places.account.exists():
        # Between the shell's fork and its exec it does not look like a daemon yet.
        is_there = sweep.daemon(places) is not None
        was_seen = was_seen or is_there
        ended = places.failure.exists() or (was_seen and not is_there)
        if ended or time.monotonic() > deadline:
            said = places.log.read_text(encoding="utf-8", errors="replace")[-2000:]
            reason = places.failure.read_text() if places.failure.exists() else said
            sweep.sweep(places)
            raise LabError(f"the lab's daemon did not start: {reason}")
        time.sleep(0.05)
