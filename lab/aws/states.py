"""Which state changes of an instance EventBridge tells of. Pure.

Rule: moto has an instance running, stopped or terminated at once, where EC2 lets it pass through
the states between. They are told here, timed by what the machine really does.
"""

from typing import Final

from lab.machines.record import Stage

_WAYS: Final = {
    "pending": ("pending",),
    "running": ("pending", "running"),
    "stopping": ("stopping",),
    "stopped": ("stopping", "stopped"),
    "shutting-down": ("shutting-down",),
    "terminated": ("shutting-down", "terminated"),
}


def passed(told: str | None, state: str, stage: Stage | None) -> tuple[str, ...]:
    """The states an instance came through since the one told last, to where it is now."""
    now = _now(told, state, stage)
    way = _WAYS[now]
    if told == now:
        return ()
    if told == "stopping" and now in ("pending", "running"):
        # Started again before anybody looked.
        return ("stopped", *way)
    return way[way.index(told) + 1 :] if told in way else way


def _now(told: str | None, state: str, stage: Stage | None) -> str:
    """What EC2 would say, from moto's state and how far the machine is."""
    is_on = stage not in (None, Stage.LAUNCHED, Stage.STOPPED)
    match state:
        case "pending" | "running":
            # A reboot is no change of state.
            return "running" if is_on or told == "running" else "pending"
        case "stopping" | "stopped":
            return "stopping" if is_on else "stopped"
        case _:
            return "terminated" if stage is None else "shutting-down"
