"""Loans: temporary changes to a service's spec, recorded in a label until they are undone.

Rule: the label contains everything needed to undo the changes, so that the next leader can undo
them. Only the leader's own changes are undone. If someone else has since changed a constraint, an
update setting or the scale, that change stays.
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
from wire.times import plausible

_VERSION: Final = 1
_MOST_REPLICAS: Final = 2**63
_PAUSED: Final = frozenset({"paused", "rollback_paused"})

Purpose = Literal["evacuate", "rebalance"]
_REBALANCE: Final = "spread"
"""The text that stands for the purpose `rebalance` in the label."""


@dataclass(frozen=True, slots=True)
class Loan:
    """The leader's temporary changes to one service, and the previous values."""

    purpose: Purpose
    since: datetime
    away_from: tuple[NodeId, ...] = ()
    """The nodes that the service's tasks must avoid, with one constraint for each node."""
    constraints: tuple[str, ...] = ()
    """The constraints that we added, not including those that the service already had."""
    is_update_lent: bool = False
    own_update: Mapping[str, Any] | None = None
    lent_update: Mapping[str, Any] | None = None
    own_replicas: int | None = None
    lent_replicas: int | None = None
    template: str = ""
    """The service's task template at the time when we added the constraints."""


def is_our_update(service: Service, loan: Loan | None) -> bool:
    """Whether the service's current update, if any, was caused by our constraints.

    If the owner has changed the task template since then, the update belongs to the owner. In that
    case, tasks that are not up are not our replacements.
    """
    return loan is not None and bool(loan.away_from) and loan.template in {"", service.template}


def is_changeable(service: Service, loan: Loan | None) -> bool:
    """Whether we may change the service now; we must not interfere with an update by its owner."""
    return service.is_settled or is_our_update(service, loan)


def is_waiting_for_owner(service: Service, loan: Loan) -> bool:
    """Whether only the owner can end the loan, because the owner's update of the service is paused.

    Any change of the spec would resume the paused update and replace tasks that still serve.
    Therefore, the leader keeps the loan, but nothing else may wait for its end: the owner's next
    update or deployment ends it.
    """
    return service.update_state in _PAUSED and not is_our_update(service, loan)


def loan_of(service: Service) -> Loan | None:
    """Return the changes recorded in a service's label, or None if there is no readable label."""
    text = service.labels.get(LABEL_LOAN)
    return None if text is None else _read(text)


@lru_cache(maxsize=1024)
def _read(text: str) -> Loan | None:
    """Parse a loan label. Results are cached because each decision reads a label several times."""
    try:
        fields = json.loads(text)
        if fields["v"] != _VERSION:
            return None
        own, lent = fields.get("replicas", (None, None))
        return Loan(
            purpose="rebalance" if fields["for"] == _REBALANCE else "evacuate",
            since=plausible(datetime.fromtimestamp(fields["since"], UTC)),
            away_from=tuple(NodeId(node) for node in _texts(fields.get("from", []))),
            constraints=_texts(fields.get("constraints", [])),
            is_update_lent="lent" in fields,
            own_update=_settings(fields.get("own")),
            lent_update=_settings(fields.get("lent")),
            own_replicas=_number(own),
            lent_replicas=_number(lent),
            template=str(fields.get("template", "")),
        )
    # The label may be any text: `since` may be out of range, and nesting may be too deep.
    except (ValueError, LookupError, TypeError, ArithmeticError, OSError, RecursionError):
        return None


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise TypeError("not a list of strings")
    return tuple(value)


def _settings(value: object) -> Mapping[str, Any] | None:
    if value is not None and not isinstance(value, dict):
        raise TypeError("not an object with settings")
    return value


def _number(value: object) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < _MOST_REPLICAS:
        raise TypeError("not a number of replicas")
    return value


def text_of(loan: Loan) -> str:
    """Return the text of the label that records this loan."""
    purpose = _REBALANCE if loan.purpose == "rebalance" else loan.purpose
    fields: dict[str, Any] = {"v": _VERSION, "for": purpose, "since": loan.since.timestamp()}
    if loan.away_from:
        fields |= {"from": loan.away_from, "constraints": loan.constraints}
        fields |= {"template": loan.template} if loan.template else {}
    if loan.is_update_lent:
        fields |= {"own": loan.own_update, "lent": loan.lent_update}
    if loan.own_replicas is not None:
        fields["replicas"] = [loan.own_replicas, loan.lent_replicas]
    return json.dumps(fields, separators=(",", ":"), sort_keys=True)


def keep_away(
    service: Service,
    loan: Loan,
    nodes: tuple[NodeId, ...],
    *,
    order: Literal["start-first", "stop-first"],
    reason: str,
) -> ChangeService:
    """Keep a service off exactly these nodes; its tasks on these nodes all move at the same time.

    In the task template, this update changes only the placement constraints. Therefore, Swarm does
    not restart any other task (swarmkit, IsTaskDirty). The update is set to pause on failure, so
    that the old task keeps serving. Otherwise, Swarm would stop the old task even if the new task
    never came up.
    """
    own = tuple(text for text in service.constraints if text not in loan.constraints)
    ours = tuple(text for text in (f"node.id!={node}" for node in nodes) if text not in own)
    update = {
        "Parallelism": 0,
        "Delay": 0,
        "FailureAction": "pause",
        "Monitor": 1_000_000_000,
        "MaxFailureRatio": 0,
        "Order": order,
    }
    before = loan.away_from
    loan = replace(
        loan,
        away_from=nodes,
        constraints=ours,
        is_update_lent=True,
        own_update=_own_update(service, loan) if loan.is_update_lent else service.update,
        lent_update=update,
        template=service.template,
    )
    return ChangeService(
        service=service.id,
        name=service.name,
        version=service.version,
        constraints=(*own, *ours),
        update=update,
        replicas=service.replicas,
        label=text_of(loan),
        nodes=tuple(dict.fromkeys((*before, *nodes))),
        reason=reason,
    )


def scale(service: Service, loan: Loan, *, reason: str) -> ChangeService:
    """Scale a service to the number of replicas that the loan specifies."""
    return ChangeService(
        service=service.id,
        name=service.name,
        version=service.version,
        constraints=service.constraints,
        update=service.update,
        replicas=loan.lent_replicas if loan.lent_replicas is not None else service.replicas,
        label=text_of(loan),
        reason=reason,
    )


def restore_all_but_scale(service: Service, loan: Loan, *, reason: str) -> ChangeService:
    """Undo our changes, but leave the number of replicas for rebalancing to restore later."""
    rest = replace(
        loan,
        purpose="rebalance",
        away_from=(),
        constraints=(),
        is_update_lent=False,
        own_update=None,
        lent_update=None,
        template="",
    )
    change = restore(service, replace(loan, own_replicas=None), reason=reason)
    return replace(change, label=text_of(rest))


def restore(service: Service, loan: Loan, *, reason: str) -> ChangeService:
    """Undo all our changes, but keep changes that someone else has made since."""
    update = _own_update(service, loan) if loan.is_update_lent else service.update
    replicas = service.replicas
    if loan.own_replicas is not None and service.replicas == loan.lent_replicas:
        replicas = loan.own_replicas
    return ChangeService(
        service=service.id,
        name=service.name,
        version=service.version,
        constraints=tuple(text for text in service.constraints if text not in loan.constraints),
        update=update,
        replicas=replicas,
        label=None,
        nodes=loan.away_from,
        reason=reason,
    )


def _own_update(service: Service, loan: Loan) -> Mapping[str, Any] | None:
    """Return the owner's update settings, including changes made since we set our values.

    For example, `docker service update --update-delay` changes one setting and keeps our values for
    the other settings. The engine omits settings that are zero.
    """
    now, lent, own = service.update or {}, loan.lent_update or {}, loan.own_update or {}
    changed = {key for key in {*now, *lent} if (now.get(key) or 0) != (lent.get(key) or 0)}
    if not changed:
        return loan.own_update
    unchanged = {key: value for key, value in own.items() if key not in changed}
    return unchanged | {key: now[key] for key in changed if key in now}
