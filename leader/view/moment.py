"""One moment of deciding: everything that a decision or a report reads."""

from dataclasses import dataclass
from datetime import datetime

from leader.view.model import Policy, View


@dataclass(frozen=True, slots=True)
class Moment:
    """What is known and wanted at one time."""

    view: View
    policy: Policy
    at: datetime
    is_work_new: bool = False
    """Services and tasks have just been listed, so new moves may be planned."""
