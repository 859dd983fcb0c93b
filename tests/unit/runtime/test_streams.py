import asyncio

import pytest

from runtime import streams
from runtime.errors import RefusedError, UnavailableError
from runtime.streams import resilient, together


async def forever():
    await asyncio.Event().wait()


async def fails(error):
    raise error


async def test_the_first_to_end_ends_all_and_its_error_comes_bare():
    ended = asyncio.Event()

    async def other():
        try:
            await forever()
        finally:
            ended.set()

    with pytest.raises(RefusedError, match="wrong password"):
        await together(one=other(), two=fails(RefusedError("wrong password")))
    assert ended.is_set()


async def test_a_task_that_swallows_one_cancellation_is_cancelled_again(monkeypatch):
    monkeypatch.setattr(streams, "_CANCEL_AGAIN_SECONDS", 0.01)
    swallowed = []

    async def stubborn():
        while len(swallowed) < 2:
            try:
                await forever()
            except asyncio.CancelledError:
                swallowed.append(1)
        await forever()

    with pytest.raises(UnavailableError):
        await together(one=stubborn(), two=fails(UnavailableError("redis ended")))
    assert len(swallowed) == 2


async def test_cancelling_from_outside_cancels_all():
    task = asyncio.create_task(together(one=forever(), two=forever()))
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(asyncio.all_tasks()) == 1


async def test_a_stream_that_breaks_is_opened_again_and_a_refusal_passes():
    tries = []

    async def follow():
        tries.append(1)
        if len(tries) < 3:
            raise UnavailableError("away")
        raise RefusedError("no")

    with pytest.raises(RefusedError):
        await resilient("test", follow, ceiling=0.01)
    assert len(tries) == 3
