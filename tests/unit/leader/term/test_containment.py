"""What one action, decision or operator's request raises ends nothing else."""

import asyncio
import json
from contextlib import suppress
from types import SimpleNamespace

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from builders import NOW, POLICY, SECOND, ask, instance, manager_node, view
from leaving_term import notice
from swarm_model import QUIET, worker

from leader.daemon import Daemon
from leader.decide import decide
from leader.edges.admin import Admin
from leader.edges.aws.fleet import NoFleet
from leader.settings import LeaderTable, Settings
from leader.term.active import Active
from leader.term.mailbox import Mailbox
from leader.term.metrics import Metrics
from leader.term.perform import Performer
from leader.view.actions import ListInstances, PauseNode, ReportFault, RotateToken
from leader.view.events import Done, Failed, JoinAsked, NodesListed, Noticed, Ticked
from runtime.errors import GoneError, RefusedError
from runtime.faults import Faults
from wire.instance import InstanceFacts
from wire.messages import Availability, Role

SECRET = "example-join-token"
FACTS = InstanceFacts(
    instance="i-1", region="r", zone="a", type="t", lifecycle="on-demand", address="10.0.0.1"
)


def settings(**table):
    return Settings("demo", FACTS, LeaderTable(secrets="file:/example", **table))


class Broken:
    """Whatever is called raises an exception that quotes a secret."""

    def __getattr__(self, name):
        async def call(*_args, **_named):
            raise ValueError(SECRET)

        return call


async def test_what_an_action_raises_fails_this_action_only():
    faults = Faults()
    performer = Performer("demo", Mailbox(()), Broken(), Broken(), NoFleet(), faults=faults)

    for action in (RotateToken(role=Role.WORKER, reason="x"), ListInstances(reason="x")):
        (event,) = await performer.perform(action, "e-1")
        assert isinstance(event, Failed)
        assert event.action is action
        assert "ValueError" in event.reason
        assert SECRET not in event.reason
    assert [row["path"] for row in faults.recent()] == ["actions", "actions"]


async def test_a_fault_of_a_decision_is_counted_when_it_is_reported():
    faults = Faults()
    performer = Performer("demo", Mailbox(()), Broken(), None, NoFleet(), faults=faults)
    action = ReportFault(about="x", error=KeyError(SECRET), reason="x")

    (event,) = await performer.perform(action, "e-1")

    assert isinstance(event, Done)
    assert [row["path"] for row in faults.recent()] == ["decisions"]


def breaks(*_):
    raise KeyError(SECRET)


@pytest.mark.usefixtures("contains_decisions")
def test_a_rule_that_raises_does_not_prevent_the_others(monkeypatch):
    monkeypatch.setattr("leader.decide.welcome", breaks)
    monkeypatch.setattr("leader.decide.evacuate", breaks)
    known = view(worker(1), worker(2), tokens=QUIET, instances_at=NOW)

    known, actions = decide(known, Noticed("e-1", NOW, notice()), POLICY)

    assert isinstance(actions[0], PauseNode)
    faults = [action for action in actions if isinstance(action, ReportFault)]
    assert [fault.about for fault in faults] == ["which tasks move", "new nodes"]
    assert SECRET not in "".join(fault.reason for fault in faults)


@pytest.mark.usefixtures("contains_decisions")
def test_a_fault_of_a_decision_is_reported_once_a_minute(monkeypatch):
    monkeypatch.setattr("leader.decide.welcome", breaks)
    known, reports = view(worker(1), tokens=QUIET, instances_at=NOW), []
    for number in range(120):
        at = NOW + number * SECOND
        known, actions = decide(known, Ticked(f"t-{number}", at), POLICY)
        for action in actions:
            reports += [number] if isinstance(action, ReportFault) else []
            known, _ = decide(known, Done("d-1", at, action), POLICY)
    assert reports == [0, 60]


@pytest.mark.usefixtures("contains_decisions")
def test_a_node_whose_step_raises_does_not_keep_others_from_leaving(monkeypatch):
    from leader.leaving import steps  # noqa: PLC0415

    leaving = {"spotswarm.phase": "leaving", "spotswarm.deadline": NOW.isoformat()}
    nodes = [worker(number, labels=leaving, availability=Availability.DRAIN) for number in (1, 2)]
    real = steps.leaving_step
    monkeypatch.setattr(
        steps, "leaving_step", lambda node, at: breaks() if node.id == "n-1" else real(node, at)
    )

    _, actions = decide(view(*nodes, tokens=QUIET), Ticked("t-1", NOW + SECOND), POLICY)

    subjects = [action.subject for action in actions]
    assert subjects[:2] == ["fault the next step for ip-10-0-0-1", "node n-2"]


@pytest.mark.usefixtures("contains_decisions")
def test_an_event_that_raises_has_no_effect_but_its_action_has_ended(monkeypatch):
    monkeypatch.setattr("leader.decide.done", breaks)
    action = RotateToken(role=Role.WORKER, reason="x")
    before = view(worker(1), tokens=QUIET, in_flight=frozenset({"swarm", "node n-1"}))

    after, actions = decide(before, Done("d-1", NOW, action), POLICY)

    assert "swarm" not in after.in_flight
    assert after.nodes == before.nodes
    assert isinstance(actions[0], ReportFault)


async def test_a_term_goes_on_when_a_decision_or_a_report_raises(monkeypatch):
    faults = Faults()
    term = Active(
        settings(),
        own_node="n-1",
        swarm=Broken(),
        prover=Broken(),
        performer=Broken(),
        mailbox=Mailbox(()),
        broker=Broken(),
        queue=None,
        metrics=Metrics(),
        faults=faults,
    )
    monkeypatch.setattr(term._journal, "received", breaks)
    monkeypatch.setattr(term._metrics, "show", breaks)
    leader = manager_node("n-1", is_leader=True)
    await term.submit(NodesListed("e-1", NOW, (leader,)))
    monkeypatch.setattr(
        "leader.term.active.decide",
        lambda *known, **more: breaks() if known[1].id == "e-0" else decide(*known, **more),
    )
    await term.submit(Ticked("e-0", NOW))
    await term.submit(NodesListed("e-2", NOW + SECOND, (leader, worker(2))))

    with suppress(TimeoutError):
        async with asyncio.timeout(0.2), asyncio.TaskGroup() as workers:
            monkeypatch.setattr(term, "_carry_out", lambda _: asyncio.sleep(0))
            await term._decide_for_ever(workers)

    assert set(term.view.nodes) == {"n-1", "n-2"}
    assert {row["path"] for row in faults.recent()} == {"reports", "decisions"}


class BrokenSwarm(Broken):
    work = Broken()

    async def changes(self):
        for _ in ():
            yield
        raise LookupError(SECRET)


def term_with(swarm, faults):
    return Active(
        settings(),
        own_node="n-1",
        swarm=swarm,
        prover=Broken(),
        performer=Broken(),
        mailbox=Mailbox(()),
        broker=Broken(),
        queue=Broken(),
        metrics=Metrics(),
        faults=faults,
    )


async def test_a_term_goes_on_whatever_its_streams_raise():
    faults = Faults()
    running = asyncio.create_task(term_with(BrokenSwarm(), faults).run())

    await asyncio.wait([running], timeout=0.3)

    assert not running.done()
    running.cancel()
    paths = {"node events", "node list", "work list", "notices", "broker"}
    assert {row["path"] for row in faults.recent()} == paths


async def test_a_term_ends_when_the_engine_refuses_to_list_the_nodes():
    class Demoted(BrokenSwarm):
        async def nodes(self):
            raise RefusedError("this node is not a manager")

    with pytest.raises(RefusedError, match="not a manager"):
        async with asyncio.timeout(30):
            await term_with(Demoted(), Faults()).run()


def test_a_join_is_told_to_wait_while_no_manager_is_ready_after_an_election():
    known = view(manager_node("n-1", status="unknown", is_leader=True), worker(2))

    _, actions = decide(known, JoinAsked("e-1", NOW, ask(instance("i-5"))), POLICY)

    assert [action.denied.code for action in actions if hasattr(action, "denied")] == ["not-ready"]


async def answered(handler):
    faults = Faults()
    admin = Admin(Broken(), None, socket=None, port=0, commands=None, faults=faults)
    answer = await admin._middleware()(make_mocked_request("GET", "/status"), handler)
    return answer, faults


async def test_what_an_operators_request_raises_is_answered_and_counted():
    async def handler(_request):
        raise ValueError(SECRET)

    answer, faults = await answered(handler)

    assert answer.status == 500
    assert "journalctl" in json.loads(answer.text)["next"]
    assert SECRET not in answer.text
    assert [row["path"] for row in faults.recent()] == ["operators' requests"]


async def test_an_http_error_is_no_fault():
    async def handler(_request):
        raise web.HTTPNotFound

    with pytest.raises(web.HTTPNotFound):
        await answered(handler)


async def kept_address(monkeypatch, error, *, seconds=0.05):
    """The daemon after its Elastic IP could not be taken for a moment."""
    monkeypatch.setattr("leader.term.elastic_ip.RETRY_SECONDS", 0.01)

    async def call(*_args, **_named):
        raise error

    aws = SimpleNamespace(call=call, ec2=SimpleNamespace(describe_addresses=None))
    daemon = Daemon(settings(elastic_ip="eipalloc-1"))
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await daemon._elastic_ip.keep(aws)
    return daemon


@pytest.mark.parametrize(
    "error", [GoneError("AWS returned NotFound"), RefusedError("no"), KeyError(SECRET)]
)
async def test_an_elastic_ip_that_cannot_be_taken_leaves_the_leader_leading(monkeypatch, error):
    daemon = await kept_address(monkeypatch, error)
    daemon._active = SimpleNamespace(
        view=view(worker(1)),
        is_healthy=True,
        broker_starts=1,
        record=None,
        flood={"flooded": False, "dropped_per_second": 0.0},
    )

    status = daemon.status()

    assert status["problem"]
    assert SECRET not in str(status)
    assert status["healthy"] is not isinstance(error, KeyError)
    if isinstance(error, GoneError):
        assert "eipalloc-1 does not exist" in status["problem"]


async def test_a_step_that_raises_is_a_problem_and_not_the_end(monkeypatch):
    daemon = Daemon(settings())
    monkeypatch.setattr(daemon, "_step", Broken().anything)

    problem = await daemon._problem_of_step(None, None, None)

    assert "ValueError" in problem
    assert SECRET not in problem
    assert daemon.status()["faults"][0]["path"] == "the stance"
    metric = daemon._metrics.registry.get_sample_value(
        "spotswarm_faults_total", {"path": "the stance"}
    )
    assert metric == 1
