"""Both ends of the broker against one real Redis: the agent asks, the leader answers."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
from broker_clients import CLUSTER, background, echo, new_name, raw
from redis.asyncio import Redis
from redis.exceptions import RedisError
from waiting import PATIENCE

from agent.edges import broker as agent_broker
from leader.edges.broker.connection import Broker, connected
from runtime import clock
from runtime.errors import RefusedError, UnavailableError
from runtime.streams import cancel_all, resilient
from wire import keys
from wire.messages import Heartbeat
from wire.sealing import MAX_SEALED_BYTES, Unopenable, open_request, private_key

Eventually = Callable[..., Awaitable[Any]]


async def ask(cluster: Any, body: bytes = b"hello", within: float = 10.0, **told: Any) -> bytes:
    name = new_name()
    return await agent_broker.ask(cluster.told(**told), name, name.encode() + body, within)


async def ask_until_answered(cluster: Any, body: bytes = b"hello") -> bytes:
    """Ask again while the broker does not respond, as the agent does."""
    while True:
        try:
            return await ask(cluster, body, within=5)
        except UnavailableError:
            continue


async def test_an_agent_asks_and_gets_the_leaders_answer(cluster: Any, broker: Broker) -> None:
    async with background(echo(broker)):
        assert await ask(cluster) == b"re: hello"


async def test_forty_agents_at_once_each_get_their_own_answer(cluster: Any, broker: Broker) -> None:
    async with background(echo(broker)):
        async with asyncio.timeout(120 * PATIENCE):
            answers = await asyncio.gather(
                *(ask_until_answered(cluster, str(n).encode()) for n in range(40))
            )
    assert answers == [f"re: {n}".encode() for n in range(40)]


async def test_a_reply_nobody_reads_is_gone_after_its_lifetime(
    cluster: Any, broker: Broker
) -> None:
    name = new_name()
    await broker.answer(name, b"reply")
    # The ACL lets nobody ask for a key's lifetime; an answer sets it, and it is checked there.
    client = raw(cluster, "leader")
    assert await client.execute_command(
        "EXPIRE", keys.reply(CLUSTER, name), int(keys.REPLY_LIFETIME.total_seconds()), "LT"
    ) in {0, 1}
    assert not await client.expire(keys.reply(CLUSTER, name), 61, gt=False, xx=False, nx=True)
    await client.aclose()


async def test_with_nobody_behind_the_broker_the_agent_says_so(
    cluster: Any, broker: Broker
) -> None:
    with pytest.raises(UnavailableError, match="there is no leader"):
        await ask(cluster, within=0.3)


async def test_with_a_leader_that_is_silent_the_agent_says_when_it_was_seen(
    cluster: Any, broker: Broker
) -> None:
    at = clock.now()
    await broker.beat(Heartbeat(cluster=CLUSTER, leader="i-0123456789abcdef0", at=at))
    with pytest.raises(UnavailableError, match=f"last seen {at:%H:%M:%S} UTC.*the leader's key"):
        await ask(cluster, within=0.3)


async def test_with_no_broker_the_agent_says_so(cluster: Any) -> None:
    with pytest.raises(UnavailableError, match="the broker is not responding"):
        await ask(cluster)


async def test_an_agent_refuses_a_broker_of_another_ca(
    cluster: Any, another_cluster: Any, broker: Broker
) -> None:
    with pytest.raises(RefusedError, match="certificate cannot be trusted"):
        await ask(cluster, ca=another_cluster.secrets.ca)
    assert await broker.waiting() == 0


async def test_an_agent_refuses_a_broker_by_a_name_its_certificate_lacks(
    cluster: Any, broker: Broker
) -> None:
    with pytest.raises(RefusedError, match="certificate cannot be trusted"):
        await ask(cluster, broker=f"rediss://127.0.0.2:{cluster.port}")


async def test_a_wrong_password_is_refused_in_a_sentence_without_it(
    cluster: Any, broker: Broker
) -> None:
    with pytest.raises(RefusedError, match="rejected the password in user data") as refused:
        await ask(cluster, password="an-old-password")
    errors: list[BaseException] = [refused.value]
    while (before := errors[-1].__cause__ or errors[-1].__context__) is not None:
        errors.append(before)
    assert all("an-old-password" not in repr(error) for error in errors)


async def test_a_leader_with_another_password_is_told_of_another_redis(
    cluster: Any, another_cluster: Any, broker: Broker
) -> None:
    other = another_cluster.secrets.leader_password
    mixed = cluster.secrets.model_copy(update={"leader_password": other})
    with pytest.raises(RefusedError, match="another Redis uses the port") as refused:
        async with connected(mixed, cluster=CLUSTER, port=cluster.port):
            pytest.fail("connected to a Redis of other secrets")
    assert other.get_secret_value() not in f"{refused.value!r} {refused.value.__cause__!r}"


async def test_the_leader_goes_on_after_redis_was_killed(
    cluster: Any, brokers: Any, eventually: Eventually
) -> None:
    starts = 0

    async def keep() -> None:
        """As in `leader.term.active`: the broker's end ends the stream, which is reopened."""
        nonlocal starts
        async with brokers.server() as server, brokers.connected() as leading:
            starts += 1
            processes.append(server._process)
            working = asyncio.create_task(echo(leading))
            guarding = asyncio.create_task(server.ended())
            try:
                await asyncio.wait({working, guarding}, return_when=asyncio.FIRST_COMPLETED)
                raise UnavailableError("redis ended")
            finally:
                await cancel_all((working, guarding))

    processes: list[asyncio.subprocess.Process] = []

    async def answered() -> bool:
        try:
            return await ask(cluster, within=1) == b"re: hello"
        except UnavailableError:
            return False

    async with background(resilient("broker", keep, ceiling=0.2)):
        assert await eventually(answered)
        processes[0].kill()
        assert await eventually(answered)
    assert starts == 2


async def test_the_leaders_loop_survives_a_redis_that_comes_back_under_it(
    cluster: Any, brokers: Any, eventually: Eventually
) -> None:
    async def answered() -> bool:
        try:
            return await ask(cluster, within=1) == b"re: hello"
        except UnavailableError:
            return False

    async with (
        brokers.server() as first,
        brokers.connected() as leading,
        background(resilient("requests", lambda: echo(leading), ceiling=0.2)),
    ):
        assert await eventually(answered)
        first._process.kill()
        await first.ended()
        with pytest.raises(UnavailableError):
            await ask(cluster, within=1)
        async with brokers.server():
            assert await eventually(answered)


async def test_an_agent_that_waits_when_redis_dies_is_told_at_once(
    cluster: Any, brokers: Any, eventually: Eventually
) -> None:
    async with brokers.server() as server, brokers.connected() as leading:
        waiting = asyncio.create_task(ask(cluster, within=600))

        async def asked() -> bool:
            return await leading.waiting() == 1

        await eventually(asked)
        server._process.kill()
        with pytest.raises(UnavailableError, match="is not responding"):
            async with asyncio.timeout(60 * PATIENCE):
                await waiting


async def fill(client: Redis, size: int) -> int:
    """Push until Redis has no memory left; how many went in."""
    pushed = 0
    while True:
        pipeline = client.pipeline(transaction=False)
        for _ in range(50):
            pipeline.rpush(keys.requests(CLUSTER), b"x" * size)
        results = await pipeline.execute(raise_on_error=False)
        pushed += sum(1 for result in results if isinstance(result, int))
        if any(isinstance(result, Exception) for result in results):
            return pushed


async def fill_with_replies(broker: Broker) -> None:
    """Send replies until one is refused, with what refuses it."""
    while True:
        await broker.answer(new_name(), b"x" * 8000)


async def test_at_the_memory_limit_replies_come_through_again_after_a_trim(
    cluster: Any, broker: Broker, eventually: Eventually
) -> None:
    async with raw(cluster) as flood:
        assert await fill(flood, 60_000) > keys.REQUESTS_KEPT
    with pytest.raises(UnavailableError, match=r"could not send a reply: .*memory"):
        await fill_with_replies(broker)

    async def called_full() -> bool:
        # Redis frees what idle connections hold now and then: a few KB, enough for one request.
        with suppress(UnavailableError):
            await fill_with_replies(broker)
        with pytest.raises(UnavailableError) as refused:
            await ask(cluster, within=0.1)
        return "the broker is full" in str(refused.value)

    assert await eventually(called_full)
    assert await broker.next_request() is not None
    assert await broker.waiting() == keys.REQUESTS_KEPT
    name = new_name()
    await broker.answer(name, b"reply")
    async with raw(cluster) as client:
        assert await client.blpop([keys.reply(CLUSTER, name)], timeout=2) is not None


async def test_a_flood_of_large_requests_does_not_keep_an_honest_one_from_its_answer(
    cluster: Any, broker: Broker
) -> None:
    flood = raw(cluster)
    await fill(flood, 900_000)
    await flood.aclose()

    async def drop_or_echo() -> None:
        while True:
            data = await broker.next_request()
            if data is not None and len(data) <= MAX_SEALED_BYTES:
                await broker.answer(data[:32].decode(), b"re: " + data[32:])

    # A reply can still be refused at the limit; as in the daemon, the asker asks again.
    async with background(resilient("requests", drop_or_echo, ceiling=0.1)):
        async with asyncio.timeout(60 * PATIENCE):
            assert await ask_until_answered(cluster) == b"re: hello"


async def test_only_the_newest_requests_are_kept(cluster: Any, broker: Broker) -> None:
    async with raw(cluster) as client:
        pipeline = client.pipeline(transaction=False)
        for number in range(keys.REQUESTS_KEPT + 20):
            pipeline.rpush(keys.requests(CLUSTER), str(number).encode())
        await pipeline.execute()
    assert await broker.next_request() == b"0"
    assert await broker.waiting() == keys.REQUESTS_KEPT
    assert await broker.next_request() == b"20"


async def test_a_request_that_is_too_long_is_dropped_unread(cluster: Any, broker: Broker) -> None:
    key = private_key(cluster.secrets.leader_key.get_secret_value())
    client = raw(cluster)
    await client.rpush(keys.requests(CLUSTER), b"\x01" + b"x" * MAX_SEALED_BYTES)
    await client.aclose()
    data = await broker.next_request()
    assert data is not None
    with pytest.raises(Unopenable):
        open_request(data, leaders=[key])


async def test_a_push_of_megabytes_ends_the_pushers_connection_alone(
    cluster: Any, broker: Broker
) -> None:
    client = raw(cluster)
    with pytest.raises((RedisError, OSError)):
        await client.rpush(keys.requests(CLUSTER), b"x" * 3_000_000)
    await client.aclose()
    async with background(echo(broker)):
        assert await ask(cluster) == b"re: hello"


async def test_a_wait_for_a_request_that_is_cancelled_loses_none(
    cluster: Any, broker: Broker
) -> None:
    waiting = asyncio.create_task(broker.next_request())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    client = raw(cluster)
    await client.rpush(keys.requests(CLUSTER), b"later")
    await client.aclose()
    assert await broker.next_request() == b"later"
