"""The ways in, over real sockets: the admin API, health, metrics, and the operator's command."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from leader.daemon import Daemon
from leader.edges.admin import Admin
from leader.settings import LeaderTable, Settings
from leader.term.active import Active
from leader.term.broker_service import BrokerService
from leader.term.mailbox import Mailbox
from leader.term.perform import Performer
from leader.view.actions import ActivateNode, DenyJoin
from leader.view.model import (
    Asker,
    Denied,
    Instance,
    InstanceId,
    Node,
    NodeId,
    View,
)
from leader.view.notices import Notice, Notices
from leader.view.pools import Pools
from leader.view.stance import Engine, Stance
from runtime import clock
from wire.instance import InstanceFacts
from wire.labels import LABEL_INSTANCE, LABEL_LIFECYCLE, LABEL_ZONE
from wire.messages import Availability, DenialCode, Role

WORKER = InstanceId("i-0123456789abcdef0")
STRANGER = InstanceId("i-0fedcba9876543210")
LONG = (
    "10.0.0.1:7946 does not respond; open ports [7946/tcp], 7946/udp and 4789/udp between all nodes"
)


def daemon() -> Daemon:
    facts = InstanceFacts(
        instance="i-00000000000000001",
        region="eu-central-1",
        zone="eu-central-1a",
        type="t3.small",
        lifecycle="on-demand",
        address="10.0.0.1",
    )
    table = LeaderTable(secrets="file:/etc/spotswarm/secrets", broker="process")
    return Daemon(Settings(cluster="contract", facts=facts, table=table))


def standby() -> Daemon:
    made = daemon()
    made._engine = Engine(state="active", node="n1", is_manager=True, leader="manager-2")
    made._become(Stance.STAND_BY, "manager-2 leads")
    return made


def leading(*, has_broker: bool = True) -> Daemon:
    """A daemon in its term, with a view and a record, and nothing connected."""
    made = daemon()
    made._engine = Engine(
        state="active", node="n1", is_manager=True, is_leader=True, leader="manager-1"
    )
    made._become(Stance.LEAD, "this engine is the Raft leader")
    mailbox = Mailbox(())
    if has_broker:
        mailbox.connect(object())  # type: ignore[arg-type]
    performer = Performer(
        "contract",
        mailbox,
        swarm=None,  # type: ignore[arg-type]
        instances=None,
        fleet=None,  # type: ignore[arg-type]
    )
    active = Active(
        made._settings,
        own_node="n1",
        swarm=None,  # type: ignore[arg-type]
        prover=None,  # type: ignore[arg-type]
        performer=performer,
        mailbox=mailbox,
        broker=BrokerService(
            cluster="contract",
            leader=STRANGER,
            start=None,  # type: ignore[arg-type]
            connect=None,  # type: ignore[arg-type]
        ),
        queue=None,
        metrics=made._metrics,
    )
    at = clock.now()
    labels = {
        LABEL_INSTANCE: WORKER,
        LABEL_LIFECYCLE: "spot",
        LABEL_ZONE: "eu-central-1a",
    }
    nodes = (
        Node(
            NodeId("n1"),
            "ip-10-0-0-1.eu-central-1.compute.internal",
            Role.MANAGER,
            "ready",
            Availability.ACTIVE,
            "10.0.0.1",
            at,
            is_leader=True,
            reachability="reachable",
        ),
        Node(
            NodeId("n2abcdef"),
            "ip-10-0-0-2.eu-central-1.compute.internal",
            Role.WORKER,
            "ready",
            Availability.DRAIN,
            "10.0.0.2",
            at,
            labels=labels,
        ),
    )
    instance = Instance(
        WORKER, "running", "spot", "eu-central-1a", "t3.small", "10.0.0.2", "contract", None
    )
    active.view = View(
        nodes={node.id: node for node in nodes},
        nodes_at=at,
        instances={WORKER: instance},
        instances_at=at - timedelta(seconds=5),
        notices=Notices().merge(Notice(WORKER, "rebalance", "queue", at)),
        pools=Pools({("t3.small", "eu-central-1a"): at + timedelta(minutes=10)}),
    )
    asker = Asker("0" * 32, "1" * 32, "key", Role.WORKER, instance=STRANGER)
    denied = Denied(DenialCode.NOT_IN_CLUSTER, f"{STRANGER} has no tag spotswarm:cluster=contract")
    active._journal.decided(DenyJoin(asker=asker, denied=denied, cause="join-1"), at)
    activation = ActivateNode(
        node=NodeId("n2abcdef"), instance=WORKER, reason=LONG, cause="nodes-7"
    )
    active._journal.decided(activation, at)
    # It asks the broker no more, and is healthy for as long as a command may take to start.
    active._reception.last_popped = clock.monotonic() + 600
    active.record.ended(activation, "failed: [timeout]")
    made._active = active
    return made


@asynccontextmanager
async def serving(daemon: Daemon, tmp_path: Path, port: int) -> AsyncIterator["Ways"]:
    socket = tmp_path / "run" / "admin.sock"
    commands = daemon._steering()
    registry, faults = daemon._metrics.registry, daemon._faults
    async with Admin(daemon, registry, socket=socket, port=port, commands=commands, faults=faults):
        yield Ways(socket, port)


class Ways:
    def __init__(self, socket: Path, port: int) -> None:
        self.socket = socket
        self.port = port

    async def admin(self, path: str) -> tuple[int, Any]:
        connector = aiohttp.UnixConnector(str(self.socket))
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.get(f"http://leader{path}") as answer,
        ):
            return answer.status, await answer.json()

    async def public(self, path: str) -> tuple[int, str]:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{self.port}{path}") as answer,
        ):
            return answer.status, await answer.text()

    async def spotswarm(self, *arguments: str) -> tuple[int, str, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli", *arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=Path(sys.modules[Daemon.__module__].__file__ or "").parents[1],
            env=os.environ | {"SPOTSWARM_ADMIN_SOCKET": str(self.socket)},
        )
        out, err = await process.communicate()
        return process.returncode or 0, out.decode(), err.decode()


@pytest.fixture
def port(cluster: Any) -> int:
    return int(cluster.port)


async def test_the_active_leader_answers_all_questions(tmp_path: Path, port: int) -> None:
    async with serving(leading(), tmp_path, port) as ways:
        status, told = await ways.admin("/status")
        assert (status, told["stance"], told["healthy"], told["nodes"]) == (200, "leading", True, 2)
        assert [notice["kind"] for notice in told["notices"]] == ["rebalance"]
        assert [pool["type"] for pool in told["penalties"]] == ["t3.small"]
        status, nodes = await ways.admin("/nodes")
        assert status == 200
        assert [node["instance"] for node in nodes] == [None, WORKER]
        status, joins = await ways.admin("/joins")
        assert (status, joins[0]["code"], joins[0]["answer"]) == (200, "not-in-cluster", "denied")
        for name in (WORKER, "n2abcdef", "n2ab", "10.0.0.2", "ip-10-0-0-2", nodes[1]["hostname"]):
            status, found = await ways.admin(f"/explain/{name}")
            assert [notice["kind"] for notice in found["notices"]] == ["rebalance"]
            assert (status, found["decisions"][0]["reason"]) == (200, LONG), name
        status, found = await ways.admin(f"/explain/{STRANGER}")
        assert (status, found["joins"][0]["code"]) == (200, "not-in-cluster")
        assert (await ways.admin("/explain/nobody"))[0] == 404


async def test_a_standby_says_who_leads(tmp_path: Path, port: int) -> None:
    async with serving(standby(), tmp_path, port) as ways:
        assert (await ways.admin("/status"))[0] == 200
        for path in ("/nodes", "/leaving", "/joins", "/explain/x"):
            status, told = await ways.admin(path)
            assert (status, told["stance"], told["leader"]) == (409, "standby", "manager-2")
        assert await ways.public("/healthz") == (200, '{"healthy": true, "stance": "standby"}')


async def test_a_leader_without_its_broker_is_unhealthy(tmp_path: Path, port: int) -> None:
    async with serving(leading(has_broker=False), tmp_path, port) as ways:
        status, text = await ways.public("/healthz")
        assert (status, json.loads(text)) == (503, {"healthy": False, "stance": "leading"})


async def test_a_leader_that_sees_no_nodes_is_unhealthy(tmp_path: Path, port: int) -> None:
    made = leading()
    assert made._active is not None
    made._active.view = View()
    async with serving(made, tmp_path, port) as ways:
        assert (await ways.public("/healthz"))[0] == 503


async def test_a_standby_with_a_problem_is_unhealthy(tmp_path: Path, port: int) -> None:
    made = standby()
    made._problem = "could not read the engine's state: the engine is not responding"
    async with serving(made, tmp_path, port) as ways:
        assert (await ways.public("/healthz"))[0] == 503


async def test_a_fault_of_one_request_is_answered_and_shown_by_status(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks() -> None:
        raise LookupError("example-secret")

    made = leading()
    monkeypatch.setattr(made, "joins", breaks)
    async with serving(made, tmp_path, port) as ways:
        code, out, err = await ways.spotswarm("joins")
        assert (code, out) == (1, "")
        assert "the leader has a fault" in err
        assert "journalctl" in err
        assert (await ways.admin("/nodes"))[0] == 200
        code, out, err = await ways.spotswarm("status")
        assert code == 1
        assert "operators' requests: LookupError" in out
        assert "example-secret" not in out + err
        status, text = await ways.public("/metrics")
        assert status == 200
        assert 'spotswarm_faults_total{path="operators\' requests"} 1.0' in text


async def test_metrics_parse_and_name_no_instance(tmp_path: Path, port: int) -> None:
    async with serving(leading(), tmp_path, port) as ways:
        status, text = await ways.public("/metrics")
    assert status == 200
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert {"spotswarm_joins", "spotswarm_actions", "spotswarm_nodes"} <= families.keys()
    (denied,) = [
        sample
        for sample in families["spotswarm_joins"].samples
        if sample.name.endswith("_total") and sample.labels["code"] == "not-in-cluster"
    ]
    assert denied.value == 1
    assert WORKER not in text
    assert STRANGER not in text


async def test_the_admin_socket_is_its_owners_and_the_public_port_is_loopbacks(
    tmp_path: Path, port: int
) -> None:
    async with serving(leading(), tmp_path, port) as ways:
        assert ways.socket.stat().st_mode & 0o777 == 0o600
        for path in ("/status", "/nodes", "/joins"):
            assert (await ways.public(path))[0] == 404


async def test_a_socket_left_by_a_killed_leader_is_replaced(tmp_path: Path, port: int) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "admin.sock").touch()
    async with serving(leading(), tmp_path, port) as ways:
        assert (await ways.admin("/status"))[0] == 200


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (("status",), "contract"),
        (("nodes",), WORKER),
        (("joins",), "not-in-cluster"),
        (("explain", WORKER), "[7946/tcp]"),
    ],
)
async def test_a_command_prints_a_table_of_at_most_100_columns_and_json(
    arguments: tuple[str, ...], shown: str, tmp_path: Path, port: int
) -> None:
    async with serving(leading(), tmp_path, port) as ways:
        table, parsed = await asyncio.gather(
            ways.spotswarm(*arguments), ways.spotswarm(*arguments, "--json")
        )
    code, out, err = table
    assert (code, err) == (0, "")
    assert shown in "".join(out.split()) or shown in out
    assert max(len(line) for line in out.splitlines()) <= 100
    assert parsed[0] == 0
    assert shown in json.dumps(json.loads(parsed[1]))


Makes = Callable[[], Daemon]


@pytest.mark.parametrize(
    ("made", "arguments", "expected", "said"),
    [
        (lambda: leading(has_broker=False), ("status",), 1, ""),
        (standby, ("status",), 0, ""),
        (standby, ("nodes",), 3, "run this command on manager-2"),
        (standby, ("leaving",), 3, "run this command on manager-2"),
        (standby, ("drain", "x"), 3, "run this command on manager-2"),
        (leading, ("drain", "nobody"), 5, "there is no node named"),
        (standby, ("explain", "x"), 3, "run this command on manager-2"),
        (leading, ("explain", "nobody"), 5, "no record of a node"),
        (leading, ("explain", "a/b c"), 5, "no record of a node"),
        (leading, ("dance",), 2, "No such command"),
    ],
)
async def test_a_command_ends_with_the_code_that_says_what_became_of_it(
    made: Makes, arguments: tuple[str, ...], expected: int, said: str, tmp_path: Path, port: int
) -> None:
    async with serving(made(), tmp_path, port) as ways:
        code, _, err = await ways.spotswarm(*arguments)
    assert code == expected, err
    assert said in err


async def test_without_a_leader_daemon_the_command_says_where_to_look(
    tmp_path: Path, port: int
) -> None:
    code, out, err = await Ways(tmp_path / "admin.sock", port).spotswarm("nodes")
    assert (code, out) == (4, "")
    assert "systemctl status spotswarm-leader" in err
    assert "Traceback" not in err
