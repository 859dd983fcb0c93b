"""The traffic against a real service: what is lost is counted, whatever way it was lost."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ports import free_port
from waiting import PATIENCE

from lab.load import traffic

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def service() -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "lab.load.app"],
        cwd=REPOSITORY,
        env=os.environ | {"PORT": str(port), "LINGER_SECONDS": "0"},
        stderr=subprocess.DEVNULL,
    )
    yield f"127.0.0.1:{port}", process
    process.kill()
    process.wait()


async def serves(address: str) -> bool:
    host, port = address.split(":")
    with socket.socket() as sock:
        return sock.connect_ex((host, int(port))) == 0


async def test_requests_to_a_service_that_ended_are_lost_from_then_on(
    service: Any, eventually: Any
) -> None:
    address, process = service
    await eventually(lambda: serves(address))
    with traffic.start(traffic.Plan([address], ["a", "b"], rate=50, seconds=3)) as flowing:
        process.kill()
        process.wait()
        report = flowing.finished()

    assert report.sent == pytest.approx(300, abs=3)
    assert set(report.losses) <= {"not connected", "cut", "reset"}
    assert report.fates[-1].outcome == "not connected"
    assert report.of("a").sent + report.of("b").sent == report.sent


async def test_an_answer_that_does_not_come_in_time_is_lost(service: Any, eventually: Any) -> None:
    address, _ = service
    await eventually(lambda: serves(address))
    plan = traffic.Plan([address], ["a"], rate=10, seconds=1, timeout_seconds=0.3, path="/slow/5")
    report = traffic.start(plan).finished()

    assert report.sent == report.lost > 0
    assert set(report.losses) == {"timed out"}


async def test_traffic_that_is_stopped_reports_what_was_in_flight_too(
    service: Any, eventually: Any
) -> None:
    address, _ = service
    await eventually(lambda: serves(address))
    flowing = traffic.start(traffic.Plan([address], ["a"], rate=50, path="/slow/4"))
    await eventually(lambda: serves(address))
    report = flowing.stop()

    assert report.sent == report.ok > 0
    assert report.lag() < 2 * PATIENCE
