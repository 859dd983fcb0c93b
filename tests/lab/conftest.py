"""One cluster of three managers for all scenarios of a process; each launches its own workers.

With pytest-xdist one process runs most files on one cluster from the start. The site's files follow
the contract tests, on a second cluster in the process that is free first.
"""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from farm import HASTY, SERVICES, Farm
from owning import own
from scenario import PATIENCE, Scenario

from lab.client import Lab
from lab.engines import DEFAULT, ENGINES
from lab.host import LabError
from lab.load import ingress
from lab.places import NAME_VARIABLE

SITE = {"test_images", "test_website"}
"""The files whose time goes into building and running the site; they have their own xdist group."""
CLUSTER = pytest.StashKey[Lab]()
SERVED = pytest.StashKey[Lab]()
"""The cluster that the services were deployed to."""
NEWEST_FIELDS = {
    "20.10": (),
    "26.1": ("--health-start-interval=500ms",),
    "28.5": ("--health-start-interval=500ms", "--oom-score-adj=100"),
}
"""What the specs of services have that older engines do not know: it must survive every move."""
PACKAGE = pytest.StashKey[str]()


def pytest_addoption(parser):
    parser.addoption(
        "--engine",
        default=DEFAULT,
        choices=list(ENGINES),
        help="The Docker engine of the lab's machines; `-m engines` is what runs on each.",
    )


def pytest_report_header(config):
    return f"lab engine: {config.getoption('engine')}"


def pytest_terminal_summary(terminalreporter, config):
    if package := config.stash.get(PACKAGE, ""):
        terminalreporter.write_line(f"the lab's machines ran the package docker.io {package}")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        if is_ours(item):
            group = "website" if item.path.stem in SITE else "cluster"
            item.add_marker(pytest.mark.xdist_group(group))
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=_turn)


def _turn(item):
    """Sort scenarios, contract tests, the site, the rest: two clusters at once are too much."""
    if is_ours(item):
        return 2 if item.path.stem in SITE else 0
    return 1 if "contract" in item.path.parts else 3


def is_ours(item):
    return Path(__file__).parent == item.path.parent


@pytest.fixture(scope="module")
def cluster(pytestconfig):
    """Three managers and three spot workers that joined by themselves.

    They stay up until the process has a test of another folder to run, or none.
    """
    if (lab := pytestconfig.stash.get(CLUSTER, None)) is not None:
        return lab
    # With another name in the environment two checkouts can be tested at the same time.
    name = os.environ.get(NAME_VARIABLE, "tests")
    name += f"-{os.environ.get('PYTEST_XDIST_WORKER', 'one')}"
    own(name)
    engine = pytestconfig.getoption("engine")
    lab = Lab.up(name=name, managers=3, workers=3, engine=engine, leader=HASTY)
    pytestconfig.stash[CLUSTER] = lab
    pytestconfig.stash[PACKAGE] = lab.engine_package()
    try:
        lab.wait_nodes(6, within=PATIENCE * 60)
    except LabError:
        take_down(pytestconfig)
        raise
    return lab


def pytest_sessionfinish(session):
    take_down(session.config)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item, nextitem):
    """Take the cluster down when no scenario follows: the process may have other tests to run."""
    yield
    if nextitem is None or not is_ours(nextitem):
        take_down(item.config)


def take_down(config):
    if lab := config.stash.get(CLUSTER, None):
        del config.stash[CLUSTER]
        lab.down()


@pytest.fixture
def scenario(cluster, request):
    """A clean start: six nodes; what the test launches is terminated after it."""
    begun = Scenario(cluster)
    yield begun
    if getattr(request.node, "failed", False):
        print(begun.last_words())
    begun.end()


@pytest.fixture(scope="module")
def seldom(pytestconfig):
    """Fields of a service that make its health checks rarer once a task is healthy.

    Each check starts a process, and ten checks a second need a good part of a processor. Engines
    without a separate interval for the start check every second.
    """
    newest = NEWEST_FIELDS[pytestconfig.getoption("engine")]
    return {"extra": newest, **({"health_interval_seconds": 15.0} if newest else {})}


@pytest.fixture(scope="module")
def served(cluster, seldom, request):
    """The ingress on all managers, and services behind it; deployed once to each cluster."""
    if request.config.stash.get(SERVED, None) is cluster:
        return cluster
    ingress.open_ingress(cluster)
    ingress.deploy(cluster, *(replace(service, **seldom) for service in SERVICES))
    request.config.stash[SERVED] = cluster
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


@pytest.fixture(scope="module")
def others_secrets(cluster, tmp_path_factory):
    """User data of another cluster of the same name: other CA, password and leader's key."""
    directory = tmp_path_factory.mktemp("others") / "secrets"
    command = [sys.executable, "-m", "cli", "init", "--cluster", "demo"]
    command += ["--address", str(cluster.places.leader_address), "--directory", str(directory)]
    made = subprocess.run(command, check=True, capture_output=True, text=True)
    return made.stdout
