"""A leader that is given both lists again and again."""

from dataclasses import replace
from datetime import timedelta

from builders import NOW, POLICY, SECOND, instance, view
from swarm_model import QUIET, worker

from leader.decide import decide
from leader.view.actions import ListInstances, RemoveNode, TerminateInstance
from leader.view.events import Done, InstancesListed, NodesListed, Ticked

MINUTE = timedelta(minutes=1)
PERIOD = 10 * SECOND
REMOVALS = RemoveNode | TerminateInstance


class Watch:
    """A leader that is given both lists again and again."""

    def __init__(self, nodes=(1, 2, 3), *, policy=POLICY):
        self.at = NOW
        self.policy = policy
        self.view = replace(view(), tokens=QUIET, nodes_at=None)
        self.nodes = {number: worker(number) for number in nodes}
        self.instances = {number: instance(f"i-{number}") for number in nodes}
        self.decided = []
        self.does = True

    def hear(self, event):
        self.view, actions = decide(self.view, event, self.policy)
        self.decided += actions
        for action in actions:
            if isinstance(action, REMOVALS) and not self.does:
                continue
            if isinstance(action, ListInstances):
                # Its answer is the next look.
                rest = self.view.in_flight - {action.subject}
                self.view = replace(self.view, in_flight=rest)
                continue
            if isinstance(action, RemoveNode):
                self.nodes = {n: one for n, one in self.nodes.items() if one.id != action.node}
            if isinstance(action, TerminateInstance):
                self.instances = {
                    n: replace(one, state="shutting-down") if one.id == action.instance else one
                    for n, one in self.instances.items()
                }
            self.hear(Done("done", self.at, action))

    def look(self, times=1, *, nodes=True, instances=True, every=PERIOD):
        for _ in range(times):
            if nodes:
                self.hear(NodesListed("nodes", self.at, tuple(self.nodes.values())))
            if instances:
                self.hear(InstancesListed("ec2", self.at, tuple(self.instances.values())))
            self.hear(Ticked("tick", self.at))
            self.at += every
        return self

    def goes_down(self, *numbers):
        for number in numbers:
            self.nodes[number] = replace(self.nodes[number], status="down")
        return self

    def dies(self, *numbers):
        for number in numbers:
            self.instances.pop(number, None)
        return self.goes_down(*numbers)

    def ends(self, *numbers):
        """EC2 itself calls these terminated, and goes on listing them."""
        for number in numbers:
            self.instances[number] = replace(self.instances[number], state="terminated")
        return self.goes_down(*numbers)

    def of(self, kind):
        return [action for action in self.decided if isinstance(action, kind)]
