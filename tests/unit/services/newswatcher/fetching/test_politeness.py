"""Turns at a host, by a clock of the test's."""

import asyncio

import pytest

from services.newswatcher.fetching.politeness import LONGEST_INTERVAL_SECONDS, PacedError, Turns


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_only_one_at_a_time_has_a_host_and_others_are_free() -> None:
    turns = Turns(0)
    inside: list[str] = []
    most: dict[str, int] = {}

    async def visit(host: str) -> None:
        async with turns.turn(host):
            inside.append(host)
            most[host] = max(most.get(host, 0), inside.count(host))
            await asyncio.sleep(0)
            inside.remove(host)

    await asyncio.gather(*(visit(host) for host in ["a", "b"] * 10))
    assert most == {"a": 1, "b": 1}


async def test_a_host_that_closed_is_not_waited_for_and_opens_again() -> None:
    clock = Clock()
    turns = Turns(0, monotonic=clock)
    turns.close("a", 3600)
    turns.close("a", 10)
    with pytest.raises(PacedError) as caught:
        async with turns.turn("a"):
            pass
    assert caught.value.wait_seconds == 3600
    async with turns.turn("b"):
        pass
    clock.now += 3601
    async with turns.turn("a"):
        pass


async def test_the_pause_is_the_longer_of_ours_and_the_hosts() -> None:
    clock = Clock()
    turns = Turns(100, monotonic=clock)
    async with turns.turn("a"):
        pass
    with pytest.raises(PacedError) as caught:
        async with turns.turn("a"):
            pass
    assert caught.value.wait_seconds == 100
    slow = Turns(0, monotonic=clock)
    slow.slow_down("a", 86_400)
    async with slow.turn("a"):
        pass
    assert slow._of("a").free_at == clock.now + LONGEST_INTERVAL_SECONDS


async def test_a_turn_that_fails_gives_the_host_back() -> None:
    turns = Turns(0)
    with pytest.raises(RuntimeError):
        async with turns.turn("a"):
            raise RuntimeError
    async with turns.turn("a"):
        pass


async def test_hosts_are_forgotten_but_for_those_that_closed() -> None:
    clock = Clock()
    turns = Turns(0, monotonic=clock)
    turns.close("closed", 3600)
    for number in range(5000):
        async with turns.turn(f"host{number}"):
            pass
        clock.now += 0.01
    assert len(turns._hosts) <= 2001
    assert "closed" in turns._hosts
