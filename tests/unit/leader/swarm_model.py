"""A swarm in memory, as far as our decisions meet it.

It does what swarmkit does (manager/orchestrator: replicated/services.go, update/updater.go,
restart/restart.go; manager/scheduler): new tasks go where fewest of the service are; a constraint
makes only tasks on nodes it forbids dirty; scaling down goes by a task's number on its node; a
drain stops a task before it starts another. One second is one step; nothing reads a clock.
"""

from dataclasses import dataclass, field, replace
from itertools import count

from builders import NOW, SECOND, instance, node

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
from leader.view.ids import InstanceId, NodeId, ServiceId, TaskId
from leader.view.model import Tokens
from leader.view.work import Service, Task
from wire.constraints import satisfies
from wire.labels import PHASE_LABELS
from wire.messages import Availability, Role

OVER = {"complete", "shutdown", "failed", "rejected", "remove", "orphaned"}
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


def task(name, of="web", on="n-1", **said):
    fields = {
        "id": TaskId(name),
        "service": ServiceId(of),
        "slot": 1,
        "node": NodeId(on) if on else None,
        "state": "running",
        "desired": "running",
        "created": NOW,
    }
    return Task(**(fields | said))


@dataclass
class _Update:
    """One updater at work; a new one for each change of the service."""

    pending: list[int]
    waiting: dict[int, tuple[TaskId, tuple[Task, ...]]] = field(default_factory=dict)
    """By slot: the new task, and the ones it replaces."""
    quiet: int = 0


@dataclass
class _Made:
    """What a task was made from, and what it waits for."""

    image: int
    placement: tuple[str, ...]
    since: int
    after: TaskId | None = None
    not_before: int = 0


class Swarm:
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
            if one.state not in OVER or one.state in {"failed", "rejected"}
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

    def _lives(self, name):
        known = self.nodes.get(name)
        return known is not None and known.is_ready and name not in self.dying

    def _change(self, name, **fields):
        held = self.services[name]
        self.services[name] = replace(
            held, **{"version": held.version + 1, "update_state": ""} | fields
        )
        self.updates.pop(name, None)
        self._reconcile(name)

    def _state(self, name, state):
        held = self.services[name]
        if held.update_state != state:
            self.services[name] = replace(held, update_state=state, version=held.version + 1)

    def _runnable(self, name):
        slots = {}
        for one in self.tasks.values():
            if one.service == name and one.desired in {"ready", "running"}:
                slots.setdefault(one.slot, []).append(one)
        return slots

    def _reconcile(self, name):
        held = self.services[name]
        if held.mode == "global":
            self._cover(held)
            return
        if held.mode != "replicated":
            return
        slots = self._runnable(name)
        kept = list(slots)
        if held.replicas < len(slots):
            kept = self._in_order(slots)
            for slot in kept[held.replicas :]:
                for one in slots[slot]:
                    self._want(one, "remove")
            kept = kept[: held.replicas]
        dirty = [slot for slot in kept if len(slots[slot]) > 1 or self._is_dirty(slots[slot][0])]
        if dirty:
            self.updates[name] = _Update(dirty)
        missing = held.replicas - len(slots)
        free = (slot for slot in count(1) if slot not in slots)
        for _ in range(missing):
            self._make(held, next(free))

    def _cover(self, held):
        running = {one.node for one in self.tasks.values() if one.service == held.id}
        for known in self.nodes.values():
            if known.takes_tasks and known.id not in running:
                self._make(held, 0, on=known.id)

    def _in_order(self, slots):
        """Slots in the order they are kept: by a task's number on its node, the lone ones last."""
        numbers, indexed = {}, []
        for slot in sorted(slots, key=lambda one: not any(t.is_up for t in slots[one])):
            tasks = slots[slot]
            index = 10_000
            if len(tasks) == 1 and tasks[0].node is not None:
                index = numbers[tasks[0].node] = numbers.get(tasks[0].node, 0) + 1
            is_up = any(one.is_up for one in tasks)
            indexed.append((index, is_up if self.is_spiteful else not is_up, slot))
        return [slot for _, _, slot in sorted(indexed)]

    def _is_dirty(self, one):
        held, made = self.services[one.service], self.made[one.id]
        if made.image != self.images[one.service]:
            return True
        if made.placement == held.constraints:
            return False
        known = self.nodes.get(one.node)
        return known is None or not satisfies(known, held.constraints)

    def _make(self, held, slot, *, on=None, desired="running", after=None, not_before=0):
        name = TaskId(f"{held.name}-{next(self.numbers)}")
        self.made[name] = _Made(self.images[held.id], held.constraints, self.now, after, not_before)
        self.tasks[name] = task(
            name,
            held.id,
            on,
            slot=slot,
            state="assigned" if on else "pending",
            desired=desired,
            created=self.at,
        )
        return name

    def _set(self, one, state):
        self.tasks[one.id] = replace(self.tasks[one.id], state=state)
        self.made[one.id].since = self.now

    def _want(self, one, desired):
        self.tasks[one.id] = replace(self.tasks[one.id], desired=desired)
        self.made[one.id].since = self.now

    def _progress(self):
        for one in list(self.tasks.values()):
            made = self.made[one.id]
            known = self.nodes.get(one.node)
            waited = self.now - made.since
            if one.node is not None and known is None and one.state not in OVER:
                self._set(one, "orphaned")
            elif one.desired in {"shutdown", "remove"}:
                if one.node is None or (waited >= 2 and one.state not in OVER and known.is_ready):
                    self._set(one, "shutdown")
            elif one.desired == "ready":
                before = self.tasks.get(made.after)
                if self.now >= made.not_before and (
                    before is None or before.state in OVER or not self._lives(before.node)
                ):
                    self._want(one, "running")
            elif (
                one.state in {"assigned", "preparing"}
                and known.is_ready
                and waited >= self.start_seconds
            ):
                ends = {"up": "running", "hang": "preparing", "fail": "failed"}
                fate = "up" if self.luck else self.fate
                self.luck = max(0, self.luck - 1)
                self._set(one, ends[fate])
                if fate == "fail":
                    self.tasks[one.id] = replace(self.tasks[one.id], trouble="exit 1")

    def _restart(self):
        for one in list(self.tasks.values()):
            if one.desired not in {"ready", "running"} or one.node is None:
                continue
            known = self.nodes.get(one.node)
            is_lost = known is None or known.status == "down"
            is_drained = known is not None and known.availability is Availability.DRAIN
            if not (one.state in OVER or is_lost or is_drained):
                continue
            self._want(one, "shutdown")
            held = self.services[one.service]
            if held.mode == "global":
                continue
            self._make(
                held,
                one.slot,
                desired="ready",
                after=None if is_lost or one.state in OVER else one.id,
                not_before=self.now + (0 if is_drained else 5),
            )

    def _update(self, name):
        held, work = self.services[name], self.updates[name]
        if held.update_state != "paused":
            self._state(name, "updating")
        said = held.update or {"Parallelism": 1}
        is_start_first = said.get("Order") == "start-first"
        for slot, (new, replaced) in list(work.waiting.items()):
            made = self.tasks[new]
            if made.state == "running" and is_start_first:
                for old in replaced:
                    if self.tasks[old.id].desired in {"ready", "running"}:
                        self._want(self.tasks[old.id], "shutdown")
            if made.state in OVER | {"running"} or made.desired in {"shutdown", "remove"}:
                del work.waiting[slot]
                if made.state == "failed" and said.get("FailureAction", "pause") == "pause":
                    # What has begun goes on; nothing more begins.
                    self._state(name, "paused")
                    work.pending.clear()
        most = said.get("Parallelism", 0) or 10_000
        while work.pending and len(work.waiting) < most:
            self._begin(held, work, work.pending.pop(0), is_start_first=is_start_first)
        work.quiet = 0 if work.pending or work.waiting else work.quiet + 1
        if work.quiet >= 2:
            del self.updates[name]
            if self.services[name].update_state != "paused":
                self._state(name, "completed")

    def _begin(self, held, work, slot, *, is_start_first):
        tasks = self._runnable(held.id).get(slot, [])
        clean = [one for one in tasks if not self._is_dirty(one)]
        if self.is_spiteful:
            clean.sort(key=lambda one: one.is_up)
        if clean:
            for one in tasks:
                if one.id != clean[0].id:
                    self._want(one, "shutdown")
            return
        if not is_start_first:
            for one in tasks:
                self._want(one, "shutdown")
        after = None if is_start_first or not tasks else tasks[0].id
        new = self._make(held, slot, desired="ready", after=after)
        work.waiting[slot] = (new, tuple(tasks))

    def _schedule(self):
        for held in self.services.values():
            if held.mode == "global":
                self._cover(held)
        for one in list(self.tasks.values()):
            if one.node is not None or one.desired not in {"ready", "running"}:
                continue
            placement = self.made[one.id].placement
            fit = [
                known.id
                for known in self.nodes.values()
                if known.takes_tasks and satisfies(known, placement)
            ]
            if not fit or not self.has_room:
                continue
            there = min(fit, key=lambda name: self._load(name, one.service))
            self.tasks[one.id] = replace(one, node=there, state="assigned")
            self.made[one.id].since = self.now

    def _load(self, name, of):
        here = [
            one
            for one in self.tasks.values()
            if one.node == name and one.desired in {"ready", "running"}
        ]
        return sum(1 for one in here if one.service == of), len(here), name

    def _enforce(self, name):
        for one in list(self.tasks.values()):
            if one.node == name and one.desired == "running" and one.state not in OVER:
                held = self.services[one.service]
                if not satisfies(self.nodes[name], held.constraints):
                    self._set(one, "rejected")


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
            return {"labels": rest, "availability": Availability.ACTIVE}
        case DrainNode():
            return {"availability": Availability.DRAIN}
        case DemoteNode():
            return {"role": Role.WORKER, "is_leader": False, "reachability": None}
    return {"role": Role.MANAGER, "reachability": "reachable"}
