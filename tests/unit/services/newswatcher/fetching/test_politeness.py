"""Turns at a host, with the test's own clock."""

import asyncio

import pytest

from services.newswatcher.fetching.politeness import LONGEST_INTERVAL_SECONDS, PacedError, Turns


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_each_host_has_one_request_at_a_time() -> None:
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


async def test_nothing_waits_for_a_closed_host_until_it_opens() -> None:
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


async def test_a_failed_turn_releases_the_host() -> None:
    turns = Turns(0)
    with pytest.raises(RuntimeError):
        async with turns.turn("a"):
            raise RuntimeError
    async with turns.turn("a"):
        pass


async def test_hosts_are_forgotten_except_closed_ones() -> None:
    clock = Clock()
    turns = Turns(0, monotonic=clock)
    turns.close("closed", 3600)
    for number in range(5000):
        async with turns.turn(f"host{number}"):
            pass
        clock.now += 0.01
    assert len(turns._hosts) <= 2001
    assert "closed" in turns._hosts
