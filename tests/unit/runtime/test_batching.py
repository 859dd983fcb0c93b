import asyncio

import pytest

from runtime.batching import Batcher


class Calls:
    """Doubles numbers, in batches that it keeps; 13 is refused, and 99 fails the whole batch."""

    def __init__(self):
        self.batches = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def handle(self, items):
        self.batches.append(list(items))
        await self.may_answer.wait()
        if 99 in items:
            raise OSError("all of it")
        return [ValueError("unlucky") if item == 13 else item * 2 for item in items]


async def test_one_item_is_handled_at_once():
    calls = Calls()

    assert await Batcher(calls.handle, most=10).submit(4) == 8
    assert calls.batches == [[4]]


async def test_what_arrives_during_a_batch_is_the_next_one():
    calls = Calls()
    batcher = Batcher(calls.handle, most=3)
    calls.may_answer.clear()
    first = asyncio.create_task(batcher.submit(0))
    await asyncio.sleep(0.01)
    rest = [asyncio.create_task(batcher.submit(number)) for number in range(1, 6)]
    await asyncio.sleep(0.01)
    calls.may_answer.set()

    assert [await task for task in (first, *rest)] == [0, 2, 4, 6, 8, 10]
    assert calls.batches == [[0], [1, 2, 3], [4, 5]]


async def test_an_item_that_is_refused_fails_alone():
    batcher = Batcher(Calls().handle, most=10)

    results = await asyncio.gather(
        *(batcher.submit(number) for number in (1, 13, 2)), return_exceptions=True
    )

    assert results[0] == 2
    assert isinstance(results[1], ValueError)
    assert results[2] == 4


async def test_a_batch_that_fails_fails_its_callers_and_not_the_next_batch():
    batcher = Batcher(Calls().handle, most=10)

    results = await asyncio.gather(batcher.submit(99), batcher.submit(1), return_exceptions=True)

    assert [type(result) for result in results] == [OSError, OSError]
    assert await batcher.submit(2) == 4


async def test_a_caller_that_gave_up_takes_no_place():
    calls = Calls()
    batcher = Batcher(calls.handle, most=10)
    calls.may_answer.clear()
    first = asyncio.create_task(batcher.submit(0))
    await asyncio.sleep(0.01)
    second = asyncio.create_task(batcher.submit(1))
    await asyncio.sleep(0.01)
    second.cancel()
    third = asyncio.create_task(batcher.submit(2))
    await asyncio.sleep(0.01)
    calls.may_answer.set()

    assert (await first, await third) == (0, 4)
    assert calls.batches == [[0], [2]]


async def test_a_handler_that_answers_too_little_hangs_nobody():
    async def handle(_items):
        return []

    with pytest.raises(RuntimeError, match="1 items got 0 results"):
        await Batcher(handle, most=10).submit(1)
