"""What a reply, a metadata response, the engine or an action raises ends nothing else."""

import asyncio
import json
from contextlib import suppress
from datetime import timedelta

import pytest

from agent import daemon as daemon_module
from agent.actions import InspectEngine, Join, Pause, RequestToken
from agent.daemon import Daemon
from agent.edges.engine import _membership
from agent.edges.files import LocalFiles
from agent.edges.metadata import Metadata
from agent.events import EngineUnavailable, JoinFailed, NoticesChanged, Paused, RequestFailed
from agent.model import Policy, Ticket, View
from agent.notice_watch import NoticeWatch
from agent.notices import INTERRUPTION, MAINTENANCE, REBALANCE
from agent.perform import Performer
from runtime import clock
from runtime.errors import UnavailableError
from runtime.faults import Faults
from wire import user_data as documents
from wire.instance import InstanceFacts
from wire.messages import Availability, Role

SECRET = "example-secret"
FACTS = InstanceFacts(
    instance="i-1", region="r", zone="a", type="t", lifecycle="spot", address="10.0.0.1"
)
USER_DATA = """#spotswarm
cluster = "demo"
broker = "rediss://10.0.0.1:6380"
password = "example-password"
leader_keys = ["AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="]
ca = "example-ca"
role = "manager"
"""


class Broken:
    """Whatever is called raises an exception that quotes a secret."""

    def __getattr__(self, name):
        async def call(*_args, **_named):
            raise LookupError(SECRET)

        return call


def performer(tmp_path, faults):
    return Performer(
        documents.parse(USER_DATA),
        FACTS,
        engine=Broken(),
        metadata=Broken(),
        files=LocalFiles(tmp_path),
        news=asyncio.Queue(),
        faults=faults,
    )


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        (InspectEngine("x"), EngineUnavailable),
        (RequestToken(Role.WORKER, timedelta(), "x"), RequestFailed),
        (Join(Ticket("token", ("10.0.0.1:2377",), Availability.DRAIN), "x"), JoinFailed),
    ],
)
async def test_what_an_action_raises_is_an_event(tmp_path, action, kind):
    faults = Faults()
    event = await performer(tmp_path, faults)(action)

    assert isinstance(event, kind)
    assert "LookupError" in event.reason
    assert SECRET not in event.reason
    assert faults.recent()[0]["path"] == "actions"


def test_a_decision_that_raises_is_followed_by_a_pause(monkeypatch):
    def breaks(*_):
        raise LookupError(SECRET)

    monkeypatch.setattr(daemon_module, "decide", breaks)
    before = View(is_member=True)

    view, action = Daemon(Metadata(), LocalFiles())._decided(
        before, Paused(clock.now()), Policy(Role.WORKER)
    )

    assert view is before
    assert isinstance(action, Pause)
    assert action.most > timedelta()


async def test_a_preparation_that_raises_is_tried_again(tmp_path, monkeypatch):
    (tmp_path / "etc/spotswarm").mkdir(parents=True)
    (tmp_path / "etc/spotswarm/agent.toml").write_bytes(b"\xff\xfe")
    daemon = Daemon(Metadata(), LocalFiles(tmp_path))
    monkeypatch.setattr(daemon_module, "backoff", lambda **_: iter([0.01] * 1000))

    is_repeated, counted = asyncio.Event(), []

    def count(path):
        counted.append(path)
        if len(counted) > 1:
            is_repeated.set()

    daemon._faults = Faults(count)
    preparing = asyncio.create_task(daemon._prepare())
    async with asyncio.timeout(30):
        await is_repeated.wait()
    assert not preparing.done()
    preparing.cancel()

    (fault,) = daemon._faults.recent()
    assert fault["cause"].startswith("UnicodeDecodeError")


@pytest.mark.parametrize("leader", ["hint_seconds = 0", "no_such = [1]", 'secrets = "wrong"'])
def test_a_wrong_setting_of_the_leader_does_not_concern_the_agent(leader):
    text = f"{USER_DATA}\n[leader]\n{leader}\n"

    assert documents.parse(text).leader
    assert documents.unknown(text) == ()


class Answers:
    """A metadata service with these texts."""

    def __init__(self, texts):
        self.texts = texts

    async def notices(self, paths):
        return {path: self.texts.get(path) for path in paths}


async def polled(monkeypatch, *rounds):
    """The news and the faults after these answers of the metadata service."""
    news, faults, left = asyncio.Queue(), Faults(), list(rounds)
    watch = NoticeWatch(
        documents.parse(USER_DATA),
        FACTS,
        metadata=Answers({}),
        files=None,
        news=news,
        faults=faults,
    )

    async def next_round(_seconds):
        if not left:
            raise asyncio.CancelledError
        watch._metadata = left.pop(0)

    monkeypatch.setattr("agent.notice_watch.asyncio.sleep", next_round)
    with suppress(asyncio.CancelledError):
        await watch.poll()
    return [news.get_nowait() for _ in range(news.qsize())], faults


GOOD = json.dumps({"action": "terminate", "time": "2026-11-23T20:02:00Z"})


@pytest.mark.parametrize(
    "strange",
    [
        Broken(),
        Answers({INTERRUPTION: "null", REBALANCE: "{", MAINTENANCE: '[{"NotBefore": 7}]'}),
        Answers({INTERRUPTION: json.dumps({"action": "stop", "time": "9999-12-31T23:59:59Z"})}),
        Answers({REBALANCE: json.dumps({"noticeTime": "0001-01-01T00:00:00+12:00"})}),
        Answers({INTERRUPTION: "\ud800"}),
    ],
)
async def test_after_a_strange_response_the_next_notice_is_news(monkeypatch, strange):
    news, faults = await polled(monkeypatch, strange, Answers({INTERRUPTION: GOOD}))

    assert [type(event) for event in news] == [NoticesChanged]
    assert news[0].notice.kind == "interruption"
    assert len(faults.recent()) == isinstance(strange, Broken)


STATE = {"LocalNodeState": "active", "NodeID": "n-1", "RemoteManagers": [{"Addr": "10.0.0.1:2377"}]}


@pytest.mark.parametrize("swarm", [None, [], {}, STATE | {"LocalNodeState": "dancing"}])
def test_an_unknown_swarm_state_is_an_engine_that_is_unavailable(swarm):
    with pytest.raises(UnavailableError, match="no swarm state"):
        _membership(swarm)


@pytest.mark.parametrize("managers", [None, 7, [None, {"Addr": 7}, {}]])
def test_strange_managers_are_left_out(managers):
    assert _membership(STATE | {"RemoteManagers": managers}).managers == ()
    assert _membership(STATE).managers == ("10.0.0.1:2377",)
