"""The expected answers follow swarmkit's PlatformFilter."""

import pytest

from wire.platforms import platform_text, platforms_of, runs_on

INTEL, ARM = ("linux", "x86_64"), ("linux", "aarch64")


@pytest.mark.parametrize(
    ("node", "platforms", "expected"),
    [
        (INTEL, (), True),
        (INTEL, (("linux", "amd64"),), True),
        (INTEL, (("linux", "x86_64"),), True),
        (ARM, (("linux", "arm64"),), True),
        (ARM, (("linux", "amd64"),), False),
        (ARM, (("linux", "amd64"), ("linux", "arm64")), True),
        (INTEL, (("windows", "amd64"),), False),
        (INTEL, (("", "amd64"),), True),
        (ARM, (("linux", ""),), True),
        (("linux", "armv7l"), (("linux", "arm"),), False),
        # Swarm counts a node that has not told its platform as unsuitable.
        (("", ""), (("linux", "amd64"),), False),
    ],
)
def test_a_node_runs_the_images_that_swarm_would_let_it_run(node, platforms, expected):
    assert runs_on(node, platforms) is expected


def test_platforms_are_read_from_a_placement():
    listed = [{"Architecture": "amd64", "OS": "linux"}, {"OS": "linux"}, {}]

    assert platforms_of({"Platforms": listed}) == (("linux", "amd64"), ("linux", ""), ("", ""))
    assert platforms_of({"Platforms": None}) == platforms_of({}) == platforms_of(None) == ()


def test_a_platform_is_written_as_docker_writes_it():
    assert platform_text(ARM) == "linux/arm64"
    assert platform_text(("", "")) == "any"
