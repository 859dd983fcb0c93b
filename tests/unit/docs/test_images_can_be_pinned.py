"""An image from outside has a variable, by which an operator can pin it to a digest."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
STACKS = sorted((ROOT / "compose").glob("*.yml"))
OURS = ("${REGISTRY:-localhost:5000}/spotswarm/", "spotswarm/")


@pytest.mark.parametrize("stack", STACKS, ids=lambda path: path.name)
def test_every_image_from_outside_can_be_pinned(stack):
    names = re.findall(r"^ +image: (.+)$", stack.read_text(), re.MULTILINE)
    variables = (ROOT / ".env.example").read_text()

    assert names
    for name in names:
        if name.startswith(OURS):
            continue
        match = re.fullmatch(r"\$\{(\w+_IMAGE):-[^}@]+\}", name)
        assert match is not None, name
        assert f"#{match[1]}=" in variables
