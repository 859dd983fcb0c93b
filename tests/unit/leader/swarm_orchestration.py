"""How swarmkit keeps services running: tasks are made, placed, started, replaced and updated.

The model is swarmkit's manager/orchestrator (replicated/services.go, update/updater.go and
restart/restart.go) and manager/scheduler. New tasks go to the node with the fewest tasks of their
service. A constraint makes only tasks on nodes that it forbids dirty. Scaling down goes by a task's
number on its node. A drain stops a task before another starts.
"""

from dataclasses import dataclass, field, replace
from itertools import count

from builders import NOW

from leader.view.ids import NodeId, ServiceId, TaskId
from leader.view.work import Task
from wire.constraints import satisfies
from wire.messages import Availability

OVER = {"complete", "shutdown", "failed", "rejected", "remove", "orphaned"}


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


class Orchestration:
    """The part of a swarm in memory that acts by itself; `swarm_model.Swarm` holds the state."""

    def _lives(self, name):
        known = self.nodes.get(name)
        return known is not None and known.is_ready and name not in self.dying

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
                ends = {"up": "running", "hang": "preparing", "fail": "failed", "end": "complete"}
                fate = "up" if self.luck else self.fate
                self.luck = max(0, self.luck - 1)
                if one.node in self.broken:
                    fate = "fail"
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
                if (
                    made.state in {"failed", "complete"}
                    and said.get("FailureAction", "pause") == "pause"
                ):
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
                if known.takes_tasks
                and satisfies(known, placement)
                and self._is_allowed(known.id, self.services[one.service])
            ]
            if not fit or not self.has_room:
                continue
            there = min(fit, key=lambda name: self._load(name, one.service))
            self.tasks[one.id] = replace(one, node=there, state="assigned")
            self.made[one.id].since = self.now

    def _is_allowed(self, name, held):
        return not held.most_per_node or self._load(name, held.id)[0] < held.most_per_node

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
