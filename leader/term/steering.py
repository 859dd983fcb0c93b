"""Checks each of the operator's commands, and either rejects it or turns it into an event.

Rule: do not carry out commands here. Base the plan for each command on the current view. If a
command can be carried out, put an event into the inbox; `decide` makes the final decision. Every
command returns None if this daemon is not the active leader.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any, Final

from leader.report import progress as departures
from leader.report.plans import (
    DrainPlan,
    ReturnPlan,
    drain_plan,
    rebalance_plans,
    rebalance_waits_for,
    return_plan,
)
from leader.view.events import DrainAsked, Event, RebalanceAsked, ReturnAsked
from leader.view.model import Policy, View
from leader.view.moment import Moment
from leader.view.refusal import Refusal
from runtime import clock

_LISTED_WITHIN_SECONDS: Final = 3.0
"""The maximum wait for a list of services and tasks, which are listed again after each change."""
_POLL_SECONDS: Final = 0.05

Answer = dict[str, Any] | Refusal | None


class Steering:
    """Checks commands from the admin API, and submits an event for each accepted command."""

    def __init__(
        self,
        *,
        view: Callable[[], View | None],
        policy: Policy,
        submit: Callable[[Event], Awaitable[None]],
        new_id: Callable[[str], str],
    ) -> None:
        self._view = view
        self._policy = policy
        self._submit = submit
        self._new_id = new_id

    def leaving(self) -> list[dict[str, Any]] | None:
        """Return the nodes that are leaving, drained or returning, or that AWS may interrupt."""
        view = self._view()
        if view is None:
            return None
        return departures.leaving(Moment(view, self._policy, clock.steady()))

    async def drain(self, name: str, *, within: timedelta | None, is_dry: bool) -> Answer:
        """Move a node's tasks to other nodes, and drain the node.

        If `is_dry` is set, only return the plan.
        """
        within = within or self._policy.drain_within
        view, at = await self._listed(), clock.steady()
        if view is None:
            return None
        plan = drain_plan(Moment(view, self._policy, at), name, within)
        if isinstance(plan, DrainPlan) and not is_dry:
            await self._submit(DrainAsked(self._new_id("drain"), at, plan.node, within))
            await self._until(lambda now: now.nodes != view.nodes or plan.node in now.moves.wishes)
        return _answer(plan, is_dry=is_dry)

    async def return_node(self, name: str, *, is_dry: bool) -> Answer:
        """Make a node available for tasks again if it is leaving, drained or paused.

        If `is_dry` is set, only return the plan.
        """
        view = await self._listed()
        if view is None:
            return None
        plan = return_plan(view, name)
        if isinstance(plan, ReturnPlan) and not is_dry:
            await self._submit(ReturnAsked(self._new_id("return"), clock.steady(), plan.node))
            await self._until(lambda now: now.nodes != view.nodes or plan.node in now.moves.wishes)
        return _answer(plan, is_dry=is_dry)

    async def rebalance(self, names: Sequence[str], *, is_dry: bool) -> Answer:
        """Rebalance the named services, or all services if `names` is empty.

        The result also lists services that cannot be rebalanced. If `is_dry` is set, only return
        the plans.
        """
        view, at = await self._listed(), clock.steady()
        if view is None:
            return None
        plans = rebalance_plans(view, names, at)
        if isinstance(plans, Refusal):
            return plans
        wanted = tuple(plan.service for plan in plans if plan.moves)
        if wanted and not is_dry:
            await self._submit(RebalanceAsked(self._new_id("spread"), at, wanted))
            await self._until(
                lambda now: now.moves.rebalance_wishes.keys() >= set(wanted) or now.work is None
            )
            plans = tuple(replace(plan, stage="asked") if plan.moves else plan for plan in plans)
        return {
            "accepted": bool(wanted) and not is_dry,
            "plans": [asdict(plan) for plan in plans],
            "waits_for": rebalance_waits_for(view),
        }

    async def _listed(self) -> View | None:
        """Wait briefly for services and tasks to be listed, then return the current view."""
        await self._until(lambda view: view.work is not None)
        return self._view()

    async def _until(self, holds: Callable[[View], bool]) -> None:
        """Wait until the condition holds, the term ends, or the time limit expires."""
        until = clock.monotonic() + _LISTED_WITHIN_SECONDS
        while clock.monotonic() < until:
            view = self._view()
            if view is None or holds(view):
                return
            await asyncio.sleep(_POLL_SECONDS)


def _answer(plan: DrainPlan | ReturnPlan | Refusal, *, is_dry: bool) -> dict[str, Any] | Refusal:
    if isinstance(plan, Refusal):
        return plan
    return {"accepted": not is_dry, "plan": _plain(asdict(plan))}


def _plain(plan: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: value.isoformat(timespec="milliseconds") if isinstance(value, datetime) else value
        for key, value in plan.items()
    }
