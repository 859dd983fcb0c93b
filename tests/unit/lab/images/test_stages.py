"""Which stages of a Dockerfile a target needs."""

import pytest

from lab.images import stages

DOCKERFILE = """\
# What this is for.
FROM python:3.11-slim AS packages
RUN pip install x

FROM packages AS sources
COPY a b

FROM packages AS base
COPY --from=sources /all /srv

FROM node:20-slim AS assets
RUN npm ci

FROM base AS auth
COPY --from=sources /all/auth /srv/auth

FROM base AS site
COPY --from=assets /assets /srv/assets

FROM auth AS auth-test
COPY --from=python:3.11-slim /usr/bin /opt
"""


def names(found):
    return [stage.name for stage in found]


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        (["packages"], ["packages"]),
        (["assets"], ["assets"]),
        (["auth"], ["packages", "sources", "base", "auth"]),
        (["auth-test"], ["packages", "sources", "base", "auth", "auth-test"]),
        (["site", "auth"], ["packages", "sources", "base", "assets", "auth", "site"]),
    ],
)
def test_a_target_needs_what_it_begins_with_and_copies_from(targets, expected):
    assert names(stages.needed(stages.parse(DOCKERFILE), targets)) == expected


def test_a_pruned_file_ends_with_the_target_and_has_each_stage_whole():
    text = stages.pruned(stages.parse(DOCKERFILE), "site")
    assert names(stages.parse(text)) == ["packages", "sources", "base", "assets", "site"]
    assert text.endswith("COPY --from=assets /assets /srv/assets\n\n")
    assert "RUN pip install x\n" in text


def test_all_stages_together_are_the_file_without_its_head():
    whole = "".join(stage.text for stage in stages.parse(DOCKERFILE))
    assert "# What this is for.\n" + whole == DOCKERFILE
