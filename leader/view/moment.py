"""The input for a decision or report: the view, the policy and the time."""

from dataclasses import dataclass
from datetime import datetime

from leader.view.model import Policy, View


@dataclass(frozen=True, slots=True)
class Moment:
    """The view and the policy at a given time."""

    view: View
    policy: Policy
    at: datetime
    is_work_new: bool = False
    """Whether services and tasks have just been listed, so that new moves may be planned."""
