"""One cluster of three managers for all scenarios; each launches and terminates its own workers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from farm import HASTY, SERVICES, Farm
from scenario import Scenario

from lab.client import Lab
from lab.load import ingress


@pytest.fixture(scope="session")
def cluster():
    """Three managers and three spot workers that joined by themselves; each worker's own."""
    name = f"tests-{os.environ.get('PYTEST_XDIST_WORKER', 'one')}"
    lab = Lab.up(name=name, managers=3, workers=3, leader=HASTY)
    try:
        lab.wait_nodes(6, within=120)
        yield lab
    finally:
        lab.down()


@pytest.fixture
def scenario(cluster, request):
    """A clean start: six nodes; what the test launches is terminated after it."""
    begun = Scenario(cluster)
    yield begun
    if getattr(request.node, "failed", False):
        print(begun.last_words())
    begun.end()


@pytest.fixture(scope="session")
def served(cluster):
    """The ingress on all managers, and services behind it."""
    ingress.open_ingress(cluster)
    ingress.deploy(cluster, *SERVICES)
    return cluster


@pytest.fixture
def farm(served, request):
    """Three workers at least, all services served, and nothing under way."""
    begun = Farm(served)
    begun.begin()
    yield begun
    if getattr(request.node, "failed", False):
        print(begun.last_words())
    begun.end()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed:
        item.failed = True
    return report


@pytest.fixture(scope="session")
def others_secrets(cluster, tmp_path_factory):
    """User data of another cluster of the same name: other CA, password and leader's key."""
    directory = tmp_path_factory.mktemp("others") / "secrets"
    command = [sys.executable, "-m", "cli", "init", "--cluster", "demo"]
    command += ["--address", str(cluster.places.leader_address), "--directory", str(directory)]
    made = subprocess.run(command, check=True, capture_output=True, text=True)
    return made.stdout
