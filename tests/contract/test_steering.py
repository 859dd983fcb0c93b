"""The operator's commands over a real socket, against a leader that empties a swarm in memory.

`decide` and the commands are the real ones; the swarm is the unit tests' model of swarmkit, in
which ten seconds pass in one of ours.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from leader.edges.admin import Admin
from leader.report import status as report
from leader.report.record import Record
from leader.term.metrics import Metrics
from leader.term.steering import Steering
from leader.view.events import Event
from leader.view.model import View
from runtime import clock
from wire.messages import Role

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "leader"))
from leader_play import BRISK, Play
from swarm_model import Swarm, service, worker

ROOT = Path(__file__).parents[2]
LONG_AGO = clock.now() - timedelta(hours=1)
STEP_SECONDS = 0.1


class LiveSwarm(Swarm):
    """Its seconds are shorter, its time of day is the real one."""

    @property
    def at(self) -> Any:
        return clock.now()


class LivePlay(Play):
    """A leader that takes the operator's events, and a daemon's way of telling of itself."""

    is_active = True

    def status(self) -> dict[str, Any]:
        return {"stance": "standby", "leader": "manager-2", "reason": "manager-2 leads"}

    def is_healthy(self) -> bool:
        return True

    def nodes(self) -> list[dict[str, Any]] | None:
        return report.nodes(self.view) if self.is_active else None

    def joins(self) -> list[dict[str, Any]] | None:
        return None

    def explain(self, name: str) -> dict[str, Any] | None:
        return report.explain(self.view, Record(), name)

    async def submit(self, event: Event) -> None:
        self.tell(lambda _id, _at: event)

    def seen(self) -> View | None:
        return self.view if self.is_active else None


class Operator:
    def __init__(self, socket: Path, play: LivePlay) -> None:
        self.socket = socket
        self.play = play

    async def ask(
        self, path: str, body: Any = None, *, raw: bytes | None = None
    ) -> tuple[int, Any]:
        connector = aiohttp.UnixConnector(str(self.socket))
        async with aiohttp.ClientSession(connector=connector) as session:
            if body is None and raw is None:
                request = session.get(f"http://leader{path}")
            else:
                request = session.post(f"http://leader{path}", json=body, data=raw)
            async with request as answer:
                return answer.status, await answer.json()

    async def leaving(self) -> list[dict[str, Any]]:
        """The rows of `leaving`, once there is one and its tasks are known."""
        async with asyncio.timeout(60):
            while True:
                _, rows = await self.ask("/leaving")
                if (
                    rows
                    and rows[0]["tasks_known"]
                    and rows[0]["waits_for"] != "the leader to pause the node"
                ):
                    return list(rows)
                await asyncio.sleep(0.1)

    async def begun(self, *arguments: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli", *arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=ROOT,
            env=os.environ | {"SPOTSWARM_ADMIN_SOCKET": str(self.socket)},
        )

    async def spotswarm(self, *arguments: str) -> tuple[int, str, str]:
        process = await self.begun(*arguments)
        out, err = await process.communicate()
        text = out.decode()
        assert max((len(line) for line in text.splitlines()), default=0) <= 100
        return process.returncode or 0, text, err.decode()


def three_workers(*services: Any, nodes: tuple[Any, ...] = ()) -> LiveSwarm:
    members = nodes or tuple(worker(number, created=LONG_AGO) for number in (1, 2, 3))
    return LiveSwarm(members, services)


WEB = service("web", replicas=6, has_health_check=True)


@asynccontextmanager
async def leading(
    swarm: LiveSwarm, tmp_path: Path, port: int, **options: Any
) -> AsyncIterator[Operator]:
    play = LivePlay(swarm, **options)
    steering = Steering(
        view=play.seen,
        policy=play.policy,
        submit=play.submit,
        new_id=lambda kind: f"{kind}-{next(play.ids)}",
    )
    socket = tmp_path / "run" / "admin.sock"
    async with Admin(play, Metrics().registry, socket=socket, port=port, commands=steering):
        for _ in range(12):
            play.step()
        playing = asyncio.create_task(_play(play), name="play")
        try:
            yield Operator(socket, play)
        finally:
            playing.cancel()
            with suppress(asyncio.CancelledError):
                await playing


async def _play(play: LivePlay) -> None:
    while True:
        play.step()
        await asyncio.sleep(STEP_SECONDS)


@pytest.fixture
def port(cluster: Any) -> int:
    return int(cluster.port)


async def test_a_node_is_drained_and_returned_without_a_gap_in_service(
    tmp_path: Path, port: int
) -> None:
    async with leading(three_workers(WEB, service("api")), tmp_path, port) as operator:
        fewest = [6]
        operator.play.watch.append(lambda play: fewest.append(play.swarm.serving("web")))
        code, out, err = await operator.spotswarm("drain", "ip-10-0-0-1", "--deadline", "20s")
        assert (code, err) == (0, ""), out
        for words in ("i-1", "web.", "moved", "is drained", "without a health check: api"):
            assert words in out
        assert min(fewest) == 6
        status, rows = await operator.ask("/leaving")
        assert (status, [(row["hostname"], row["stage"]) for row in rows]) == (
            200,
            [("ip-10-0-0-1", "drained")],
        )
        code, out, err = await operator.spotswarm("nodes")
        assert "drain drained" in out
        code, out, err = await operator.spotswarm("leaving")
        assert "spotswarm return ip-10-0-0-1" in " ".join(out.split())

        code, out, err = await operator.spotswarm("return", "i-1")
        assert (code, err) == (0, ""), out
        assert "can take tasks again" in out
        assert await operator.ask("/leaving") == (200, [])


async def test_tasks_that_cannot_move_in_time_are_named_and_end_the_command_with_6(
    tmp_path: Path, port: int
) -> None:
    swarm = three_workers(WEB)
    async with leading(swarm, tmp_path, port) as operator:
        swarm.fate = "hang"
        code, out, _ = await operator.spotswarm("drain", "n-1", "--deadline", "2s", "--json")
        answer = json.loads(out)
        assert code == 6
        assert answer["outcome"]["state"] == "drained"
        assert len(answer["outcome"]["not_moved"]) == 2


async def test_a_dry_run_shows_the_plan_and_changes_nothing(tmp_path: Path, port: int) -> None:
    pinned = service("pinned", replicas=1, constraints=("node.id==n-1",))
    async with leading(three_workers(WEB, pinned), tmp_path, port) as operator:
        code, out, err = await operator.spotswarm("drain", "n-1", "--dry-run")
        assert (code, err) == (0, "")
        assert "pinned.1 has nowhere to go: no other node that satisfies node.id==n-1" in out
        status, answer = await operator.ask("/drain/i-1", {"dry_run": True, "within": 7.5})
        assert (status, answer["accepted"]) == (200, False)
        fates = {task["service"]: task["fate"] for task in answer["plan"]["tasks"]}
        assert fates == {"web": "moved", "pinned": "stranded"}
        assert await operator.ask("/leaving") == (200, [])


async def test_after_ctrl_c_the_drain_goes_on_and_the_command_says_how_to_undo_it(
    tmp_path: Path, port: int
) -> None:
    swarm = three_workers(WEB)
    async with leading(swarm, tmp_path, port) as operator:
        swarm.fate = "hang"
        process = await operator.begun("drain", "n-1", "--deadline", "60s")
        async with asyncio.timeout(60):
            assert process.stdout is not None
            while b"web." not in await process.stdout.readline():
                pass
            await operator.leaving()
            process.send_signal(signal.SIGINT)
            _, err = await process.communicate()
        assert process.returncode == 130
        assert "continues" in err.decode()
        assert "`spotswarm return ip-10-0-0-1` to undo it" in err.decode()
        rows = await operator.leaving()
        assert rows[0]["stage"] == "evacuating"
        assert "to be up elsewhere" in rows[0]["waits_for"]
        swarm.fate = "up"
        code, out, err_text = await operator.spotswarm("return", "n-1")
        assert (code, err_text) == (0, ""), out


async def test_services_are_rebalanced_onto_a_node_that_came_back(
    tmp_path: Path, port: int
) -> None:
    swarm = three_workers(WEB)
    still = replace(BRISK, is_rebalancing=False)
    async with leading(swarm, tmp_path, port, policy=still) as operator:
        await operator.spotswarm("drain", "n-1", "--deadline", "20s")
        await operator.spotswarm("return", "n-1")
        assert swarm.spread_of("web") == [3, 3, 0]

        code, out, err = await operator.spotswarm("rebalance", "--dry-run")
        assert (code, err) == (0, "")
        assert "3/3/0" in out
        assert "2/2/2" in out
        assert swarm.spread_of("web") == [3, 3, 0]

        code, out, err = await operator.spotswarm("rebalance", "web")
        assert (code, err) == (0, ""), out
        assert "web is spread evenly: 2/2/2" in out
        assert swarm.spread_of("web") == [2, 2, 2]


async def test_a_rebalance_that_fails_is_reported(tmp_path: Path, port: int) -> None:
    swarm = three_workers(WEB)
    still = replace(BRISK, is_rebalancing=False, rebalance_patience=timedelta(seconds=1))
    async with leading(swarm, tmp_path, port, policy=still) as operator:
        await operator.spotswarm("drain", "n-1", "--deadline", "20s")
        await operator.spotswarm("return", "n-1")
        swarm.fate = "hang"
        code, out, err = await operator.spotswarm("rebalance")
        assert code == 6, out
        assert "web is stuck" in err
        assert "spotswarm explain web" in err


async def test_a_manager_is_demoted_before_its_drain_and_promoted_again_afterwards(
    tmp_path: Path, port: int
) -> None:
    managers = [
        worker(number, created=LONG_AGO, role=Role.MANAGER, reachability="reachable")
        for number in (1, 2, 3, 4)
    ]
    swarm = three_workers(WEB, nodes=(*managers, worker(5, created=LONG_AGO)))
    async with leading(swarm, tmp_path, port) as operator:
        code, out, err = await operator.spotswarm("drain", "n-2", "--deadline", "20s")
        assert (code, err) == (0, ""), out
        assert "will be made a worker first" in " ".join(out.split())
        code, out, err = await operator.spotswarm("return", "n-2")
        assert (code, err) == (0, ""), out
        assert "becomes a manager again" in out
        assert swarm.nodes["n-2"].role is Role.MANAGER


@pytest.mark.parametrize(
    ("arguments", "expected", "error"),
    [
        (("drain", "nobody"), 5, "spotswarm nodes"),
        (("drain", "n-9"), 7, "cannot be demoted"),
        (("return", "n-1"), 7, "already takes tasks"),
        (("rebalance", "nothing"), 5, "docker service ls"),
        (("drain", "n-1", "--deadline", "soon"), 2, "write 90s, 2m or 1m30s"),
        (("drain", "n-1", "--deadline", "48h"), 2, "within"),
    ],
)
async def test_a_refusal_gives_the_reason_and_the_next_step(
    arguments: tuple[str, ...], expected: int, error: str, tmp_path: Path, port: int
) -> None:
    lone = worker(9, created=LONG_AGO, role=Role.MANAGER, reachability="reachable")
    nodes = (lone, worker(1, created=LONG_AGO), worker(2, created=LONG_AGO))
    async with leading(three_workers(WEB, nodes=nodes), tmp_path, port) as operator:
        code, _, err = await operator.spotswarm(*arguments)
    assert code == expected, err
    assert error in err


async def test_a_malformed_request_is_refused(tmp_path: Path, port: int) -> None:
    async with leading(three_workers(WEB), tmp_path, port) as operator:
        for path, body in (
            ("/drain/n-1", {"within": -1}),
            ("/drain/n-1", {"dryrun": True}),
            ("/return/n-1", {"within": 5}),
            ("/rebalance", {"services": "web"}),
        ):
            status, answer = await operator.ask(path, body)
            assert (status, set(answer)) == (400, {"error", "next"}), path
        assert (await operator.ask("/drain/n-1", raw=b"{"))[0] == 400
        assert await operator.ask("/leaving") == (200, [])


async def test_a_node_that_aws_is_taking_cannot_be_returned(tmp_path: Path, port: int) -> None:
    swarm = three_workers(WEB)
    async with leading(swarm, tmp_path, port) as operator:
        operator.play.interrupt("i-1", within=600)
        await operator.leaving()
        status, answer = await operator.ask("/return/n-1", {})
        assert status == 422
        assert "AWS will interrupt ip-10-0-0-1" in answer["error"]
        status, answer = await operator.ask("/drain/n-1", {})
        assert status == 422
        assert "already leaving (interruption)" in answer["error"]


async def test_a_standby_refuses_every_command(tmp_path: Path, port: int) -> None:
    async with leading(three_workers(WEB), tmp_path, port) as operator:
        operator.play.is_active = False
        for path in ("/drain/n-1", "/return/n-1", "/rebalance"):
            status, answer = await operator.ask(path, {})
            assert (status, answer["leader"]) == (409, "manager-2")
        assert (await operator.ask("/leaving"))[0] == 409
        code, _, err = await operator.spotswarm("drain", "n-1")
        assert (code, "run this command on manager-2" in err) == (3, True)
