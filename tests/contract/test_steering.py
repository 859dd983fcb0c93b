"""The operator's say, over a real socket: commands against a leader that empties a swarm in memory.

`decide` and the commands are the real ones; the swarm is the unit tests' model of swarmkit, ten of
whose seconds pass in one of ours.
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
from swarm_model import BRISK, Play, Swarm, service, worker

ROOT = Path(__file__).parents[2]
LONG_AGO = clock.now() - timedelta(hours=1)
STEP_SECONDS = 0.1


class LiveSwarm(Swarm):
    """Its seconds are short, and its time of day is ours."""

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


class Ways:
    def __init__(self, socket: Path, play: LivePlay) -> None:
        self.socket = socket
        self.play = play

    async def ask(
        self, path: str, body: Any = None, *, raw: bytes | None = None
    ) -> tuple[int, Any]:
        connector = aiohttp.UnixConnector(str(self.socket))
        async with aiohttp.ClientSession(connector=connector) as session:
            if body is None and raw is None:
                asked = session.get(f"http://leader{path}")
            else:
                asked = session.post(f"http://leader{path}", json=body, data=raw)
            async with asked as answer:
                return answer.status, await answer.json()

    async def leaving(self) -> list[dict[str, Any]]:
        """The rows, as soon as there is one and its tasks are known."""
        async with asyncio.timeout(10):
            while True:
                _, rows = await self.ask("/leaving")
                if (
                    rows
                    and rows[0]["tasks_known"]
                    and rows[0]["waits_for"] != "the leader to pause it"
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
    made = nodes or tuple(worker(number, created=LONG_AGO) for number in (1, 2, 3))
    return LiveSwarm(made, services)


WEB = service("web", replicas=6, has_health_check=True)


@asynccontextmanager
async def leading(swarm: LiveSwarm, tmp_path: Path, port: int, **said: Any) -> AsyncIterator[Ways]:
    play = LivePlay(swarm, **said)
    steering = Steering(
        view=play.seen,
        policy=play.policy,
        submit=play.submit,
        new_id=lambda kind: f"{kind}-{next(play.ids)}",
    )
    socket = tmp_path / "run" / "admin.sock"
    async with Admin(play, Metrics(), socket=socket, port=port, commands=steering):
        for _ in range(12):
            play.step()
        playing = asyncio.create_task(_play(play), name="play")
        try:
            yield Ways(socket, play)
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


async def test_a_node_is_drained_and_returned_and_every_task_serves_meanwhile(
    tmp_path: Path, port: int
) -> None:
    async with leading(three_workers(WEB, service("api")), tmp_path, port) as ways:
        fewest = [6]
        ways.play.watch.append(lambda play: fewest.append(play.swarm.serving("web")))
        code, out, err = await ways.spotswarm("drain", "ip-10-0-0-1", "--deadline", "20s")
        assert (code, err) == (0, ""), out
        for words in ("i-1", "web.", "moved", "is drained", "no health check: api"):
            assert words in out
        assert min(fewest) == 6
        status, rows = await ways.ask("/leaving")
        assert (status, [(row["hostname"], row["stage"]) for row in rows]) == (
            200,
            [("ip-10-0-0-1", "drained")],
        )
        code, out, err = await ways.spotswarm("nodes")
        assert "drain drained" in out
        code, out, err = await ways.spotswarm("leaving")
        assert "spotswarm return ip-10-0-0-1" in " ".join(out.split())

        code, out, err = await ways.spotswarm("return", "i-1")
        assert (code, err) == (0, ""), out
        assert "takes tasks again" in out
        assert await ways.ask("/leaving") == (200, [])


async def test_tasks_that_cannot_move_in_time_are_named_and_have_a_code_of_their_own(
    tmp_path: Path, port: int
) -> None:
    swarm = three_workers(WEB)
    async with leading(swarm, tmp_path, port) as ways:
        swarm.fate = "hang"
        code, out, _ = await ways.spotswarm("drain", "n-1", "--deadline", "2s", "--json")
        told = json.loads(out)
        assert code == 6
        assert told["outcome"]["state"] == "drained"
        assert len(told["outcome"]["not_moved"]) == 2


async def test_a_dry_run_tells_the_fates_and_does_nothing(tmp_path: Path, port: int) -> None:
    pinned = service("pinned", replicas=1, constraints=("node.id==n-1",))
    async with leading(three_workers(WEB, pinned), tmp_path, port) as ways:
        code, out, err = await ways.spotswarm("drain", "n-1", "--dry-run")
        assert (code, err) == (0, "")
        assert "no other node can take pinned" in out
        status, told = await ways.ask("/drain/i-1", {"dry_run": True, "within": 7.5})
        assert (status, told["accepted"]) == (200, False)
        assert {task["fate"] for task in told["plan"]["tasks"]} == {"moved"}
        assert await ways.ask("/leaving") == (200, [])


async def test_ctrl_c_leaves_the_drain_going_and_says_how_to_undo_it(
    tmp_path: Path, port: int
) -> None:
    swarm = three_workers(WEB)
    async with leading(swarm, tmp_path, port) as ways:
        swarm.fate = "hang"
        process = await ways.begun("drain", "n-1", "--deadline", "60s")
        async with asyncio.timeout(20):
            assert process.stdout is not None
            while b"web." not in await process.stdout.readline():
                pass
            await ways.leaving()
            process.send_signal(signal.SIGINT)
            _, err = await process.communicate()
        assert process.returncode == 130
        assert "goes on" in err.decode()
        assert "spotswarm return ip-10-0-0-1 undoes it" in err.decode()
        rows = await ways.leaving()
        assert rows[0]["stage"] == "evacuating"
        assert "to be up elsewhere" in rows[0]["waits_for"]
        swarm.fate = "up"
        code, out, err_text = await ways.spotswarm("return", "n-1")
        assert (code, err_text) == (0, ""), out


async def test_services_are_spread_again_onto_a_node_that_came_back(
    tmp_path: Path, port: int
) -> None:
    swarm = three_workers(WEB)
    still = replace(BRISK, is_rebalancing=False)
    async with leading(swarm, tmp_path, port, policy=still) as ways:
        await ways.spotswarm("drain", "n-1", "--deadline", "20s")
        await ways.spotswarm("return", "n-1")
        assert swarm.spread_of("web") == [3, 3, 0]

        code, out, err = await ways.spotswarm("rebalance", "--dry-run")
        assert (code, err) == (0, "")
        assert "3/3/0" in out
        assert "2/2/2" in out
        assert swarm.spread_of("web") == [3, 3, 0]

        code, out, err = await ways.spotswarm("rebalance", "web")
        assert (code, err) == (0, ""), out
        assert "web is spread evenly: 2/2/2" in out
        assert swarm.spread_of("web") == [2, 2, 2]


async def test_a_spreading_that_comes_to_nothing_is_told(tmp_path: Path, port: int) -> None:
    swarm = three_workers(WEB)
    still = replace(BRISK, is_rebalancing=False, rebalance_patience=timedelta(seconds=1))
    async with leading(swarm, tmp_path, port, policy=still) as ways:
        await ways.spotswarm("drain", "n-1", "--deadline", "20s")
        await ways.spotswarm("return", "n-1")
        swarm.fate = "hang"
        code, out, err = await ways.spotswarm("rebalance")
        assert code == 6, out
        assert "web is stuck" in err
        assert "spotswarm explain web" in err


async def test_a_drained_manager_is_a_worker_first_and_a_manager_again(
    tmp_path: Path, port: int
) -> None:
    managers = [
        worker(number, created=LONG_AGO, role=Role.MANAGER, reachability="reachable")
        for number in (1, 2, 3, 4)
    ]
    swarm = three_workers(WEB, nodes=(*managers, worker(5, created=LONG_AGO)))
    async with leading(swarm, tmp_path, port) as ways:
        code, out, err = await ways.spotswarm("drain", "n-2", "--deadline", "20s")
        assert (code, err) == (0, ""), out
        assert "made a worker first" in " ".join(out.split())
        code, out, err = await ways.spotswarm("return", "n-2")
        assert (code, err) == (0, ""), out
        assert "becomes a manager again" in out
        assert swarm.nodes["n-2"].role is Role.MANAGER


@pytest.mark.parametrize(
    ("arguments", "expected", "said"),
    [
        (("drain", "nobody"), 5, "spotswarm nodes shows them"),
        (("drain", "n-9"), 7, "cannot be demoted"),
        (("return", "n-1"), 7, "already takes tasks"),
        (("rebalance", "nothing"), 5, "docker service ls"),
        (("drain", "n-1", "--deadline", "soon"), 2, "write 90s, 2m or 1m30s"),
        (("drain", "n-1", "--deadline", "48h"), 2, "within"),
    ],
)
async def test_what_is_refused_says_why_and_what_to_do(
    arguments: tuple[str, ...], expected: int, said: str, tmp_path: Path, port: int
) -> None:
    lone = worker(9, created=LONG_AGO, role=Role.MANAGER, reachability="reachable")
    nodes = (lone, worker(1, created=LONG_AGO), worker(2, created=LONG_AGO))
    async with leading(three_workers(WEB, nodes=nodes), tmp_path, port) as ways:
        code, _, err = await ways.spotswarm(*arguments)
    assert code == expected, err
    assert said in err


async def test_what_is_asked_in_another_form_is_not_guessed_at(tmp_path: Path, port: int) -> None:
    async with leading(three_workers(WEB), tmp_path, port) as ways:
        for path, body in (
            ("/drain/n-1", {"within": -1}),
            ("/drain/n-1", {"dryrun": True}),
            ("/return/n-1", {"within": 5}),
            ("/rebalance", {"services": "web"}),
        ):
            status, told = await ways.ask(path, body)
            assert (status, set(told)) == (400, {"error", "next"}), path
        assert (await ways.ask("/drain/n-1", raw=b"{"))[0] == 400
        assert await ways.ask("/leaving") == (200, [])


async def test_a_node_that_aws_takes_is_not_returned(tmp_path: Path, port: int) -> None:
    swarm = three_workers(WEB)
    async with leading(swarm, tmp_path, port) as ways:
        ways.play.interrupt("i-1", within=600)
        await ways.leaving()
        status, told = await ways.ask("/return/n-1", {})
        assert status == 422
        assert "AWS interrupts ip-10-0-0-1" in told["error"]
        status, told = await ways.ask("/drain/n-1", {})
        assert status == 422
        assert "already leaving (interruption)" in told["error"]


async def test_a_standby_steers_nothing(tmp_path: Path, port: int) -> None:
    async with leading(three_workers(WEB), tmp_path, port) as ways:
        ways.play.is_active = False
        for path in ("/drain/n-1", "/return/n-1", "/rebalance"):
            status, told = await ways.ask(path, {})
            assert (status, told["leader"]) == (409, "manager-2")
        assert (await ways.ask("/leaving"))[0] == 409
        code, _, err = await ways.spotswarm("drain", "n-1")
        assert (code, "run this on manager-2" in err) == (3, True)
