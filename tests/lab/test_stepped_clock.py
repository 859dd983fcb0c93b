"""Somebody sets the leader's clock by an hour, forward and back; nothing is lost or removed."""

import json
import shutil
import time
from contextlib import contextmanager
from pathlib import Path

from scenario import eventually

LIBRARY = "/usr/local/lib/libfaketime.so.1"
CLOCK = "/etc/spotswarm/leader-clock"
HOUR = 3600


@contextmanager
def settable_clock(farm):
    """Run the leader daemon with a clock of its own; yields a function that sets it.

    It waits until the leader's status says so: Redis, which has the same clock, may restart.
    """
    leader = farm.leader()
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    shutil.copyfile(library, leader.root / LIBRARY.lstrip("/"))

    def set_clock(seconds):
        leader.write(CLOCK, f"{seconds:+d}\n", mode=0o644)

        def is_set():
            said = leader.run("spotswarm", "status", "--json", check=False).stdout
            step = json.loads(said).get("clock_step_seconds") if said else None
            return step is not None and abs(step - seconds) < 5

        eventually(is_set, every=0.3, what=f"a step of {seconds} s in the status")

    leader.write(CLOCK, "+0\n", mode=0o644)
    leader.write(
        "/etc/spotswarm/leader.env",
        f"LD_PRELOAD={LIBRARY}\nFAKETIME_TIMESTAMP_FILE={CLOCK}\nFAKETIME_NO_CACHE=1\n"
        "FAKETIME_DONT_FAKE_MONOTONIC=1\n",
    )
    leader.run("systemctl", "restart", "spotswarm-leader", timeout=60)
    try:
        yield set_clock
    finally:
        leader.run("rm", "-f", "/etc/spotswarm/leader.env", CLOCK)
        leader.run("systemctl", "restart", "spotswarm-leader", timeout=60)


def test_a_clock_that_jumps_an_hour_delays_no_deadline_and_removes_nothing(farm):
    taken = farm.runs("single")
    down = next(one for one in farm.workers() if one != taken)
    # The unhurried setting keeps the node that is Down for as long as the clock is not believed.
    with farm.leader_settings(down_seconds=600), settable_clock(farm) as set_clock:
        with farm.under_load(loses_nothing=False):
            farm.lab.partition(down)
            farm.shows(down, within=20, status="down")
            time.sleep(1)
            for step in (HOUR, -HOUR, 0):
                set_clock(step)
                time.sleep(2)
            farm.lab.heal(down)
            farm.shows(down, status="ready")
        assert not {"RemoveNode", "TerminateInstance"} & set(dict(farm.decided(down)))
        assert farm.state(down) == "running"

        before = farm.metrics()
        with farm.under_load():
            farm.lab.market.interrupt(taken)
            farm.lends()
            set_clock(HOUR)
            time.sleep(2)
            set_clock(-HOUR)
            farm.lab.launch()
            farm.goes(taken)
            set_clock(0)

        after, decided = farm.metrics(), dict(farm.decided(taken))
        assert "every task that could be moved has been moved" in decided["DrainNode"]
        for name in ("spotswarm_tasks_cut_off_total", "spotswarm_tasks_unmoved_total"):
            assert after[name] == before[name]
