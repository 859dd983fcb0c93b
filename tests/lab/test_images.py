"""Images that an engine of the lab builds from the Dockerfiles: what they can do, and lack."""

import json

import pytest
from scenario import eventually

from lab.images import building, registry
from lab.load import ingress

HARDENED = ("--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges")


@pytest.fixture(scope="module")
def built(cluster):
    return building.build(cluster, ["cp_simulator"], tests=True)


@pytest.fixture(scope="module")
def engine(cluster, built):
    return building.engine(cluster, built.instance)


def in_image(engine, image, script):
    options = ("--rm", "--network=none", *HARDENED, "--entrypoint=bash")
    return engine.run("run", *options, image, "-euc", script)


@pytest.fixture
def running(engine, built):
    """Start an image with what a service is given in production."""
    begun = []

    def start(name):
        begun.append(engine.run("run", "--detach", *HARDENED, built.images[name]).strip())
        return begun[-1]

    yield start
    for container in begun:
        engine.run("rm", "--force", container)


def state(engine, container):
    return json.loads(engine.run("inspect", "--format={{json .State}}", container))


def layers(engine, image):
    """The id of the image after each of its steps, newest first, and the step."""
    shown = engine.run("history", "--no-trunc", "--format={{.ID}} {{.CreatedBy}}", image)
    return shown.splitlines()


def test_a_production_image_has_no_tests_and_nothing_to_run_them(engine, built):
    image = built.images["cp_simulator"]
    # What this user may not even look into is nothing that it could run.
    strangers = (
        "-name 'self_test*' -o -path '*/srv/tests*' -o -path '/srv/*/test_*.py' -o -name .env"
    )
    assert in_image(engine, image, f"find / -xdev {strangers} 2>/dev/null || true") == ""
    packages = in_image(engine, image, "pip list --disable-pip-version-check").lower().split()
    assert "aiohttp" in packages
    assert not {"pytest", "coverage", "hypothesis", "watchfiles"} & set(packages)


def test_an_image_has_one_service_compiled_and_nothing_it_can_write(engine, built):
    said = in_image(
        engine,
        built.images["cp_simulator"],
        "id -u; ls -d services/*/ | grep -v pycache; ls services/cp_simulator/__pycache__ | wc -l;"
        " find / -xdev -type f -writable 2>/dev/null || true",
    )
    user, *folders, compiled = said.split()
    assert user == "10001"
    assert folders == ["services/cp_simulator/", "services/peers/", "services/stores/"]
    assert int(compiled) > 1


def test_an_image_says_what_it_is(engine, built):
    image = built.images["cp_simulator"]
    told = json.loads(engine.run("image", "inspect", "--format={{json .Config.Labels}}", image))
    assert told["org.opencontainers.image.version"] == built.version
    assert told["org.opencontainers.image.title"] == "spotswarm/cp_simulator"


def test_a_service_is_healthy_as_nobody_on_a_read_only_disk_and_ends_when_told(engine, running):
    container = running("cp_simulator")
    eventually(
        lambda: state(engine, container)["Health"]["Status"] == "healthy",
        within=60,
        what="a healthy service",
    )
    engine.run("stop", "--time=30", container)
    assert state(engine, container)["ExitCode"] == 0


def test_a_test_build_can_run_its_services_tests(engine, built):
    said = in_image(
        engine,
        built.images["cp_simulator-test"],
        "python -m pytest --version; ls tests/unit/services",
    )
    assert said.startswith("pytest ")
    assert "cp_simulator" in said


def test_what_was_built_once_is_found_again(cluster, engine, built):
    image = built.images["cp_simulator"]
    before = layers(engine, image)
    building.build(cluster, ["cp_simulator"], tag=built.version)
    assert layers(engine, image) == before


def test_machines_share_a_disk_as_on_aws(cluster):
    first, *others = ingress.managers(cluster)
    first.write("/mnt/efs/shared", "by all")
    for one in others:
        assert one.run("cat", "/mnt/efs/shared").stdout == "by all"
    first.run("rm", "/mnt/efs/shared")


def test_an_engine_gets_official_images_from_the_lab(cluster, engine, built):
    registry.start(cluster.places)
    engine.run("pull", "--quiet", "redis:7", timeout=120)
    said = engine.run("run", "--rm", "--network=none", "redis:7", "redis-server", "--version")
    assert "v=7" in said
