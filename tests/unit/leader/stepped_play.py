"""A play whose leader runs on a machine with a clock that somebody sets, forward and backward."""

from dataclasses import replace

from builders import SECOND
from leader_play import Play

from leader.term.timeline import Timeline
from leader.view.events import Done, Failed, NodesListed, WorkListed


class SteppedPlay(Play):
    """`steps`: how far the machine's clock is off from that second of the play on.

    The leader's own time goes on. Swarm dates nodes and tasks by the machine's clock, and labels
    hold the dates that the machine's clock showed; AWS and agents have the true time.
    """

    def __init__(self, swarm, *, steps, **said):
        self.steps = dict(sorted(steps.items()))
        self.timeline = Timeline()
        apply = swarm.apply
        swarm.apply = lambda action: apply(self.timeline.sent(action, self.step_at(swarm.at)))
        super().__init__(swarm, **said)

    def lead(self):
        self.timeline = Timeline()
        super().lead()

    def step_at(self, when):
        """How far the machine's clock is off at a true time."""
        passed = (when - self.swarm.at) // SECOND + self.second
        reached = [off for second, off in self.steps.items() if second <= passed]
        return (reached[-1] if reached else 0) * SECOND

    def dated(self, one):
        return replace(one, created=one.created + self.step_at(one.created))

    def tell(self, kind, *values, **named):
        at, step = self.swarm.at, self.step_at(self.swarm.at)
        if kind is NodesListed:
            values = (tuple(map(self.dated, values[0])),)
        if kind is WorkListed:
            values = (values[0], tuple(map(self.dated, values[1])))
        if kind not in {Done, Failed}:
            event = self.timeline.received(kind("e", at, *values, **named), step)
            fields = {name: getattr(event, name) for name in event.__slots__}
            del fields["id"], fields["at"]
            values, named = (), fields
        super().tell(kind, *values, **named)
