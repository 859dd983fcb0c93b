"""What is borrowed of a service's spec, kept as a label of that very spec until it is given back.

Rule: the label holds all that is needed to give back, so the next leader can. Only what we lent is
taken away: a constraint, an update setting or a scale that a person changed meanwhile stays his.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, Literal

from leader.view.actions import ChangeService
from leader.view.ids import NodeId
from leader.view.work import Service
from wire.labels import LABEL_LOAN

_VERSION: Final = 1

Purpose = Literal["evacuate", "spread"]


@dataclass(frozen=True, slots=True)
class Loan:
    """What we added to one service, and what was there before."""

    purpose: Purpose
    since: datetime
    away_from: tuple[NodeId, ...] = ()
    """The nodes its tasks are kept from, by a constraint of ours each."""
    constraints: tuple[str, ...] = ()
    """Those constraints that were not the service's own."""
    is_update_lent: bool = False
    own_update: Mapping[str, Any] | None = None
    lent_update: Mapping[str, Any] | None = None
    own_replicas: int | None = None
    lent_replicas: int | None = None
    template: str = ""
    """What its tasks were made of when its constraints were lent."""


def is_ours(service: Service, loan: Loan | None) -> bool:
    """Whether an update of the service that is under way is the one we lent constraints for.

    Not if its owner has changed what its tasks are made of since: then it is his, and the tasks
    that are not up are not replacements of ours.
    """
    return loan is not None and bool(loan.away_from) and loan.template in {"", service.template}


def loan_of(service: Service) -> Loan | None:
    """The loan written on a service; one that cannot be read counts as none."""
    text = service.labels.get(LABEL_LOAN)
    return None if text is None else _read(text)


@lru_cache(maxsize=1024)
def _read(text: str) -> Loan | None:
    """Kept in mind: every decision asks for each of them more than once."""
    try:
        held = json.loads(text)
        if held["v"] != _VERSION:
            return None
        own, lent = held.get("replicas", (None, None))
        return Loan(
            purpose="spread" if held["for"] == "spread" else "evacuate",
            since=datetime.fromtimestamp(held["since"], UTC),
            away_from=tuple(NodeId(one) for one in _texts(held.get("from", []))),
            constraints=_texts(held.get("constraints", [])),
            is_update_lent="lent" in held,
            own_update=_settings(held.get("own")),
            lent_update=_settings(held.get("lent")),
            own_replicas=_number(own),
            lent_replicas=_number(lent),
            template=str(held.get("template", "")),
        )
    except (ValueError, KeyError, TypeError, OverflowError, OSError):
        return None


def _texts(held: object) -> tuple[str, ...]:
    if not isinstance(held, list) or not all(isinstance(one, str) for one in held):
        raise TypeError("not a list of texts")
    return tuple(held)


def _settings(held: object) -> Mapping[str, Any] | None:
    if held is not None and not isinstance(held, dict):
        raise TypeError("not settings")
    return held


def _number(held: object) -> int | None:
    if held is not None and not isinstance(held, int):
        raise TypeError("not a number")
    return held


def text_of(loan: Loan) -> str:
    """The label's value."""
    held: dict[str, Any] = {"v": _VERSION, "for": loan.purpose, "since": loan.since.timestamp()}
    if loan.away_from:
        held |= {"from": loan.away_from, "constraints": loan.constraints}
        held |= {"template": loan.template} if loan.template else {}
    if loan.is_update_lent:
        held |= {"own": loan.own_update, "lent": loan.lent_update}
    if loan.own_replicas is not None:
        held["replicas"] = [loan.own_replicas, loan.lent_replicas]
    return json.dumps(held, separators=(",", ":"), sort_keys=True)


def keep_away(
    service: Service,
    loan: Loan,
    nodes: tuple[NodeId, ...],
    *,
    order: Literal["start-first", "stop-first"],
    reason: str,
    cause: str,
) -> ChangeService:
    """Keep a service's tasks from exactly these nodes; what of it runs there moves, all at once.

    Placement constraints alone make no other task dirty (swarmkit, IsTaskDirty), and the update
    settings are no part of a task: so nothing else of the spec may change in the same update.
    An update that goes on after a failure ends with the old task stopped for one that never came
    up, so it pauses instead; then the old one serves on.
    """
    own = tuple(one for one in service.constraints if one not in loan.constraints)
    ours = tuple(one for one in (f"node.id!={node}" for node in nodes) if one not in own)
    lent = {
        "Parallelism": 0,
        "Delay": 0,
        "FailureAction": "pause",
        "Monitor": 1_000_000_000,
        "MaxFailureRatio": 0,
        "Order": order,
    }
    loan = replace(
        loan,
        away_from=nodes,
        constraints=ours,
        is_update_lent=True,
        own_update=_own_update(service, loan) if loan.is_update_lent else service.update,
        lent_update=lent,
        template=service.template,
    )
    return ChangeService(
        service=service.id,
        name=service.name,
        version=service.version,
        constraints=(*own, *ours),
        update=lent,
        replicas=service.replicas,
        label=text_of(loan),
        reason=reason,
        cause=cause,
    )


def scale(service: Service, loan: Loan, *, reason: str, cause: str) -> ChangeService:
    """Set the scale the loan lends."""
    return ChangeService(
        service=service.id,
        name=service.name,
        version=service.version,
        constraints=service.constraints,
        update=service.update,
        replicas=loan.lent_replicas if loan.lent_replicas is not None else service.replicas,
        label=text_of(loan),
        reason=reason,
        cause=cause,
    )


def hand_on(service: Service, loan: Loan, *, reason: str, cause: str) -> ChangeService:
    """Give back all but the scale, which spreading lent and takes back with its own care."""
    rest = replace(
        loan,
        purpose="spread",
        away_from=(),
        constraints=(),
        is_update_lent=False,
        own_update=None,
        lent_update=None,
        template="",
    )
    change = give_back(service, replace(loan, own_replicas=None), reason=reason, cause=cause)
    return replace(change, label=text_of(rest))


def give_back(service: Service, loan: Loan, *, reason: str, cause: str) -> ChangeService:
    """Take all of ours away; what somebody else changed meanwhile stays as he made it."""
    update = _own_update(service, loan) if loan.is_update_lent else service.update
    replicas = service.replicas
    if loan.own_replicas is not None and service.replicas == loan.lent_replicas:
        replicas = loan.own_replicas
    return ChangeService(
        service=service.id,
        name=service.name,
        version=service.version,
        constraints=tuple(one for one in service.constraints if one not in loan.constraints),
        update=update,
        replicas=replicas,
        label=None,
        reason=reason,
        cause=cause,
    )


def _own_update(service: Service, loan: Loan) -> Mapping[str, Any] | None:
    """His settings, each: `docker service update --update-delay` leaves the others as we lent them.

    The engine leaves zero values out.
    """
    now, lent, own = service.update or {}, loan.lent_update or {}, loan.own_update or {}
    changed = {key for key in {*now, *lent} if (now.get(key) or 0) != (lent.get(key) or 0)}
    if not changed:
        return loan.own_update
    kept = {key: value for key, value in own.items() if key not in changed}
    return kept | {key: now[key] for key in changed if key in now}
