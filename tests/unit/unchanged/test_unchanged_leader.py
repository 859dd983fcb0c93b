"""The leader writes the same labels, makes the same AWS calls and prints the same JSON as 1b511bb.

Each test tells a story and, after every step, notes what the leader decided and did and what
`spotswarm ... --json` printed.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import deepcopy
from datetime import timedelta
from typing import Any

from unchanged_cloud import Cloud, instance
from unchanged_engine import Engine, node, service
from unchanged_leader import Leader, Operator, leading
from unchanged_recorded import check

EXPLAINED = {"name", "nodes", "instances", "notices", "joins", "decisions"}
"""`explain` may print more keys than these."""
ATTENTION = (
    *("refusals", "pending_tasks", "clock_step_seconds"),
    *("flooded", "dropped_per_second"),
)
"""`status` prints these, too."""


def name_of(number: int) -> str:
    return f"i-{number:017x}"


def spot(event: str, number: int, at: Any, **detail: str) -> dict[str, Any]:
    """An EventBridge event about one instance."""
    return {
        "source": "aws.ec2",
        "detail-type": event,
        "time": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "detail": {"instance-id": name_of(number)} | detail,
    }


def interruption(number: int, at: Any, action: str = "terminate") -> dict[str, Any]:
    event = "EC2 Spot Instance Interruption Warning"
    return spot(event, number, at, **{"instance-action": action})


def recommendation(number: int, at: Any) -> dict[str, Any]:
    return spot("EC2 Instance Rebalance Recommendation", number, at)


def maintenance(number: int, at: Any, start: Any) -> dict[str, Any]:
    return {
        "source": "aws.health",
        "detail-type": "AWS Health Event",
        "time": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "detail": {
            "service": "EC2",
            "eventTypeCategory": "scheduledChange",
            "eventTypeCode": "AWS_EC2_INSTANCE_REBOOT_MAINTENANCE_SCHEDULED",
            "startTime": start.strftime("%a, %d %b %Y %H:%M:%S GMT"),
            "affectedEntities": [{"entityValue": name_of(number)}],
        },
    }


def site(engine: Engine) -> None:
    """A service of every kind: each is moved in its own way."""
    host_port = {"Ports": [{"PublishMode": "host", "TargetPort": 80, "PublishedPort": 80}]}
    engine.offer(service("web", 4), "w4", "w5", "w6", "w7")
    update = {"Parallelism": 1, "Delay": 1_000_000_000, "Order": "stop-first"}
    engine.offer(service("api", 2, UpdateConfig=update), "w4", "w5")
    engine.offer(service("gate", 1, EndpointSpec=host_port), "w4")
    never = {"spotswarm.evacuate": "never"}
    engine.offer(service("batch", 1, Labels=never), "w4")
    engine.offer(service("watch", None), "m1", "w4", "w5", "w6", "w7")
    unchecked = service("mail", 1)
    del unchecked["Spec"]["TaskTemplate"]["ContainerSpec"]["Healthcheck"]
    engine.offer(unchecked, "w5")


def _is_by_id(request: dict[str, Any]) -> bool:
    """Whether this lists missing instances by their ids, which 1b511bb did not do."""
    filters = request.get("Filters", [])
    return [each["Name"] for each in filters] == ["instance-id"]


class Story:
    """Collects what each step did and printed."""

    def __init__(self, leader: Leader, operator: Operator) -> None:
        self.leader, self.operator = leader, operator
        self.steps: list[dict[str, Any]] = []

    async def tell(self, step: str, *commands: str) -> None:
        leader = self.leader
        assert not leader.is_restless
        printed = [await self.types(command) for command in commands]
        assert not leader.is_restless
        self.steps.append(
            {
                "step": step,
                "decided": list(leader.decided),
                "asked of the engine": deepcopy(leader.engine.requests),
                "asked of AWS": [
                    request for request in deepcopy(leader.cloud.requests) if not _is_by_id(request)
                ],
                "answered to agents": list(leader.answers),
                "printed": printed,
            }
        )
        for kept in (leader.decided, leader.engine.requests, leader.cloud.requests, leader.answers):
            kept.clear()

    async def types(self, command: str) -> dict[str, Any]:
        typed = await self.operator.types(*command.split(), "--json")
        if command == "status" and typed["printed"]:
            typed["printed"]["version"] = "of the build"
            assert typed["printed"].pop("faults") == []
            attention = {key: typed["printed"].pop(key, None) for key in ATTENTION}
            if attention["refusals"] or attention["pending_tasks"]:
                # Commit 1b511bb ended with 0 here, which was findings B1 and B2.
                assert typed["code"] == 1
                typed["code"] = 0
        if command == "leaving":
            for row in typed["printed"] or ():
                row.pop("stranded", None)
        if command.startswith("explain") and typed["printed"]:
            rows = typed["printed"]
            typed["printed"] = {key: row for key, row in rows.items() if key in EXPLAINED}
        return typed


def without_deletions(steps: Any) -> Any:
    """The steps, but the last without deleted messages and the numbers of events."""
    steps = deepcopy(steps)
    last = steps[-1]
    last["decided"] = [row[:2] for row in last["decided"] if row[0] != "DeleteNotices"]
    last["asked of AWS"] = [
        call for call in last["asked of AWS"] if call["call"] != "DeleteMessageBatch"
    ]
    for command in last["printed"]:
        if command["typed"].startswith("explain"):
            for row in command["printed"]["decisions"]:
                row["cause"] = "an event"
    return steps


@asynccontextmanager
async def playing(tmp_path: Any, monkeypatch: Any) -> AsyncIterator[tuple[Engine, Cloud, Story]]:
    engine, cloud = Engine(), Cloud()
    async with leading(engine, cloud, tmp_path, monkeypatch) as (leader, operator):
        yield engine, cloud, Story(leader, operator)


def bound(name: str, number: int, *, role: str = "worker", **labels: str) -> dict[str, Any]:
    """A node that has joined and is bound to its instance."""
    lifecycle = "spot" if role == "worker" else "on-demand"
    ours = {
        "spotswarm.instance": name_of(number),
        "spotswarm.lifecycle": lifecycle,
        "spotswarm.zone": f"eu-central-1{'abc'[number % 3]}",
        "spotswarm.type": "t3.small",
    }
    return node(name, number, role=role, **(ours | labels))


def member(engine: Engine, cloud: Cloud, name: str, number: int, **told: Any) -> None:
    engine.add(bound(name, number, **told))
    role = told.get("role", "worker")
    cloud.instances[name_of(number)] = instance(name_of(number), number, role=role)


def cluster(engine: Engine, cloud: Cloud) -> None:
    for number in (1, 2, 3):
        member(engine, cloud, f"m{number}", number, role="manager")
    for number in (4, 5, 6, 7):
        member(engine, cloud, f"w{number}", number)
    site(engine)


async def test_how_nodes_join(tmp_path: Any, monkeypatch: Any) -> None:
    async with playing(tmp_path, monkeypatch) as (engine, cloud, story):
        leader = story.leader
        await story.tell("nothing is known", "status", "nodes", "leaving", "joins")
        for number in (1, 2, 3):
            engine.add(node(f"m{number}", number, role="manager"))
            name = name_of(number)
            cloud.instances[name] = instance(name, number, role="manager")
        await leader.look()
        await story.tell("managers are bound", "nodes")
        leader.is_unopenable()
        await leader.is_not_proven("not-in-cluster", "d")
        await leader.asks_to_join(name_of(4), 4, "a")
        cloud.instances[name_of(4)] = instance(name_of(4), 4)
        await story.tell("answers", "joins", "status", f"explain {name_of(4)}")
        engine.add(node("worker4", 4, availability="drain", mine="stays"))
        await leader.look()
        await story.tell("a worker joins", "nodes", "explain worker4", "explain work", "explain w5")
        await leader.asks_to_join(name_of(4), 4, "e")
        engine.add(node("stranger", 9, availability="drain"))
        await leader.after(60)
        await story.tell("a stranger", "status", "nodes", "joins")
        await leader.after(3600)
        await story.tell("tokens are rotated", "status")
        check("joining", story.steps)


async def test_how_nodes_leave_when_aws_takes_them(tmp_path: Any, monkeypatch: Any) -> None:
    async with playing(tmp_path, monkeypatch) as (engine, cloud, story):
        leader = story.leader
        cluster(engine, cloud)
        await leader.look()
        await story.tell("all is well", "status", "nodes", "leaving", "rebalance --dry-run")
        await leader.queue_says(recommendation(6, leader.at), "receipt-6")
        await story.tell(
            "hinted", "leaving", "nodes", "status", "explain w6", "return w6 --dry-run"
        )
        engine.moves_at_once = False
        await leader.queue_says(interruption(4, leader.at), "receipt-4")
        await leader.agent_waits(interruption(4, leader.at), "f", 200)
        await story.tell(
            "interrupted, its tasks move", "leaving", "nodes", "status", f"explain {name_of(4)}",
            "explain web", "explain service-web", "drain w4 --dry-run", "return w4",
            "rebalance --dry-run",
        )  # fmt: skip
        await leader.after(10)
        engine.start("service-web", "w5", slot=1)
        engine.start("service-api", "w6", slot=1, state="starting")
        await leader.after(10)
        await story.tell("one task is up elsewhere", "leaving")
        await leader.after(80)
        await story.tell("no time is left to move the other", "leaving", "explain api")
        await leader.after(10)
        await story.tell("told to go", "leaving", "explain w4", "return w4 --dry-run")
        engine.stop_all_on("w4")
        await leader.agent_left(name_of(4))
        await story.tell("left", "leaving", "nodes", f"explain {name_of(4)}", "status")
        await leader.after(1900)
        await story.tell("nothing came of the hint", "leaving", "status")
        await leader.queue_says(interruption(7, leader.at, "stop"), "receipt-7")
        engine.nodes["w7"]["Status"]["State"] = "down"
        await leader.after(5)
        await story.tell("one is stopped by AWS", "leaving", "status", "explain w7")
        engine.nodes["m3"]["ManagerStatus"]["Reachability"] = "unreachable"
        await leader.look()
        await leader.queue_says(interruption(2, leader.at), "receipt-2")
        commands = ("leaving", "status", "nodes", "explain m2", "drain m1 --dry-run")
        await story.tell("a manager may not be demoted", *commands)
        engine.nodes["m3"]["ManagerStatus"]["Reachability"] = "reachable"
        await leader.look()
        await story.tell("now it may", "leaving", "status", "nodes", "explain m2")
        check("leaving", story.steps)


async def test_how_hints_and_maintenance_are_heeded(tmp_path: Any, monkeypatch: Any) -> None:
    async with playing(tmp_path, monkeypatch) as (engine, cloud, story):
        leader = story.leader
        cluster(engine, cloud)
        await leader.look()
        for number in (5, 6, 7):
            await leader.queue_says(recommendation(number, leader.at), f"receipt-{number}")
        commands = ("leaving", "status", "rebalance web --no-wait", "rebalance --dry-run")
        await story.tell("half of the workers are hinted at most", *commands)
        member(engine, cloud, "w8", 8)
        await leader.after(5)
        await story.tell("a replacement takes tasks", "leaving", "explain w5")
        soon = leader.at + timedelta(minutes=10)
        await leader.queue_says(maintenance(4, leader.at, soon), "receipt-soon")
        await leader.queue_says(maintenance(3, leader.at, soon), "receipt-manager")
        later = leader.at + timedelta(days=1)
        await leader.queue_says(maintenance(8, leader.at, later), "receipt-later")
        await story.tell("maintenance", "leaving", "status", "explain w4", "explain m3")
        # A message about maintenance is deleted later than it was, so that a new leader knows it.
        check("hints", story.steps, but=without_deletions)


async def test_how_the_operator_drains_and_returns(tmp_path: Any, monkeypatch: Any) -> None:
    async with playing(tmp_path, monkeypatch) as (engine, cloud, story):
        leader = story.leader
        cluster(engine, cloud)
        await leader.look()
        await leader.after(70)
        await story.tell(
            "plans", "drain w4 --dry-run", "drain w5 --deadline 30s --dry-run",
            "drain m1 --dry-run", "drain m2 --dry-run", "drain nobody", "return w4",
        )  # fmt: skip
        await story.tell("w5 is drained, and followed", "drain w5 --deadline 60s")
        await story.tell("and stays so", "leaving", "nodes", "status", "explain w5", "drain w5")
        await story.tell("it is returned", "return w5 --dry-run", "return w5", "leaving", "nodes")
        await story.tell("a manager is drained", "drain m2 --no-wait", "leaving", "nodes")
        await story.tell("one is enough", "drain m3 --dry-run", "leaving", "explain m2")
        await story.tell("a manager comes back", "return m2 --no-wait", "leaving", "nodes")
        engine.moves_at_once = False
        await story.tell(
            "tasks do not move", "drain w6 --no-wait", "leaving", "return w6 --dry-run"
        )
        await story.tell("but it is wanted back", "return w6 --no-wait", "leaving")
        await leader.after(5)
        await story.tell("what was lent is given back", "leaving", "nodes")
        engine.nodes["w7"]["Spec"]["Availability"] = "pause"
        await leader.look()
        await story.tell("paused by hand", "return w7", "drain w7 --dry-run", "nodes")
        await story.tell("on its way out with a job", "drain w4 --deadline 100s --no-wait")
        await leader.after(90)
        await story.tell("cut off", "leaving", "explain w4")
        await leader.after(30)
        await story.tell("drained all the same", "leaving", "status")
        story.operator.stand_by()
        await story.tell(
            "another leads", "status", "nodes", "leaving", "joins", "explain w4", "drain w4",
            "return w4", "rebalance",
        )  # fmt: skip
        check("steering", story.steps)


async def test_how_services_are_rebalanced(tmp_path: Any, monkeypatch: Any) -> None:
    async with playing(tmp_path, monkeypatch) as (engine, cloud, story):
        leader = story.leader
        for number in (1, 2, 3):
            member(engine, cloud, f"m{number}", number, role="manager")
        for number in (4, 5):
            member(engine, cloud, f"w{number}", number)
        engine.offer(service("web", 4), "w4", "w4", "w4", "w4")
        engine.offer(service("api", 6), "w4", "w4", "w4", "w5", "w5", "w4")
        engine.offer(service("one", 1), "w4")
        engine.offer(service("fixed", 2, Labels={"spotswarm.rebalance": "no"}), "w4", "w4")
        engine.offer(service("watch", None), "w4", "w5")
        await leader.look()
        await story.tell(
            "plans", "rebalance --dry-run", "rebalance web --dry-run", "rebalance none"
        )
        await story.tell("asked for", "rebalance web", "rebalance --dry-run", "explain web")
        engine.moves_at_once = False
        await leader.after(70)
        await story.tell("by itself", "rebalance --dry-run", "explain api")
        broken = engine.start("service-api", "m1", slot=7, state="starting")
        broken["CreatedAt"] = leader.at.isoformat()
        await leader.after(130)
        await story.tell("added tasks do not come up", "rebalance --dry-run", "explain api")
        del engine.tasks[broken["ID"]]
        await leader.after(5)
        await story.tell("taken back", "rebalance api --dry-run", "explain api")
        engine.moves_at_once = True
        member(engine, cloud, "w6", 6)
        await leader.after(5)
        await story.tell("not at once after a join", "rebalance --dry-run", "status")
        check("rebalancing", story.steps)


async def test_how_the_lost_and_the_unknown_are_removed(tmp_path: Any, monkeypatch: Any) -> None:
    async with playing(tmp_path, monkeypatch) as (engine, cloud, story):
        leader = story.leader
        cluster(engine, cloud)
        for number in (8, 9, 10):
            member(engine, cloud, f"w{number}", number)
        cloud.instances["i-orphan"] = instance("i-orphan", 99)
        await leader.look()
        engine.nodes["w4"]["Status"]["State"] = "down"
        del cloud.instances[name_of(4)]
        engine.tasks["task-1"]["Status"]["State"] = "orphaned"
        engine.tasks["task-2"]["NodeID"] = "gone"
        for _ in range(20):
            await leader.after(6)
        await story.tell("one is removed", "nodes", "status", f"explain {name_of(4)}", "explain w4")
        for _ in range(16):
            await leader.after(61)
        await story.tell("an orphan is ended", "explain i-orphan", "status")
        engine.nodes["w5"]["Status"]["State"] = "down"
        for _ in range(11):
            await leader.after(61)
        await story.tell("one is given up", "nodes", "explain w5", "drain w5 --dry-run")
        for number in (6, 7, 8, 9):
            engine.nodes[f"w{number}"]["Status"]["State"] = "down"
            del cloud.instances[name_of(number)]
        for _ in range(12):
            await leader.after(6)
        await story.tell("so many are not", "nodes", "status", "explain w6", "rebalance --dry-run")
        check("removing", story.steps)
