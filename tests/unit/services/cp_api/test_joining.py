"""Many callers, few requests; nobody's giving up ends anybody else's."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from runtime.errors import UnavailableError
from services.cp_api.flights import Flights
from services.cp_api.gathering import Due, Gathering


@asynccontextmanager
async def running(gathering: Gathering[str, int]) -> AsyncIterator[None]:
    task = asyncio.create_task(gathering.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def gathering(
    ask: Callable[[Due[str]], Awaitable[dict[str, int]]], *, most: int = 10, patience: float = 30.0
) -> Gathering[str, int]:
    return Gathering("numbers", ask, most=most, patience_seconds=patience, again_seconds=0.001)


async def test_wishes_that_come_while_a_turn_is_awaited_go_in_one_request() -> None:
    turn, asked = asyncio.Event(), []

    async def ask(due: Due[str]) -> dict[str, int]:
        await turn.wait()
        asked.append(sorted(due()))
        return {"a": 1, "b": 2}

    numbers = gathering(ask)
    async with running(numbers):
        wishes = [asyncio.create_task(numbers.get(key)) for key in ("a", "b", "a")]
        await asyncio.sleep(0)
        turn.set()
        assert await asyncio.gather(*wishes) == [1, 2, 1]
    assert asked == [["a", "b"]]


async def test_no_request_asks_for_more_than_fits() -> None:
    sizes = []

    async def ask(due: Due[str]) -> dict[str, int]:
        keys = due()
        sizes.append(len(keys))
        return dict.fromkeys(keys, 0)

    numbers = gathering(ask, most=3)
    async with running(numbers):
        await asyncio.gather(*(numbers.get(str(n)) for n in range(8)))
    assert sizes == [3, 3, 2]


async def test_what_an_answer_leaves_out_is_asked_for_again_until_it_comes() -> None:
    rounds = []

    async def ask(due: Due[str]) -> dict[str, int]:
        rounds.append(due())
        return {"a": 1} if len(rounds) == 3 else {}

    numbers = gathering(ask)
    async with running(numbers):
        assert await numbers.get("a") == 1
    assert len(rounds) == 3


async def test_what_never_comes_ends_when_patience_does() -> None:
    async def ask(due: Due[str]) -> dict[str, int]:
        due()
        return {}

    numbers = gathering(ask, patience=0.0)
    async with running(numbers):
        with pytest.raises(UnavailableError, match="sends no data"):
            await numbers.get("a")


async def test_an_error_is_that_of_all_who_were_asked_for_and_the_next_wish_is_tried_anew() -> None:
    tries = 0

    async def ask(due: Due[str]) -> dict[str, int]:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise UnavailableError("away")
        return dict.fromkeys(due(), 7)

    numbers = gathering(ask)
    async with running(numbers):
        failed = await asyncio.gather(numbers.get("a"), numbers.get("b"), return_exceptions=True)
        assert [str(error) for error in failed] == ["away", "away"]
        assert await numbers.get("a") == 7


async def test_a_caller_that_gives_up_leaves_the_others_wish_alone() -> None:
    turn = asyncio.Event()

    async def ask(due: Due[str]) -> dict[str, int]:
        await turn.wait()
        return dict.fromkeys(due(), 1)

    numbers = gathering(ask)
    async with running(numbers):
        hasty, patient = (asyncio.create_task(numbers.get("a")) for _ in range(2))
        await asyncio.sleep(0)
        hasty.cancel()
        await asyncio.gather(hasty, return_exceptions=True)
        turn.set()
        assert await patient == 1


async def test_stopping_leaves_nobody_waiting() -> None:
    async def ask(_due: Due[str]) -> dict[str, int]:
        await asyncio.Event().wait()
        return {}

    numbers = gathering(ask)
    async with running(numbers):
        wish = asyncio.create_task(numbers.get("a"))
        await asyncio.sleep(0)
    with pytest.raises(UnavailableError, match="stopping"):
        await wish


async def test_equal_calls_under_way_are_one() -> None:
    begun, go = [], asyncio.Event()

    async def call() -> int:
        begun.append(1)
        await go.wait()
        return 5

    async with Flights[str, int]("calls") as flights:
        callers = [asyncio.create_task(flights.join("a", call)) for _ in range(50)]
        await asyncio.sleep(0)
        callers[0].cancel()
        go.set()
        found = await asyncio.gather(*callers, return_exceptions=True)
        assert found[1:] == [5] * 49
        assert len(begun) == 1
        assert len(flights) == 0


async def test_leaving_ends_calls_under_way() -> None:
    async def call() -> int:
        await asyncio.Event().wait()
        return 0

    async with Flights[str, int]("calls") as flights:
        caller = asyncio.create_task(flights.join("a", call))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await caller
