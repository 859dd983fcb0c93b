"""Many callers share few requests, and one that gives up does not affect the others."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from runtime.errors import UnavailableError
from services.cp_api.batching import Batcher, Due
from services.cp_api.shared_calls import SharedCalls


@asynccontextmanager
async def running(batcher: Batcher[str, int]) -> AsyncIterator[None]:
    task = asyncio.create_task(batcher.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def batcher(
    ask: Callable[[Due[str]], Awaitable[dict[str, int]]], *, most: int = 10, patience: float = 30.0
) -> Batcher[str, int]:
    return Batcher("numbers", ask, most=most, patience_seconds=patience, again_seconds=0.001)


async def test_keys_that_arrive_before_the_turn_share_one_request() -> None:
    turn, requests = asyncio.Event(), []

    async def ask(due: Due[str]) -> dict[str, int]:
        await turn.wait()
        requests.append(sorted(due()))
        return {"a": 1, "b": 2}

    numbers = batcher(ask)
    async with running(numbers):
        callers = [asyncio.create_task(numbers.get(key)) for key in ("a", "b", "a")]
        await asyncio.sleep(0)
        turn.set()
        assert await asyncio.gather(*callers) == [1, 2, 1]
    assert requests == [["a", "b"]]


async def test_no_request_exceeds_the_limit() -> None:
    sizes = []

    async def ask(due: Due[str]) -> dict[str, int]:
        keys = due()
        sizes.append(len(keys))
        return dict.fromkeys(keys, 0)

    numbers = batcher(ask, most=3)
    async with running(numbers):
        await asyncio.gather(*(numbers.get(str(n)) for n in range(8)))
    assert sizes == [3, 3, 2]


async def test_an_omitted_key_is_requested_again_until_it_arrives() -> None:
    rounds = []

    async def ask(due: Due[str]) -> dict[str, int]:
        rounds.append(due())
        return {"a": 1} if len(rounds) == 3 else {}

    numbers = batcher(ask)
    async with running(numbers):
        assert await numbers.get("a") == 1
    assert len(rounds) == 3


async def test_a_key_that_never_arrives_fails_when_patience_ends() -> None:
    async def ask(due: Due[str]) -> dict[str, int]:
        due()
        return {}

    numbers = batcher(ask, patience=0.0)
    async with running(numbers):
        with pytest.raises(UnavailableError, match="sent no data"):
            await numbers.get("a")


async def test_an_error_fails_every_key_of_its_request_and_no_later_one() -> None:
    attempts = 0

    async def ask(due: Due[str]) -> dict[str, int]:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            raise UnavailableError("away")
        return dict.fromkeys(due(), 7)

    numbers = batcher(ask)
    async with running(numbers):
        failed = await asyncio.gather(numbers.get("a"), numbers.get("b"), return_exceptions=True)
        assert [str(error) for error in failed] == ["away", "away"]
        assert await numbers.get("a") == 7


async def test_a_caller_that_gives_up_does_not_affect_the_others() -> None:
    turn = asyncio.Event()

    async def ask(due: Due[str]) -> dict[str, int]:
        await turn.wait()
        return dict.fromkeys(due(), 1)

    numbers = batcher(ask)
    async with running(numbers):
        hasty, patient = (asyncio.create_task(numbers.get("a")) for _ in range(2))
        await asyncio.sleep(0)
        hasty.cancel()
        await asyncio.gather(hasty, return_exceptions=True)
        turn.set()
        assert await patient == 1


async def test_stopping_leaves_no_caller_waiting() -> None:
    async def ask(_due: Due[str]) -> dict[str, int]:
        await asyncio.Event().wait()
        return {}

    numbers = batcher(ask)
    async with running(numbers):
        caller = asyncio.create_task(numbers.get("a"))
        await asyncio.sleep(0)
    with pytest.raises(UnavailableError, match="stopping"):
        await caller


async def test_equal_calls_are_shared() -> None:
    begun, go = [], asyncio.Event()

    async def call() -> int:
        begun.append(1)
        await go.wait()
        return 5

    async with SharedCalls[str, int]("calls") as calls:
        callers = [asyncio.create_task(calls.join("a", call)) for _ in range(50)]
        await asyncio.sleep(0)
        callers[0].cancel()
        go.set()
        results = await asyncio.gather(*callers, return_exceptions=True)
        assert results[1:] == [5] * 49
        assert len(begun) == 1
        assert len(calls) == 0


async def test_leaving_the_context_ends_running_calls() -> None:
    async def call() -> int:
        await asyncio.Event().wait()
        return 0

    async with SharedCalls[str, int]("calls") as calls:
        caller = asyncio.create_task(calls.join("a", call))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await caller
