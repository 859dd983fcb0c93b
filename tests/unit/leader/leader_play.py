"""Leaders in a row, played against the swarm in memory; one second is one step."""

from dataclasses import replace
from datetime import timedelta
from itertools import count

from builders import POLICY, SECOND, instance
from swarm_model import QUIET, Swarm, service, worker

from leader.decide import decide, first_view
from leader.view.actions import (
    ChangeService,
    DeleteNotices,
    DrainNode,
    ListInstances,
    OrderLeave,
    PauseNode,
    TerminateInstance,
)
from leader.view.events import (
    Done,
    Failed,
    InstancesListed,
    LeftSwarm,
    NodesListed,
    Noticed,
    Ticked,
    WorkListed,
)
from leader.view.ids import InstanceId, NodeId, ServiceId
from leader.view.notices import Listener, Notice
from wire.labels import HINTED, LEAVING, RETURNING
from wire.messages import Availability

WEB = ServiceId("web")
BRISK = replace(
    POLICY,
    rebalance_cooldown=5 * SECOND,
    rebalance_patience=20 * SECOND,
    hint_patience=60 * SECOND,
)
"""Patience for a play of a few minutes."""


class Play:
    """Leaders in a row against one swarm.

    `delays`: seconds until an action is carried out and until its end is told, in turn; `lag`: how
    old a list is when it arrives; `crashes`: seconds at which a leader is lost with all it knew.
    """

    def __init__(self, swarm, *, policy=BRISK, delays=(0,), lag=0, crashes=()):
        self.swarm = swarm
        self.policy = policy
        self.delays = delays
        self.lag = lag
        self.begun = swarm.now
        self.crashes = set(crashes)
        self.turns = count()
        self.ids = count(1)
        self.under_way, self.ended, self.lists = [], [], []
        self.queue, self.agents, self.taken, self.left = {}, {}, {}, {}
        self.decided, self.said = [], []
        self.watch = []
        self.lead()

    @property
    def second(self):
        return self.swarm.now - self.begun

    @property
    def leaders_at(self):
        """The leader's own time."""
        return self.swarm.at

    def interrupt(self, name, *, within=120, is_heard=True):
        """AWS warns of a taking, on both paths; `is_heard`: the agent waits for our word."""
        deadline = self.swarm.at + timedelta(seconds=within)
        notice = Notice(InstanceId(name), "interruption", "queue", self.swarm.at, deadline)
        self.queue[f"r-{next(self.ids)}"] = notice
        self.taken[name] = self.swarm.now + within
        if is_heard:
            self.agents[name] = replace(notice, source="agent")

    def tell(self, kind, *values, **named):
        event = kind(f"e-{next(self.ids)}", self.leaders_at, *values, **named)
        before = self.view
        self.view, actions = decide(before, event, self.policy)
        ended = {event.action.subject} if kind in {Done, Failed} else set()
        subjects = [action.subject for action in actions]
        assert len(subjects) == len(set(subjects))
        assert not (before.in_flight - ended) & set(subjects)
        self.decided += actions
        for action in actions:
            self.under_way.append((self.swarm.now + self._delay(), action))

    def run(self, seconds):
        for _ in range(seconds):
            self.step()

    def run_until_quiet(self, most=600):
        """Until nothing was decided and nothing changed for longer than any patience.

        Tasks count: a service stays as it is while a slow update replaces its tasks in turn.
        """
        quiet, seen = 0, None
        for _ in range(most):
            self.step()
            nodes = tuple(self.swarm.nodes.values())
            decided = sum(1 for one in self.decided if not isinstance(one, ListInstances))
            now = (decided, nodes, self.swarm.listed())
            is_busy = self.taken or any(one.phase in {LEAVING, HINTED} for one in nodes)
            quiet = quiet + 1 if now == seen and not is_busy else 0
            seen = now
            if quiet > 25:
                return
        raise AssertionError(f"not quiet after {most} s: {self.decided[-5:]}")

    def step(self):
        self.swarm.tick()
        for name, when in list(self.taken.items()):
            if self.swarm.now >= when or name not in self.swarm.instances:
                del self.taken[name]
                self.agents.pop(name, None)
                self.swarm.take(name)
        if self.second in self.crashes:
            self.lead()
        self._carry_out()
        self._show()
        if self.second % 5 == 0:
            self._announce()
        self.tell(Ticked)
        self._carry_out()
        for look in self.watch:
            look(self)

    def kinds(self):
        return [type(action).__name__ for action in self.decided]

    def _delay(self):
        return self.delays[next(self.turns) % len(self.delays)]

    def lead(self):
        """A new leader: what was on its way to the swarm may land still, nobody hears of it."""
        self.view = replace(first_view(), tokens=QUIET)
        self.under_way = [
            (when, action)
            for number, (when, action) in enumerate(self.under_way)
            if isinstance(action, ChangeService | PauseNode | DrainNode) and number % 2
        ]
        self.ended, self.lists = [], []
        self._announce()

    def _announce(self):
        """The queue delivers what was not deleted; agents ask again and again."""
        for message, notice in list(self.queue.items()):
            self.tell(Noticed, notice, f"{message} {next(self.ids)}")
        for name, notice in self.agents.items():
            until = self.swarm.at + 10 * SECOND
            self.tell(Noticed, notice, None, Listener("reply", "key", 0, until))
            assert name in self.swarm.instances

    def _carry_out(self):
        for _ in range(20):
            ready = [one for one in self.under_way if one[0] <= self.swarm.now]
            told = [one for one in self.ended if one[0] <= self.swarm.now]
            if not ready and not told:
                return
            self.under_way = [one for one in self.under_way if one not in ready]
            self.ended = [one for one in self.ended if one not in told]
            for _, action in ready:
                is_done = self.swarm.apply(action)
                self._follow(action)
                self.ended.append((self.swarm.now + self._delay(), action, is_done))
            for _, action, is_done in told:
                if isinstance(action, ListInstances):
                    self.tell(InstancesListed, tuple(self.swarm.instances.values()))
                if is_done:
                    self.tell(Done, action)
                else:
                    self.tell(Failed, action, "the engine says no")
        raise AssertionError(f"a storm of actions: {self.decided[-3:]}")

    def _follow(self, action):
        match action:
            case DeleteNotices(receipts=receipts):
                for receipt in receipts:
                    self.queue.pop(receipt.partition(" ")[0], None)
            case OrderLeave(instance=name) if not self.swarm.is_deaf:
                self.agents.pop(name, None)
                self.left[name] = self.swarm.now + 1
            case TerminateInstance(instance=name):
                self.agents.pop(name, None)

    def _show(self):
        at = self.leaders_at
        self.lists.append(
            (self.swarm.now + self.lag, tuple(self.swarm.nodes.values()), self.swarm.listed(), at)
        )
        while self.lists and self.lists[0][0] <= self.swarm.now:
            _, nodes, work, asked = self.lists.pop(0)
            self.tell(NodesListed, nodes, requested_at=asked)
            self.tell(WorkListed, *work, requested_at=asked)
        for name, when in list(self.left.items()):
            if self.swarm.now >= when:
                del self.left[name]
                self.tell(LeftSwarm, InstanceId(name), "told")


def swarm(*, nodes=4, replicas=6, more=(), **said):
    return Swarm(
        [worker(number) for number in range(1, nodes + 1)],
        [service(replicas=replicas, **said), *more],
    )


def join(play, number):
    play.swarm.nodes[NodeId(f"n-{number}")] = worker(number)
    play.swarm.instances[InstanceId(f"i-{number}")] = instance(f"i-{number}")


def said(one):
    return one.constraints, one.update, one.replicas, dict(one.labels)


def changes(play):
    return [action for action in play.decided if isinstance(action, ChangeService)]


class Watched:
    """The fewest slots of each service that served at any second, while there was time."""

    def __init__(self, play):
        self.least = {name: play.swarm.serving(name) for name in play.swarm.services}
        play.watch.append(self._look)

    def _look(self, play):
        if any(isinstance(action, DrainNode) and action.unmoved for action in play.decided):
            return
        for name in self.least:
            self.least[name] = min(self.least[name], play.swarm.serving(name))


def assert_as_found(play, before):
    """Nothing of ours is left on services and nodes."""
    assert {name: said(one) for name, one in play.swarm.services.items()} == before
    for one in play.swarm.nodes.values():
        assert one.phase not in {LEAVING, HINTED, RETURNING}
        assert one.availability is not Availability.PAUSE
