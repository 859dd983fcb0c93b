"""A play whose leader runs on a machine with a clock that somebody sets, forward and backward."""

from dataclasses import replace

from builders import SECOND
from leader_play import Play

from leader.term.timeline import Timeline
from leader.view.events import Done, Failed, NodesListed, WorkListed


class SteppedPlay(Play):
    """`steps`: how far the machine's clock is off from that second of the play on.

    Swarm dates nodes and tasks by the machine's clock, and labels hold the dates that it showed;
    AWS and agents have the true time. The leader has its own time, unless it `believes` the clock
    as commit 4e7e551 did.
    """

    def __init__(self, swarm, *, steps, believes=False, **said):
        self.steps = dict(sorted(steps.items()))
        self.believes = believes
        self.timeline = Timeline()
        self._apply, swarm.apply = swarm.apply, self._sent
        super().__init__(swarm, **said)

    @property
    def leaders_at(self):
        return self.swarm.at + (self.step_at(self.swarm.at) if self.believes else 0 * SECOND)

    def lead(self):
        self.timeline = Timeline()
        super().lead()

    def step_at(self, when):
        """How far the machine's clock is off at a true time."""
        passed = (when - self.swarm.at) // SECOND + self.second
        reached = [off for second, off in self.steps.items() if second <= passed]
        return (reached[-1] if reached else 0) * SECOND

    def _sent(self, action):
        if not self.believes:
            action = self.timeline.sent(action, self.step_at(self.swarm.at))
        return self._apply(action)

    def _dated(self, one):
        return replace(one, created=one.created + self.step_at(one.created))

    def tell(self, kind, *values, **named):
        if kind is NodesListed:
            values = (tuple(map(self._dated, values[0])),)
        if kind is WorkListed:
            values = (values[0], tuple(map(self._dated, values[1])))
        if kind not in {Done, Failed} and not self.believes:
            step = self.step_at(self.swarm.at)
            event = self.timeline.received(kind("e", self.leaders_at, *values, **named), step)
            named = {name: getattr(event, name) for name in event.__slots__}
            del named["id"], named["at"]
            values = ()
        super().tell(kind, *values, **named)
