"""One leader whose decisions are carried out at once, and the notices that it hears."""

from dataclasses import replace
from datetime import timedelta

from builders import NOW, POLICY, instance, view
from swarm_model import QUIET, worker

from leader.decide import decide
from leader.view.events import Done, Noticed, Ticked
from leader.view.notices import Notice

MINUTE = timedelta(minutes=1)
DEADLINE = NOW + 2 * MINUTE


def notice(kind="interruption", who="i-1", **said):
    fields = {"instance": who, "kind": kind, "source": "queue", "announced_at": NOW}
    if kind == "interruption":
        fields |= {"deadline": DEADLINE, "action": "terminate"}
    return Notice(**(fields | said))


def cluster(*nodes, **said):
    nodes = nodes or tuple(worker(number) for number in range(1, 5))
    fields = {
        "instances": {one.instance: instance(one.instance) for one in nodes if one.instance},
        "instances_at": NOW,
        "tokens": QUIET,
    }
    return view(*nodes, **(fields | said))


class Term:
    """One leader's view, each action done as soon as it is decided, if it is to be."""

    def __init__(self, known=None, *, is_busy=False):
        self.view = known or cluster()
        self.is_busy = is_busy
        self.decided = []

    def hear(self, *events):
        for event in events:
            self.view = replace(self.view, nodes_at=event.at, instances_at=event.at)
            self.view, actions = decide(self.view, event, POLICY)
            self.decided += actions
            if not self.is_busy:
                self.hear(*(Done("done", event.at, action) for action in actions))
        return self

    def notice(self, said, receipt=None, *, at=NOW, **more):
        return self.hear(Noticed("e-1", at, said, receipt, **more))

    def tick(self, at):
        return self.hear(Ticked("tick", at))

    def of(self, kind):
        return [action for action in self.decided if isinstance(action, kind)]

    def phase(self, name="n-1"):
        return self.view.nodes[name].phase


def hint(number, **said):
    return notice("rebalance", f"i-{number}", **said)
