"""The leader's view of the swarm, against real engines."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from typing import Any

import pytest
from swarms import HEARTBEAT

from agent.edges.engine import Engine
from agent.model import Ticket
from leader.edges.docker.swarm import SWARM_PORT, Swarm
from leader.view.model import Node
from runtime.errors import GoneError, RefusedError, UnavailableError
from runtime.streams import cancel_all, resilient
from wire.labels import LABEL_INSTANCE, LABEL_PHASE
from wire.messages import Availability, Role

Eventually = Callable[..., Awaitable[Any]]


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened:
        yield opened


async def join(swarm: Swarm, machine: Any, manager: Any, role: Role = Role.WORKER) -> None:
    ticket = Ticket(
        await swarm.token(role), (f"{manager.address}:{SWARM_PORT}",), Availability.DRAIN
    )
    async with Engine(machine.url) as engine:
        await engine.join(ticket, address=machine.address)


async def nodes_of(swarm: Swarm) -> tuple[Node, ...]:
    """Empty while there is no leader: two managers elect one again if one is slow to answer."""
    try:
        return await swarm.nodes()
    except UnavailableError:
        return ()


async def node_of(swarm: Swarm, machine: Any, eventually: Eventually, status: str) -> Node:
    async def found() -> Node | None:
        for node in await nodes_of(swarm):
            if node.address == machine.address and node.status == status:
                return node
        return None

    node: Node = await eventually(found, 40)
    return node


async def test_founding_makes_a_swarm_of_one_ready_leader_at_its_private_address(
    swarm: Swarm, engines: Any
) -> None:
    (node,) = await swarm.nodes()
    assert node.is_leader
    assert node.is_ready
    assert (node.role, node.availability) == (Role.MANAGER, Availability.ACTIVE)
    assert (node.address, node.hostname) == (engines[0].address, engines[0].name)
    assert node.created.tzinfo is not None
    assert node.platform == ("linux", engines[0].docker("info", "--format", "{{.Architecture}}"))
    cores = engines[0].docker("info", "--format", "{{.NCPU}} {{.MemTotal}}").split()
    assert (node.cpu, node.memory) == (int(cores[0]) * 1_000_000_000, int(cores[1]))
    assert node.engine_labels == {"rack": "7"}
    assert node.generic == {"gpu": 2}
    assert node.volume_plugins is not None
    assert "local" in node.volume_plugins


async def test_an_engine_tells_what_it_is_in_the_swarm(swarm: Swarm, engines: Any) -> None:
    leads = await swarm.engine()
    assert (leads.state, leads.is_manager, leads.is_leader) == ("active", True, True)
    assert (leads.leader, leads.error) == (engines[0].name, "")
    async with Swarm(engines[1].url) as other:
        assert (await other.engine()).state == "inactive"
        await join(swarm, engines[1], engines[0])
        joined = await other.engine()
        assert (joined.state, joined.is_manager, joined.is_leader) == ("active", False, False)


async def test_info_is_not_called_again_while_the_engine_is_a_manager(
    swarm: Swarm, engines: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    leads = await swarm.engine()

    async def refuse() -> dict[str, Any]:
        raise AssertionError("`/info` starts two programs and must not be called twice a second")

    with monkeypatch.context() as patched:
        patched.setattr(swarm._docker.system, "info", refuse)
        assert await swarm.engine() == leads


async def test_founding_twice_is_refused_or_passing_and_changes_nothing(
    swarm: Swarm, engines: Any
) -> None:
    before = await swarm.nodes()
    with pytest.raises((RefusedError, UnavailableError)):
        await swarm.init(address=engines[0].address)
    assert {node.id for node in await swarm.nodes()} == {node.id for node in before}


async def test_a_network_is_made_once(swarm: Swarm, engines: Any) -> None:
    # The swarm is kept between tests, and other tests make networks of the usual names.
    assert await swarm.ensure_network("made-once")
    # The filter of the engine's list matches parts of names.
    assert await swarm.ensure_network("made")
    assert not await swarm.ensure_network("made-once")
    assert not await swarm.ensure_network("made")
    shown = engines[0].docker(
        "network", "ls", "--filter", "name=made-once", "--format", "{{.Name}}"
    )
    assert shown.split() == ["made-once"]


async def test_changes_come_at_once_when_opened_and_when_a_node_joins(
    swarm: Swarm, engines: Any
) -> None:
    changes = swarm.changes()
    await anext(changes)
    following = asyncio.create_task(anext(changes))
    await join(swarm, engines[1], engines[0])
    async with asyncio.timeout(60):
        await following
    await changes.aclose()


async def test_what_happens_after_the_first_change_is_told_by_another(
    swarm: Swarm, engines: Any
) -> None:
    (node,) = await swarm.nodes()
    for number in range(20):
        changes = swarm.changes()
        await anext(changes)
        await swarm.change_node(node.id, labels={"turn": str(number)})
        async with asyncio.timeout(60):
            await anext(changes)
        await changes.aclose()


async def test_services_are_changes_too(swarm: Swarm, engines: Any) -> None:
    changes = swarm.changes()
    await anext(changes)
    for command in (
        ("create", "-d", "--name", "noticed", "--replicas", "0", "127.0.0.1:1/nothing:1"),
        ("update", "-d", "--label-add", "a=b", "noticed"),
        ("rm", "noticed"),
    ):
        following = asyncio.create_task(anext(changes))
        await asyncio.to_thread(engines[0].docker, "service", *command)
        async with asyncio.timeout(60):
            await following
    await changes.aclose()


async def test_changes_are_followed_again_after_the_engine_was_restarted(
    swarm: Swarm, engines: Any, eventually: Eventually
) -> None:
    seen = 0

    async def follow() -> None:
        nonlocal seen
        async for _ in swarm.changes():
            seen += 1

    async def has_seen_more_than(number: int) -> bool:
        return seen > number

    following = asyncio.create_task(resilient("node events", follow, ceiling=0.2))
    try:
        await eventually(lambda: has_seen_more_than(0))
        await asyncio.to_thread(engines[0].stop)
        with pytest.raises(UnavailableError):
            await swarm.nodes()
        assert not following.done()
        engines[0].start()
        await asyncio.to_thread(engines[0].wait)
        await node_of(swarm, engines[0], eventually, "ready")
        # Settle: the restart makes events of its own.
        before = -1

        async def is_quiet() -> bool:
            nonlocal before
            was, before = before, seen
            return was == seen

        await eventually(is_quiet, every=0.5)
        quiet = seen
        await swarm.change_node((await swarm.nodes())[0].id, labels={"after": "restart"})
        await eventually(lambda: has_seen_more_than(quiet))
        assert not following.done()
    finally:
        await cancel_all((following,))


async def test_labels_and_activation_leave_an_operators_labels(
    swarm: Swarm, engines: Any, eventually: Eventually
) -> None:
    await join(swarm, engines[1], engines[0])
    node = await node_of(swarm, engines[1], eventually, "ready")
    assert node.availability is Availability.DRAIN
    engines[0].docker("node", "update", "--label-add", "rack=7", node.id)
    await swarm.change_node(
        node.id, labels={LABEL_INSTANCE: "i-0123456789abcdef0", LABEL_PHASE: "joining"}
    )
    bound = await node_of(swarm, engines[1], eventually, "ready")
    assert bound.labels == {
        "rack": "7",
        LABEL_INSTANCE: "i-0123456789abcdef0",
        LABEL_PHASE: "joining",
    }
    assert bound.is_joining
    assert bound.availability is Availability.DRAIN
    await swarm.change_node(
        node.id, without=(LABEL_PHASE, "never"), availability=Availability.ACTIVE
    )
    active = await node_of(swarm, engines[1], eventually, "ready")
    assert active.labels == {"rack": "7", LABEL_INSTANCE: "i-0123456789abcdef0"}
    assert active.availability is Availability.ACTIVE


async def test_a_node_is_changed_in_one_update_and_not_at_all_if_it_is_so_already(
    swarm: Swarm, engines: Any, eventually: Eventually
) -> None:
    def version(node: Node) -> str:
        shown: str = engines[0].docker("node", "inspect", node.id, "-f", "{{.Version.Index}}")
        return shown

    await join(swarm, engines[1], engines[0])
    node = await node_of(swarm, engines[1], eventually, "ready")
    await swarm.change_node(node.id, labels={"old": "1", "kept": "1"})
    change = {"labels": {"new": "1"}, "without": ("old",), "availability": Availability.PAUSE}
    await swarm.change_node(node.id, **change)
    after = await node_of(swarm, engines[1], eventually, "ready")
    assert after.labels == {"kept": "1", "new": "1"}
    assert after.availability is Availability.PAUSE

    async def is_left_alone() -> bool:
        # The engine itself writes a node's entry now and then; a change of ours would each time.
        written = version(node)
        await swarm.change_node(node.id, **change)
        return version(node) == written

    assert await eventually(is_left_alone)


async def test_a_node_that_an_operator_changed_in_the_meantime_is_left_as_it_is(
    swarm: Swarm, engines: Any, eventually: Eventually
) -> None:
    """Also if only the node's status has changed, which changes its version, too."""
    await join(swarm, engines[1], engines[0])
    node = await node_of(swarm, engines[1], eventually, "ready")
    engines[0].docker("node", "update", "--label-add", "rack=7", node.id)
    await swarm.change_node(node.id, availability=Availability.PAUSE, basis=node.basis)
    paused = await node_of(swarm, engines[1], eventually, "ready")
    assert (paused.availability, paused.labels) == (Availability.PAUSE, {"rack": "7"})

    engines[0].docker("node", "update", "--availability", "drain", node.id)
    with pytest.raises(UnavailableError, match="has changed in the meantime"):
        await swarm.change_node(
            node.id, without=(LABEL_PHASE,), availability=Availability.ACTIVE, basis=paused.basis
        )
    drained = await node_of(swarm, engines[1], eventually, "ready")
    assert drained.availability is Availability.DRAIN
    # What is so already is done, whoever did it.
    await swarm.change_node(node.id, availability=Availability.DRAIN, basis=paused.basis)


async def test_a_worker_is_promoted_and_demoted_and_the_last_manager_is_not(
    swarm: Swarm, engines: Any, eventually: Eventually, stack: AsyncExitStack
) -> None:
    await join(swarm, engines[1], engines[0])
    node = await node_of(swarm, engines[1], eventually, "ready")
    first = next(found for found in await swarm.nodes() if found.is_leader)
    with pytest.raises(RefusedError, match="last manager"):
        await swarm.change_node(first.id, role=Role.WORKER)
    await swarm.change_node(node.id, role=Role.MANAGER)

    async def is_reachable() -> bool:
        found = await nodes_of(swarm)
        return any(one.reachability == "reachable" for one in found if one.id == node.id)

    await eventually(is_reachable, 20)
    other = await stack.enter_async_context(Swarm(engines[1].url))

    async def knows_its_role() -> bool:
        engine = await other.engine()
        return engine.is_manager and not engine.is_leader and engine.leader == engines[0].name

    await eventually(knows_its_role, 20)

    async def is_not_removed() -> bool:
        with suppress(UnavailableError):
            with pytest.raises(RefusedError):
                await swarm.remove(node.id, force=True)
            return True
        return False

    await eventually(is_not_removed)

    async def is_demoted() -> bool:
        with suppress(UnavailableError):
            await swarm.change_node(node.id, role=Role.WORKER)
            return True
        return False

    await eventually(is_demoted)

    async def is_worker() -> bool:
        found = await nodes_of(swarm)
        return any(one.reachability is None for one in found if one.id == node.id)

    await eventually(is_worker, 20)

    async def is_told() -> bool:
        return not (await other.engine()).is_manager

    await eventually(is_told, 20)


async def test_two_updates_of_one_node_at_once_lose_none_silently(
    swarm: Swarm, eventually: Eventually
) -> None:
    (node,) = await swarm.nodes()
    results = await asyncio.gather(
        *(swarm.change_node(node.id, labels={f"k{n}": "v"}) for n in range(5)),
        return_exceptions=True,
    )
    assert all(result is None or isinstance(result, UnavailableError) for result in results)
    (after,) = await swarm.nodes()
    written = {f"k{n}" for n, result in enumerate(results) if result is None}
    assert {name for name in after.labels if name.startswith("k")} == written


@pytest.mark.parametrize("role", list(Role))
async def test_rotating_changes_the_token_of_that_role_alone(swarm: Swarm, role: Role) -> None:
    before = {each: await swarm.token(each) for each in Role}
    await swarm.rotate(role)
    after = {each: await swarm.token(each) for each in Role}
    assert {each for each in Role if before[each] != after[each]} == {role}
    assert all(token.startswith("SWMTKN-1-") for token in after.values())


async def test_rotating_keeps_the_swarms_settings(swarm: Swarm, engines: Any) -> None:
    engines[0].docker("swarm", "update", "--task-history-limit", "2")
    before = engines[0].docker("info", "--format", "{{json .Swarm.Cluster.Spec}}")
    await swarm.rotate(Role.WORKER)
    assert engines[0].docker("info", "--format", "{{json .Swarm.Cluster.Spec}}") == before


async def test_the_heartbeat_is_set_and_nothing_else(swarm: Swarm, engines: Any) -> None:
    def spec() -> Any:
        return json.loads(engines[0].docker("info", "--format", "{{json .Swarm.Cluster.Spec}}"))

    engines[0].docker("swarm", "update", "--task-history-limit", "3")
    before, tokens = spec(), [await swarm.token(role) for role in Role]
    assert await swarm.heartbeat() == HEARTBEAT
    await swarm.set_heartbeat(timedelta(seconds=7, milliseconds=500))
    assert await swarm.heartbeat() == timedelta(seconds=7.5)
    before["Dispatcher"]["HeartbeatPeriod"] = 7_500_000_000
    assert spec() == before
    assert [await swarm.token(role) for role in Role] == tokens
    await swarm.set_heartbeat(HEARTBEAT)


async def test_by_force_a_ready_worker_is_removed(
    swarm: Swarm, engines: Any, eventually: Eventually
) -> None:
    await join(swarm, engines[1], engines[0])
    node = await node_of(swarm, engines[1], eventually, "ready")
    await swarm.remove(node.id, force=True)
    assert node.id not in {found.id for found in await swarm.nodes()}


async def test_a_ready_node_is_not_removed_and_a_down_one_is(
    swarm: Swarm, engines: Any, eventually: Eventually
) -> None:
    await join(swarm, engines[1], engines[0])
    node = await node_of(swarm, engines[1], eventually, "ready")
    with pytest.raises(RefusedError, match="not down"):
        await swarm.remove(node.id)
    async with Engine(engines[1].url) as engine:
        await engine.leave_by_force()
    await node_of(swarm, engines[1], eventually, "down")
    await swarm.remove(node.id)
    assert len(await swarm.nodes()) == 1
    with pytest.raises(GoneError):
        await swarm.remove(node.id)


async def test_an_engine_of_no_swarm_lists_nothing_and_says_so(engines: Any) -> None:
    async with Swarm(engines[2].url) as alone:
        with pytest.raises(UnavailableError, match="could not list the swarm's nodes"):
            await alone.nodes()


async def test_an_engine_that_is_not_there_is_away(ground: Any) -> None:
    async with Swarm(f"unix://{ground}/no-engine.sock") as nobody:
        with pytest.raises(UnavailableError):
            await nobody.engine()
        with pytest.raises(UnavailableError, match="could not follow the engine's events"):
            await anext(nobody.changes())
