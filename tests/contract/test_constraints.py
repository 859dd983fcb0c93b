"""Placement constraints: our reading against a real engine's, on a manager and a worker."""

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiodocker import Docker
from aiodocker.exceptions import DockerError

from leader.view.ids import NodeId
from wire.constraints import satisfies

NO_IMAGE: Final = "127.0.0.1:1/none:1"
"""Swarm places its tasks all the same, and no container has to be started."""
SPELLINGS: Final = (
    "node.role==worker",
    "Node.Role==worker",
    "NODE.ROLE!=MANAGER",
    " node.role  ==  Manager ",
    "node.id=={worker}",
    "node.id!={worker}",
    "Node.Id == {worker}",
    "node.hostname=={hostname}",
    "NODE.hostname!={hostname}",
    "node.ip=={address}",
    "Node.IP!={address}",
    "node.ip=={address}/32",
    "node.ip=={address}/24",
    "node.ip!=10.0.0.0/255.0.0.0",
    "node.ip!=10.0.0.0/33",
    "node.ip!=2001:db8::/32",
    "node.ip!=here",
    "node.platform.os==Linux",
    "Node.Platform.OS!=linux",
    "node.platform.arch==x86_64",
    "node.labels.rack==7",
    "node.labels.rack!=7",
    "Node.Labels.rack==7",
    "node.labels.Rack==7",
    "node.labels.Rack!=7",
    "node.labels.disk==ssd",
    "node.labels.absent!=x",
    "node.labels.==x",
    "node.labels.a.b-c_d==X:y/z",
    "engine.labels.rack==7",
    "ENGINE.labels.rack!=7",
    "engine.labels.Rack==7",
    "node.colour==red",
    "node.colour!=red",
    "node.label.rack==7",
    "role==worker",
    "node.id",
    "node.id={worker}",
    "node.id==",
    "==worker",
    "n==x",
    "1node.id==x",
    "node id==x",
    "node.id!=a==b",
    "node.id==a!=b",
    "node.labels.disk==größe",
    "node.labels.a/b==x",
    "node.labels.disk==a,b",
    "",
)


async def create(docker: Docker, name: str, constraint: str) -> str | None:
    """The new service's id; None if the engine refuses the constraint."""
    spec = {
        "Name": name,
        "Mode": {"Global": {}},
        "TaskTemplate": {
            "ContainerSpec": {"Image": NO_IMAGE},
            "RestartPolicy": {"Condition": "none"},
            "Placement": {"Constraints": [constraint]},
        },
    }
    try:
        created = await docker._query_json("services/create", method="POST", data=spec)
    except DockerError as exc:
        if not re.search("constraint expected|(key|value) '.*' is invalid", exc.message):
            raise
        return None
    return str(created["ID"])


async def nodes_with_tasks(docker: Docker, service: str) -> set[NodeId]:
    tasks = await docker.tasks.list(filters={"service": service})
    return {NodeId(task["NodeID"]) for task in tasks}


async def test_each_spelling_selects_the_nodes_that_a_real_engine_selects(
    pair: Any, eventually: Callable[..., Awaitable[Any]]
) -> None:
    await pair.swarm.change_node(
        pair.at_worker, labels={"rack": "7", "disk": "SSD", "a.b-c_d": "x:Y/z", "a/b": "x"}
    )
    nodes = await pair.swarm.nodes()
    worker = next(node for node in nodes if node.id == pair.at_worker)
    values = {"worker": worker.id, "hostname": worker.hostname, "address": worker.status_address}
    constraints = [spelling.format(**values) for spelling in SPELLINGS]
    expected = {
        text: {node.id for node in nodes if satisfies(node, [text])}
        if satisfies(worker, [text]) is not None
        else None
        for text in constraints
    }
    async with Docker(url=pair.manager.url) as docker:
        services = {
            text: await create(docker, f"c{number}", text)
            for number, text in enumerate(constraints)
        }
        # Swarm makes the tasks of global services in the order in which the services were created.
        last = await create(docker, "last", "node.id!=x")
        assert last is not None

        async def has_reached_last() -> bool:
            return len(await nodes_with_tasks(docker, last)) == 2

        await eventually(has_reached_last, 40)
        actual = {
            text: None if service is None else await nodes_with_tasks(docker, service)
            for text, service in services.items()
        }

    differing = {
        text: (expected[text], actual[text])
        for text in constraints
        if expected[text] != actual[text]
    }
    assert not differing, json.dumps(differing, default=sorted, indent=1)
    assert {None, 0, 1, 2} == {
        None if landed is None else len(landed) for landed in actual.values()
    }
