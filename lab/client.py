"""Controls a lab for tests and benchmarks.

Rule: use AWS API calls with the lab's key wherever possible. Bypass AWS only for tasks that it has
no API for, such as cutting a machine's power or network, or looking inside a machine.
"""

import http
import json
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lab import cluster, servers, sharing, sweep
from lab.aws.account import Account
from lab.aws.clients import AGENT_TAG, MANAGER, WORKER
from lab.aws.orders import Orders
from lab.engines import DEFAULT, choose, package_version
from lab.host import LabError, check_needs
from lab.machines import image, layer, net, power
from lab.machines.machine import (
    Machine,
    find,
    find_all,
    last_words,
    running_managers,
    wait_reboot,
    wait_stage,
)
from lab.machines.record import RUNNING, Stage, read_all
from lab.places import ZONES, Places
from wire.labels import TAG_CLUSTER, TAG_ROLE

Report = Callable[[str], None]


def _quiet(_step: str) -> None:
    """Ignore a progress report."""


class Lab:
    """A lab running on this host."""

    def __init__(self, places: Places, account: Account) -> None:
        self.places = places
        self.account = account
        self.market = Orders(places.control)
        """Sends requests to the spot market, such as an interruption."""
        self._clients: dict[str, Any] = {}
        self._answered_last = ""
        """The instance id of the manager whose leader daemon responded last."""

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
        """Start a lab with a cluster, and launch its first instances; bake the image if needed.

        `engine` is the default Docker engine for launches. `leader` overrides settings in the
        `[leader]` table of the managers' user data. `agent` overrides the other user-data settings
        of all instances. These settings also apply to instances that are launched later. If `name`
        is not given, the lab's name comes from the environment. To wait for the swarm, call
        `wait_nodes` afterwards.

        Raises:
            LabError: if the host lacks something that the lab needs, or if the lab is already up.
        """
        machine_engine = choose(engine)
        check_needs(machine_engine.suite)
        places = places_of(name)
        sharing.refuse_clash(places)
        if left := sweep.remains(places):
            raise LabError(
                f"the lab {places.name} is already up, or was left behind by a crash ({left[0]}): "
                f"run `{places.command} down` to take it down"
            )
        layers = image.bake(places, cluster.REPOSITORY, machine_engine, report=report)
        _make_directories(places)
        layer.offer(places, engine, layers)
        places.engine.write_text(engine, encoding="ascii")
        report("starting AWS")
        servers.start_daemon(places, cluster_name)
        lab = cls(places, Account.read(places.account))
        report("creating the cluster")
        cluster.create(places, lab.account)
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
        """Return the running lab with this name.

        If `name` is not given, the lab's name comes from the environment.

        Raises:
            LabError: if the lab is not running.
        """
        places = places_of(name)
        if sweep.daemon(places) is None or not places.account.exists():
            raise LabError(
                f"the lab {places.name} is not up: run `{places.command} up` to start it"
            )
        return cls(places, Account.read(places.account))

    def down(self) -> None:
        """Take the lab down.

        Raises:
            LabError: if part of the lab could not be removed; the message lists what is left.
        """
        if left := sweep.sweep(self.places):
            raise LabError("could not remove these parts of the lab: " + "; ".join(left))

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
        """Launch instances in the cluster; return their ids without waiting for them to boot.

        If no zone is given, the instances are distributed across all zones. With
        `user_data=""`, they get no user data. If no engine is given, they get the lab's default
        engine.

        Raises:
            LabError: if there is no such engine or zone, or if the image could not be baked.
        """
        ec2 = self.aws("ec2")
        text = self.user_data(role) if user_data is None else user_data
        all_tags = {TAG_CLUSTER: self.account.cluster, TAG_ROLE: role, **(tags or {})}
        if not agent_enabled:
            all_tags[AGENT_TAG] = "off"
        request: dict[str, Any] = {
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
                    "Tags": [{"Key": key, "Value": value} for key, value in all_tags.items()],
                }
            ],
            "MinCount": 1,
            "MaxCount": 1,
        }
        if text:
            request["UserData"] = text
        if lifecycle == "spot":
            request["InstanceMarketOptions"] = {"MarketType": "spot"}
        launched = []
        offset = len(read_all(self.places.machines))
        for number in range(count):
            subnet = self.account.subnets[_zone(zone or ZONES[(offset + number) % len(ZONES)])]
            reservation = ec2.run_instances(**request, SubnetId=subnet)
            launched.append(str(reservation["Instances"][0]["InstanceId"]))
        return launched

    def engine_package(self) -> str:
        """Return the version of the `docker.io` package in the lab's default image."""
        engine = self.places.engine.read_text(encoding="ascii")
        layers = self.places.layers(engine).read_text(encoding="utf-8").splitlines()
        return package_version([Path(layer) for layer in layers])

    def _image(self, engine: str | None) -> str:
        """Return the id of an engine's image; bake the image if this lab has not used it yet."""
        engine = engine or self.places.engine.read_text(encoding="ascii")
        if not self.places.layers(engine).exists():
            layers = image.bake(self.places, cluster.REPOSITORY, choose(engine), report=_quiet)
            layer.offer(self.places, engine, layers)
        return self.account.images[engine]

    def terminate(self, *instances: str) -> None:
        """Terminate instances through EC2, which first gives each machine time to shut down."""
        self.aws("ec2").terminate_instances(InstanceIds=list(instances))

    def kill(self, instance: str) -> None:
        """Cut a machine's power; EC2 still reports the instance as running."""
        record = self.machine(instance).record
        power.send(record, signal.SIGKILL)
        wait_stage(self.places, instance, {Stage.DEAD}, within=60)

    def reboot(self, instance: str) -> None:
        """Reboot a machine cleanly, or boot it again after a power cut; its disk is kept."""
        record = self.machine(instance).record
        if record.stage in RUNNING:
            power.send(record, power.REBOOT)
            wait_reboot(self.places, instance, record.init, within=60)
            return
        ec2 = self.aws("ec2")
        ec2.stop_instances(InstanceIds=[instance])
        wait_stage(self.places, instance, {Stage.STOPPED}, within=60)
        ec2.start_instances(InstanceIds=[instance])
        wait_stage(self.places, instance, RUNNING, within=120)

    def partition(self, instance: str) -> None:
        """Unplug a machine's network cable, which makes even the metadata service unreachable."""
        net.disconnect(self.places, instance, self.machine(instance).address)

    def heal(self, instance: str) -> None:
        """Plug a machine's network cable back in; booting the machine has the same effect."""
        net.connect(self.places, instance, self.machine(instance).address)

    def announce(self, body: str) -> None:
        """Send any text to the cluster's queue; to build AWS events, use `lab.aws.eventbridge`."""
        self.aws("sqs").send_message(QueueUrl=self.account.queue, MessageBody=body)

    def machine(self, instance: str) -> Machine:
        """Return an instance's machine.

        Raises:
            LabError: if the instance has no machine; to wait for one, call `wait_machines`.
        """
        return find(self.places, instance)

    def machines(self) -> list[Machine]:
        """Return all machines, regardless of their stage."""
        return find_all(self.places)

    def wait_machines(
        self, *instances: str, stage: Stage = Stage.ENGINE, within: float = 60
    ) -> list[Machine]:
        """Wait until machines reach a stage; by default, until their engines respond.

        Raises:
            LabError: if a machine does not reach the stage in time; the message includes the
                machine's journal.
        """
        stages = {stage, Stage.ENGINE} if stage is Stage.BOOTED else {stage}
        for instance in instances:
            began = time.monotonic()
            wait_stage(self.places, instance, stages, within=within)
            within = max(0.0, within - (time.monotonic() - began))
        return [self.machine(instance) for instance in instances]

    def user_data(self, role: str) -> str:
        """Return the user data for instances with this role, including settings passed to `up`."""
        file = self.places.cluster / f"{role}.toml"
        if not file.exists():
            managers = int((self.places.cluster / "managers").read_text(encoding="ascii"))
            text = cluster.user_data(self.places, self.account, role, managers=max(1, managers))
            file.touch(mode=0o600)
            file.write_text(text, encoding="utf-8")
        return file.read_text(encoding="utf-8")

    def aws(self, service: str) -> Any:
        """Return a boto3 client that uses the lab's access key, which has full access."""
        if service not in self._clients:
            self._clients[service] = self.account.client(service)
        return self._clients[service]

    def nodes(self) -> list[dict[str, Any]]:
        """Return the cluster's nodes as `spotswarm nodes --json` prints them.

        The list is empty while there is no leader. Only the active leader responds, so the manager
        that responded most recently is tried first.
        """
        managers = running_managers(self.places)
        for machine in sorted(managers, key=lambda each: each.instance != self._answered_last):
            try:
                status, nodes = machine.ask_leader("/nodes")
            except (OSError, LabError):
                continue
            if status == http.HTTPStatus.OK and nodes:
                self._answered_last = machine.instance
                return list(nodes)
        return []

    def wait_nodes(self, count: int, within: float = 60) -> list[dict[str, Any]]:
        """Wait until exactly `count` nodes are serving; return all nodes.

        Raises:
            LabError: if the number of serving nodes is still wrong after `within` seconds. If a
                node is missing, the message includes the journal of its machine.
        """
        deadline = time.monotonic() + within
        while True:
            nodes = self.nodes()
            if sum(map(is_serving, nodes)) == count:
                return nodes
            if time.monotonic() > deadline:
                raise LabError(self._missing_nodes(nodes, count, within))
            time.sleep(0.1)

    def _missing_nodes(self, nodes: Sequence[Mapping[str, Any]], count: int, within: float) -> str:
        serving = [node for node in nodes if is_serving(node)]
        head = f"{len(serving)} of {count} nodes are serving after {within:.0f} s"
        known = json.dumps(serving)
        for machine in self.machines():
            if machine.hostname not in known:
                return f"{head}; {self.last_words(machine)}"
        return head

    def last_words(self, machine: Machine, lines: int = 25) -> str:
        """Return a machine's stage and the end of its journal, as text to print."""
        return last_words(machine, lines)


def places_of(name: str | None = None) -> Places:
    """Return the paths and addresses of a lab.

    If `name` is not given, the lab's name comes from the environment.

    Raises:
        LabError: if the name is not valid.
    """
    try:
        return Places.here(name)
    except ValueError as exc:
        raise LabError(str(exc)) from exc


def is_serving(node: Mapping[str, Any]) -> bool:
    """Return whether a node accepts tasks and has an instance, according to the leader's JSON."""
    return (
        node.get("status") == "ready"
        and node.get("availability") == "active"
        and bool(node.get("instance"))
    )


def _zone(name: str) -> str:
    for zone in ZONES:
        if name in (zone, zone[-1]):
            return zone
    raise LabError(f"there is no zone {name!r}; use one of {', '.join(ZONES)}")


def _make_directories(places: Places) -> None:
    places.lab.mkdir(mode=0o700, parents=True)
    places.machines.mkdir()
    places.efs.mkdir(mode=0o755)
    layer.write(places.lab / "layer", places)
