"""Managers run one engine and workers another; the workers are replaced under load."""

import json

import pytest
from farm import HASTY, SERVICES, Farm
from scenario import eventually

from lab.client import Lab
from lab.load import ingress

MANAGERS, OLD, NEW = "26.1", "20.10", "28.5"
WORKERS = 2


@pytest.fixture
def farm():
    """A manager, and workers with an older engine that serve everything."""
    lab = Lab.up(name="tests-mixed", managers=1, workers=0, engine=MANAGERS, leader=HASTY)
    try:
        farm = Farm(lab)
        old = farm.launch(count=WORKERS, engine=OLD)
        lab.wait_nodes(1 + WORKERS, within=120)
        farm.serves(*old)
        ingress.open_ingress(lab)
        ingress.deploy(lab, *SERVICES)
        ingress.wait_served(lab, *SERVICES)
        yield farm
    finally:
        lab.down()


def test_workers_are_rolled_to_a_newer_engine_under_load(farm):
    (manager,) = ingress.managers(farm.lab)
    old = [farm.lab.machine(instance) for instance in farm.workers()]
    assert manager.record.engine.startswith(f"{MANAGERS}.")
    assert all(machine.record.engine.startswith(f"{OLD}.") for machine in old)

    with farm.under_load():
        new = farm.launch(count=WORKERS, engine=NEW)
        farm.serves(*new, within=90)
        for machine in old:
            drained = manager.run("spotswarm", "drain", machine.hostname, "--json", timeout=150)
            outcome = json.loads(drained.stdout)["outcome"]
            assert outcome["state"] == "drained"
            assert not outcome["cut_off"]
            assert not outcome["not_moved"]
            farm.lab.terminate(machine.instance)
        farm.goes(*(machine.instance for machine in old))
        eventually(
            lambda: all(farm.is_whole(service.name) for service in SERVICES),
            every=0.5,
            what="all tasks on the new workers",
        )

    versions = {machine.record.engine for machine in new}
    print(f"workers went from {OLD} to {versions} under a manager with {manager.record.engine}")
    # Debian testing moves: it is at least as new as the one that gave it its name.
    assert all(major(version) >= major(NEW) for version in versions)
    assert {row["instance"] for row in farm.nodes()} == {
        machine.instance for machine in (manager, *new)
    }


def major(version):
    return int(version.partition(".")[0])
