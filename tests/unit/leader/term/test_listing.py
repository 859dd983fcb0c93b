"""One strange row or answer of the engine loses neither the list nor the term."""

import asyncio
from datetime import timedelta

import pytest
from builders import manager_node

from leader.term.inbox import Inbox
from leader.term.listing import Deposed, Listing
from leader.view.model import View
from leader.view.rows import Rows
from leader.view.stance import Engine
from runtime.faults import Faults

LEADER = manager_node("n-1", is_leader=True)


class Swarm:
    """An engine with these answers."""

    def __init__(self, nodes, *, heartbeat=timedelta(seconds=5), is_leader=True):
        self._nodes, self._heartbeat, self._is_leader = nodes, heartbeat, is_leader

    async def nodes(self):
        if isinstance(self._nodes, Exception):
            raise self._nodes
        return self._nodes

    async def heartbeat(self):
        if isinstance(self._heartbeat, Exception):
            raise self._heartbeat
        return self._heartbeat

    async def engine(self):
        return Engine(state="active", is_leader=self._is_leader)


async def listed(swarm, *, stale_after=timedelta(seconds=30)):
    """The first event, the faults, and what ended the listing, if anything did."""
    inbox, faults = Inbox(), Faults()
    listing = Listing(
        swarm, inbox, own_node="n-1", stale_after=stale_after, view=View, faults=faults
    )
    ended = None
    try:
        async with asyncio.timeout(0.05):
            await listing.list_nodes()
    except TimeoutError:
        pass
    except (Deposed, LookupError) as exc:
        ended = exc
    event = await inbox.next() if len(inbox) else None
    return event, faults.recent(), ended


async def test_a_heartbeat_period_that_cannot_be_read_does_not_lose_the_nodes():
    event, faults, ended = await listed(Swarm(Rows([LEADER]), heartbeat=KeyError("Dispatcher")))

    assert event.nodes == (LEADER,)
    assert event.heartbeat is None
    assert [row["path"] for row in faults] == ["the swarm's settings"]
    assert ended is None


@pytest.mark.parametrize("unread", ["n-1", ""])
async def test_a_leader_whose_own_row_cannot_be_read_asks_its_engine(unread):
    event, _, ended = await listed(Swarm(Rows([], [unread])))
    assert event.unread == (unread,)
    assert ended is None

    _, _, ended = await listed(Swarm(Rows([], [unread]), is_leader=False))
    assert isinstance(ended, Deposed)


async def test_another_unreadable_row_does_not_change_who_leads():
    _, _, ended = await listed(Swarm(Rows([LEADER], ["n-2"]), is_leader=False))
    assert ended is None

    follower = manager_node("n-1")
    _, _, ended = await listed(Swarm(Rows([follower], ["n-2"])))
    assert isinstance(ended, Deposed)


async def test_a_list_that_raises_for_too_long_ends_the_term_whatever_it_raises():
    _, _, ended = await listed(Swarm(KeyError("example-secret")))
    assert isinstance(ended, KeyError)

    stale = timedelta(seconds=-1)
    _, _, ended = await listed(Swarm(KeyError("example-secret")), stale_after=stale)
    assert isinstance(ended, Deposed)
    assert "example-secret" not in str(ended)
