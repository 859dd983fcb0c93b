"""What Dockerfiles keep to, so that any builder can build them and the lab has their bases."""

import re

import pytest

from lab.cluster import REPOSITORY
from lab.images import bases, building

PRODUCTION = (REPOSITORY / "services/Dockerfile.prod").read_text(encoding="utf-8")
DOCKERFILES = sorted((REPOSITORY / "services").rglob("Dockerfile*"))
SERVICES = sorted(at.parent.name for at in (REPOSITORY / "services").glob("*/__main__.py"))


@pytest.fixture(params=DOCKERFILES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def dockerfile(request):
    return request.param.read_text(encoding="utf-8")


def stage(name):
    """The instructions of one stage of the production file."""
    return next(
        part.partition("\n")[2]
        for part in re.split(r"^FROM ", PRODUCTION, flags=re.MULTILINE)
        if part.partition("\n")[0].endswith(f" AS {name}")
    )


def test_nothing_is_asked_of_a_builder_that_not_every_builder_has(dockerfile):
    assert not re.search(r"^# *(syntax|escape) *=", dockerfile, re.MULTILINE)
    assert not re.search(r"^(ARG|ADD) ", dockerfile, re.MULTILINE)
    assert "--mount" not in dockerfile
    assert "<<" not in dockerfile


def test_no_file_names_where_packages_come_from(dockerfile):
    assert not re.search(r"index-url|--registry|--proxy|trusted-host", dockerfile)


def test_packages_are_installed_by_hash_and_leave_no_cache(dockerfile):
    for command in re.findall(r"pip install(?:.|\\\n)*", dockerfile):
        assert "--require-hashes" in command
        assert "--no-cache-dir" in command
    assert "npm install" not in dockerfile


def test_images_stand_on_what_the_labs_registry_has(dockerfile):
    stages = set(re.findall(r" AS (\S+)$", dockerfile, re.MULTILINE))
    provided = {"python:3.11-slim", *bases.names()}
    assert set(re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)) <= stages | provided


def test_every_service_has_an_image_and_a_test_build():
    assert set(SERVICES) <= set(building.services())
    for name in building.services():
        assert f"FROM {name} AS {name}-test\n" in PRODUCTION


@pytest.mark.parametrize("name", building.services())
def test_an_image_runs_its_own_service_and_has_no_other(name):
    asked = stage(name)
    assert f'ENTRYPOINT ["python", "-m", "services.{name}"]' in asked
    assert set(re.findall(r"/all/services/(\w+)", asked)) == {name}


def test_services_run_as_nobody_in_particular_and_are_asked_how_they_are():
    base = stage("base")
    assert "USER 10001:10001" in base
    assert "STOPSIGNAL SIGTERM" in base
    assert re.search(r'^HEALTHCHECK .* CMD \["/srv/healthy"\]$', base, re.MULTILINE)
    assert re.findall(r"^USER .*", PRODUCTION, re.MULTILINE) == ["USER 10001:10001"]


def test_what_compiles_bytecode_is_not_told_to_leave_it():
    assert "PYTHONDONTWRITEBYTECODE" not in PRODUCTION


def test_only_what_images_are_made_of_reaches_the_engine():
    rules = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [rule for rule in rules if rule and not rule.startswith("#")]
    assert rules[0] == "*"
    let_in = [rule for rule in rules if rule.startswith("!")]
    assert rules.index("**/.env") > rules.index(let_in[-1])
    for asked in re.findall(r"^COPY (?!--from)(.+) \S+$", PRODUCTION, re.MULTILINE):
        for source in asked.split():
            if source != "tests":
                assert any(source.startswith(rule[1:]) for rule in let_in), source
