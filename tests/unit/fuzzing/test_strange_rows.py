"""A strange row of Docker's or EC2's lists costs one row, and nothing is removed because of it."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

from builders import NOW, POLICY, SECOND, instance, manager_node, node, view
from hypothesis import example, given
from hypothesis import strategies as st
from randomness import at_most
from strange import DATES, LABELS, VALUES, mutated
from swarm_model import QUIET, worker

from leader.decide import decide
from leader.edges.aws.instances import Instances
from leader.edges.docker.networks import Networks
from leader.edges.docker.swarm import Swarm
from leader.edges.docker.work import Workload
from leader.leaving.emptying import why_not_demoted
from leader.report.status import nodes as node_rows
from leader.report.status import summary
from leader.view.actions import RemoveNode, TerminateInstance
from leader.view.events import InstancesListed, NodesListed, Ticked, WorkListed
from leader.view.rows import Rows
from leader.view.work import Work
from runtime.faults import Faults
from wire.labels import LEAVING

CREATED = "2026-11-23T18:00:00.123456789Z"
NODE = {
    "ID": "strange",
    "Version": {"Index": 7},
    "CreatedAt": CREATED,
    "Spec": {"Labels": {"spotswarm.instance": "i-9"}, "Role": "worker", "Availability": "active"},
    "Description": {
        "Hostname": "host",
        "Platform": {"Architecture": "x86_64", "OS": "linux"},
        "Resources": {
            "NanoCPUs": 2_000_000_000,
            "MemoryBytes": 4_000_000_000,
            "GenericResources": [{"DiscreteResourceSpec": {"Kind": "gpu", "Value": 2}}],
        },
        "Engine": {
            "EngineVersion": "26.1.5",
            "Labels": {"disk": "fast"},
            "Plugins": [{"Type": "Volume", "Name": "x"}],
        },
    },
    "Status": {"State": "ready", "Addr": "10.0.0.9"},
    "ManagerStatus": {"Leader": True, "Reachability": "reachable", "Addr": "10.0.0.9:2377"},
}
SERVICE = {
    "ID": "strange",
    "Version": {"Index": 100},
    "Spec": {
        "Name": "web",
        "Labels": {"spotswarm.evacuate": "start-first"},
        "TaskTemplate": {
            "ContainerSpec": {
                "Image": "web:1",
                "Healthcheck": {"Test": ["CMD", "true"], "Interval": 1_000_000_000},
                "StopGracePeriod": 5_000_000_000,
                "Mounts": [
                    {"Type": "volume", "VolumeOptions": {"DriverConfig": {"Name": "x"}}},
                    {"Type": "cluster", "Source": "d"},
                ],
            },
            "Resources": {
                "Reservations": {
                    "NanoCPUs": 1,
                    "MemoryBytes": 1,
                    "GenericResources": [{"NamedResourceSpec": {"Kind": "gpu", "Value": "U-1"}}],
                }
            },
            "Placement": {
                "Constraints": ["node.role==worker"],
                "MaxReplicas": 1,
                "Platforms": [{"OS": "linux", "Architecture": "amd64"}],
            },
        },
        "Mode": {"Replicated": {"Replicas": 2}},
        "UpdateConfig": {"Parallelism": 1, "Order": "stop-first"},
        "EndpointSpec": {"Ports": [{"PublishMode": "host", "PublishedPort": 80}]},
    },
    "UpdateStatus": {"State": "completed"},
}
TASK = {
    "ID": "strange",
    "CreatedAt": CREATED,
    "ServiceID": "web",
    "Slot": 1,
    "NodeID": "n-1",
    "DesiredState": "running",
    "Spec": {"RestartPolicy": {"Condition": "any"}},
    "Status": {"State": "running", "Message": "started"},
}
VOLUME = {
    "Name": "d",
    "ClusterVolume": {"Spec": {"AccessMode": {"Scope": "multi", "Sharing": "all"}}},
}
NETWORK = {
    "Name": "strange",
    "Driver": "overlay",
    "Scope": "swarm",
    "IPAM": {"Config": [{"Subnet": "10.0.1.0/24"}]},
}
INSTANCE = {
    "InstanceId": "i-00000000000000009",
    "State": {"Name": "running"},
    "Placement": {"AvailabilityZone": "eu-central-1a"},
    "InstanceType": "t3.small",
    "PrivateIpAddress": "10.0.0.9",
    "LaunchTime": datetime(2026, 11, 23, 17, 0, tzinfo=UTC),
    "Tags": [{"Key": "spotswarm:cluster", "Value": "demo"}],
}


def docker(**lists):
    def listing(rows):
        async def answer(**_filters):
            return rows

        return SimpleNamespace(list=answer)

    return SimpleNamespace(**{name: listing(rows) for name, rows in lists.items()})


def listed_nodes(*rows):
    faults = Faults()
    swarm = Swarm(faults=faults)
    swarm._docker = docker(nodes=list(rows))
    return asyncio.run(swarm.nodes()), faults, asyncio.run(swarm._managers())


def listed_work(services, tasks, volumes=()):
    faults = Faults()
    lists = docker(services=services, tasks=tasks, volumes={"Volumes": [*volumes, VOLUME]})
    work = Workload(lists, faults)
    return asyncio.run(work.services()), asyncio.run(work.tasks()), faults


def listed_instances(*rows):
    faults = Faults()

    async def call(_attempt, function, *args, **named):
        return function(*args, **named)

    pages = SimpleNamespace(paginate=lambda **_: [{"Reservations": [{"Instances": list(rows)}]}])
    aws = SimpleNamespace(call=call, ec2=SimpleNamespace(get_paginator=lambda _: pages))
    return asyncio.run(Instances(aws, cluster="demo", faults=faults).all()), faults


@example(NODE | {"Spec": None})
@example(NODE | {"CreatedAt": "0001-01-01T00:00:00Z"})
@given(mutated(NODE) | VALUES)
@at_most(60)
def test_a_strange_node_costs_one_row(raw):
    honest = NODE | {"ID": "n-1", "ManagerStatus": None}
    nodes, faults, _ = listed_nodes(raw, honest)

    assert [one.id for one in nodes][-1] == "n-1"
    assert len(nodes) + len(nodes.unread) == 2
    assert bool(nodes.unread) is ("rows of nodes" in {row["path"] for row in faults.recent()})
    known, _ = decide(view(), NodesListed("e-1", NOW, nodes, unread=nodes.unread), POLICY)
    node_rows(known)
    summary(known, at=NOW, wanted_managers=3)
    decide(known, Ticked("e-2", NOW + SECOND), POLICY)


def test_a_manager_with_strange_fields_still_leads():
    _, _, managers = listed_nodes(NODE | {"Spec": None, "Status": 7})

    assert [(one.id, one.is_leader) for one in managers] == [("strange", True)]


@given(mutated(SERVICE) | VALUES, mutated(TASK) | VALUES, mutated(VOLUME) | VALUES)
@at_most(60)
def test_strange_services_tasks_and_volumes_cost_one_row_each(service, task, volume):
    honest = SERVICE | {"ID": "web"}, TASK | {"ID": "task"}
    services, tasks, _ = listed_work([service, honest[0]], [task, honest[1]], [volume])

    assert services[-1].id == "web"
    assert len(services) + len(services.unread) == 2
    assert "task" in {one.id for one in tasks}
    event = WorkListed("e-1", NOW, services, tasks, is_complete=not tasks.unread)
    leaving = worker(1, labels={"spotswarm.phase": LEAVING})
    decide(view(leaving, worker(2), tokens=QUIET), event, POLICY)


def test_a_strange_list_of_volumes_is_empty():
    swarm = docker(services=[SERVICE], volumes=[7])

    assert asyncio.run(Workload(swarm).services())[0].has_single_node_volumes


@example(NETWORK | {"IPAM": {"Config": [{"Subnet": "10.0.1.0/99"}]}})
@given(mutated(NETWORK) | VALUES)
@at_most(40)
def test_a_strange_network_keeps_no_other_from_being_made(raw):
    lists, wishes = docker(networks=[raw]), []

    async def create(wish):
        wishes.append(wish)

    async def inspect():
        return {"DefaultAddrPool": ["10.0.0.0/8"], "SubnetSize": 24}

    lists.networks.create, lists.swarm = create, SimpleNamespace(inspect=inspect)

    assert asyncio.run(Networks(lists).ensure("proxy"))
    assert [wish["Name"] for wish in wishes] == ["proxy"]


@given(mutated(TASK))
@at_most(40)
def test_a_task_that_cannot_be_read_keeps_its_node_from_being_empty(task):
    _, tasks, faults = listed_work([], [task])
    is_strange = bool(faults.recent())

    if is_strange and not tasks.unread:
        assert Work.of((), tasks).still_on(tasks[0].node)
    assert not (is_strange and not tasks.unread and not tasks)


@given(mutated(INSTANCE) | VALUES)
@at_most(40)
def test_a_strange_instance_costs_one_row(raw):
    instances, _ = listed_instances(raw, INSTANCE | {"InstanceId": "i-1"})

    assert instances[-1].id == "i-1"
    assert len(instances) + len(instances.unread) == 2


def after_many_lists(*, nodes_unread=(), instances_unread=(), ended=()):
    """The kinds of removals of a worker that is gone and of an orphan, in half an hour.

    The first lists can be read.
    """
    gone, orphan = worker(1, status="down"), instance("i-5", launched=NOW - timedelta(days=1))
    leader = manager_node("n-7", is_leader=True, labels={"spotswarm.instance": "i-7"})
    known, actions = view(leader, gone, tokens=QUIET), []
    for number in range(30):
        at = NOW + number * timedelta(seconds=60)
        unread = nodes_unread, instances_unread
        nodes, instances = [
            tuple(each for each in rows if number == 0 or each.id not in strange)
            for rows, strange in zip(((leader, gone), (orphan, *ended)), unread, strict=True)
        ]
        for event in (
            NodesListed(f"n-{number}", at, nodes, unread=unread[0] if number else ()),
            InstancesListed(f"i-{number}", at, instances, unread[1] if number else ()),
        ):
            known, decided = decide(known, event, POLICY)
            known = replace(known, in_flight=frozenset())
            actions += decided
    return {type(one) for one in actions if isinstance(one, RemoveNode | TerminateInstance)}


def test_what_is_gone_is_removed_when_all_rows_can_be_read():
    assert after_many_lists() == {RemoveNode, TerminateInstance}


def test_nothing_is_terminated_while_a_node_that_was_never_read_may_belong_to_it():
    assert after_many_lists(nodes_unread=("n-9",)) == {RemoveNode}


def test_no_node_is_removed_while_its_instance_may_be_the_one_that_cannot_be_read():
    assert after_many_lists(instances_unread=("i-1",)) == {TerminateInstance}
    assert after_many_lists(instances_unread=("",)) == {TerminateInstance}


def test_what_ec2_calls_terminated_is_removed_whatever_else_cannot_be_read():
    ended = (instance("i-1", state="terminated"),)

    assert after_many_lists(instances_unread=("",), ended=ended) == {RemoveNode, TerminateInstance}


def test_what_cannot_be_read_any_more_is_no_evidence_for_a_removal():
    assert after_many_lists(nodes_unread=("n-1",)) == {TerminateInstance}
    assert after_many_lists(instances_unread=("i-5",)) == {RemoveNode}


def test_a_node_that_cannot_be_read_keeps_its_last_known_row():
    before = view(worker(1), worker(2))
    known, _ = decide(before, NodesListed("e-1", NOW, (worker(2),), unread=("n-1",)), POLICY)

    assert set(known.nodes) == {"n-1", "n-2"}
    assert known.nodes_unread == 0


def test_no_manager_is_demoted_while_a_node_cannot_be_read():
    managers = [manager_node(f"n-{number}") for number in (1, 2, 3)]

    assert why_not_demoted(managers[0], view(*managers)) is None
    assert "cannot be read" in why_not_demoted(managers[0], view(*managers, nodes_unread=1))


def test_rows_are_a_tuple_with_the_ids_of_the_others():
    rows = Rows([1, 2], ["a"])

    assert rows == (1, 2)
    assert rows.unread == ("a",)


@st.composite
def labels(draw):
    names = ["phase", "why", "since", "deadline", "then", "was", "others", "instance", "key"]
    texts = DATES | LABELS | st.text(max_size=8)
    made = {f"spotswarm.{name}": draw(texts) for name in draw(st.sets(st.sampled_from(names)))}
    phase = draw(st.sampled_from(["leaving", "hinted", "drained", "returning", "joining", ""]))
    return {"spotswarm.instance": "i-1"} | made | {"spotswarm.phase": phase}


@example({"spotswarm.phase": "leaving", "spotswarm.deadline": "0001-01-01T00:00:00+00:00"})
@example({"spotswarm.phase": "hinted", "spotswarm.others": "9" * 5000})
@given(labels())
@at_most(60)
def test_no_label_of_a_node_stops_a_decision(strange):
    nodes = node("n-1", labels=strange), worker(2), manager_node("n-3", is_leader=True)
    known = view(*nodes, tokens=QUIET, instances={"i-1": instance("i-1")}, instances_at=NOW)
    for availability in ("active", "pause", "drain"):
        raw = NODE | {"Spec": NODE["Spec"] | {"Labels": strange, "Availability": availability}}
        listed, _, _ = listed_nodes(raw)
        event = NodesListed("e-1", NOW, (*listed, *nodes[1:]))
        known, _ = decide(known, event, POLICY)
        known, _ = decide(known, WorkListed("e-2", NOW, (), ()), POLICY)
        decide(known, Ticked("e-3", NOW + timedelta(hours=1)), POLICY)
        summary(known, at=NOW, wanted_managers=3)
