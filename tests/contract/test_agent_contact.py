"""How an agent finds out whether anybody of its cluster can be reached."""

import socket
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from instances import INSTANCE
from ports import free_port

from agent.edges import broker as agent_broker
from agent.edges.contact import Contact
from leader.edges.broker.connection import Broker
from runtime import clock
from runtime.errors import UnavailableError
from wire.messages import Heartbeat


async def nobody() -> bool:
    return False


async def unreachable() -> bool:
    raise UnavailableError("the broker is not responding")


async def test_any_manager_that_accepts_a_connection_counts_as_contact(tmp_path: Path) -> None:
    began = clock.monotonic()
    contact = Contact(tmp_path / "contact", nobody)
    with socket.create_server(("127.0.0.1", 0)) as manager:
        there, away = (f"127.0.0.1:{port}" for port in (manager.getsockname()[1], free_port()))
        looks = [await contact.check((there, away)) for _ in range(4)]

    assert {missed for _, missed in looks} == {0, 1}, "each is tried in turn"
    elapsed = timedelta(seconds=clock.monotonic() - began)
    assert all(silent <= elapsed for silent, _ in looks)


async def test_silence_is_counted_across_restarts_of_the_agent(tmp_path: Path) -> None:
    managers = (f"127.0.0.1:{free_port()}",)
    for turn in range(1, 4):
        silent, missed = await Contact(tmp_path / "contact", unreachable).check(managers)
        assert missed == turn
    assert silent > timedelta()


@pytest.mark.parametrize("text", ["", "{}", "null", '{"heard": 1e99, "missed": 5}', '{"heard":'])
async def test_a_spoilt_record_of_contact_starts_the_count_again(tmp_path: Path, text: str) -> None:
    (tmp_path / "contact").write_text(text)
    began = clock.monotonic()
    silent, missed = await Contact(tmp_path / "contact", nobody).check(())

    assert missed == 1
    assert silent <= timedelta(seconds=clock.monotonic() - began)


async def test_if_no_manager_answers_the_leaders_heartbeat_counts_as_contact(
    cluster: Any, broker: Broker, tmp_path: Path
) -> None:
    def new() -> Contact:
        return Contact(tmp_path / "contact", lambda: agent_broker.is_leader_there(cluster.told()))

    assert (await new().check(()))[1] == 1
    beat = Heartbeat(cluster="contract", leader=INSTANCE, at=clock.now())
    await broker.beat(beat)
    contact = new()
    assert await contact.check(()) == (timedelta(), 0)
    assert (await contact.check(()))[1] == 1, "the broker is not asked at every check"
