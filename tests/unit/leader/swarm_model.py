"""A swarm in memory, as far as our decisions affect it: what users, we and AWS do to it.

What Swarm does by itself is in `swarm_orchestration`. One second is one step; no clock is read.
"""

from dataclasses import replace
from itertools import count

from builders import NOW, SECOND, instance, node
from swarm_orchestration import OVER, Orchestration, task

from leader.view.actions import (
    ActivateNode,
    ChangeService,
    DemoteNode,
    DrainNode,
    LabelNode,
    OrderLeave,
    PauseNode,
    PromoteNode,
    RemoveNode,
    SettleNode,
    TerminateInstance,
)
from leader.view.ids import InstanceId, ServiceId
from leader.view.model import Tokens
from leader.view.work import Service
from wire.labels import PHASE_LABELS
from wire.messages import Availability, Role

__all__ = ["QUIET", "Swarm", "service", "task", "worker"]
QUIET = Tokens(worker_rotated=NOW)


def worker(number, **said):
    """A worker bound to its instance."""
    labels = {"spotswarm.instance": f"i-{number}"} | said.pop("labels", {})
    return node(f"n-{number}", labels=labels, **said)


def service(name="web", **said):
    fields = {
        "id": ServiceId(name),
        "name": name,
        "version": 1,
        "replicas": 2,
        "update_state": "",
        "labels": {},
    }
    return Service(**(fields | said))


class Swarm(Orchestration):
    """Nodes, services and tasks; `fate` is what becomes of tasks that start from now on."""

    def __init__(self, nodes, services):
        self.now = 0
        self.numbers = count(1)
        self.nodes = {one.id: one for one in nodes}
        self.instances = {
            InstanceId(one.instance): instance(one.instance, address=one.address)
            for one in nodes
            if one.instance
        }
        self.services, self.tasks, self.made, self.images = {}, {}, {}, {}
        self.updates, self.dying = {}, {}
        self.fate = "up"
        self.broken = set()
        """Nodes on which every task that starts from now on fails."""
        self.has_room = True
        self.is_spiteful = False
        """Of equals, the one we would rather keep is taken."""
        self.is_deaf = False
        """Agents do not leave when they are told to."""
        self.luck = 0
        """So many more tasks come up, whatever the fate."""
        self.start_seconds = 2
        for one in services:
            self.create(one)
        for _ in range(6):
            self.tick()

    @property
    def at(self):
        return NOW + self.now * SECOND

    # What the user does.

    def create(self, made):
        self.services[made.id] = replace(made, template="image 1")
        self.images[made.id] = 1
        self._reconcile(made.id)

    def user_changes(self, name, *, image=False, **fields):
        self.images[name] += image
        self._change(name, template=f"image {self.images[name]}", **fields)

    # What we do.

    def apply(self, action):
        """Carry an action out; False if the engine would refuse it."""
        match action:
            case ChangeService(service=name):
                held = self.services.get(name)
                if held is None or held.version != action.version:
                    return False
                labels = {key: one for key, one in held.labels.items() if key != "spotswarm.loan"}
                self._change(
                    name,
                    constraints=action.constraints,
                    update=action.update,
                    replicas=action.replicas,
                    labels=labels | ({"spotswarm.loan": action.label} if action.label else {}),
                )
            case TerminateInstance(instance=name):
                self._end(name)
            case OrderLeave(node=name):
                if not self.is_deaf:
                    self._node(name, status="down")
            case RemoveNode(node=name, by_force=by_force):
                held = self.nodes.get(name)
                if held is not None and held.is_ready and not by_force:
                    return False
                self.nodes.pop(name, None)
            case (
                LabelNode(node=name)
                | ActivateNode(node=name)
                | PauseNode(node=name)
                | DrainNode(node=name)
                | DemoteNode(node=name)
                | PromoteNode(node=name)
                | SettleNode(node=name)
            ):
                if name not in self.nodes:
                    return False
                self._node(name, **_changed(self.nodes[name], action))
                if isinstance(action, ActivateNode):
                    self._enforce(name)
        return True

    # What AWS does.

    def take(self, name):
        """The instance dies now; the swarm hears of it later."""
        self.instances.pop(name, None)
        self._lose(name)

    def _end(self, name):
        if name in self.instances:
            self.instances[name] = replace(self.instances[name], state="shutting-down")
        self._lose(name)

    def _lose(self, name):
        for one in list(self.nodes.values()):
            if one.instance == name:
                self.dying.setdefault(one.id, self.now + 4)

    # What can be seen.

    def listed(self):
        """Services and tasks, as the leader's edge tells them."""
        shown = [
            one
            for one in self.tasks.values()
            if one.state not in OVER or one.state in {"failed", "rejected", "complete"}
        ]
        return tuple(self.services.values()), tuple(shown)

    def serving(self, name):
        """How many slots of a service have a task that is up, and wanted."""
        return len(
            {
                one.slot
                for one in self.tasks.values()
                if one.service == name and one.is_wanted and one.is_up and self._lives(one.node)
            }
        )

    def spread_of(self, name):
        """Up tasks on each node that takes tasks, the most first."""
        held = [
            sum(
                1
                for one in self.tasks.values()
                if one.service == name and one.node == there and one.is_wanted and one.is_up
            )
            for there, known in self.nodes.items()
            if known.takes_tasks
        ]
        return sorted(held, reverse=True)

    def up(self, name):
        return {
            one.id
            for one in self.tasks.values()
            if one.service == name and one.is_wanted and one.is_up
        }

    # How Swarm works.

    def tick(self):
        """Let a second pass."""
        self.now += 1
        for name, when in list(self.dying.items()):
            if self.now >= when:
                del self.dying[name]
                if name in self.nodes:
                    self._node(name, status="down")
        self._progress()
        self._restart()
        for name in list(self.updates):
            self._update(name)
        self._schedule()

    def _node(self, name, **fields):
        self.nodes[name] = replace(self.nodes[name], **fields)

    def _change(self, name, **fields):
        held = self.services[name]
        self.services[name] = replace(
            held, **{"version": held.version + 1, "update_state": ""} | fields
        )
        self.updates.pop(name, None)
        self._reconcile(name)


def _changed(known, action):
    labels = dict(known.labels)
    match action:
        case LabelNode() | SettleNode():
            return {"labels": labels | action.labels}
        case PauseNode():
            kept = known.availability if action.is_drained else Availability.PAUSE
            return {"labels": labels | action.labels, "availability": kept}
        case ActivateNode():
            rest = {key: one for key, one in labels.items() if key not in PHASE_LABELS}
            kept = known.availability if action.is_drained else Availability.ACTIVE
            return {"labels": rest, "availability": kept}
        case DrainNode():
            return {"availability": Availability.DRAIN}
        case DemoteNode():
            return {"role": Role.WORKER, "is_leader": False, "reachability": None}
    return {"role": Role.MANAGER, "reachability": "reachable"}
