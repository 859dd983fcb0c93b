"""Stack files are read as Docker reads them: a corpus goes through its client and through us."""

import asyncio
import hashlib
import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from engines import Machine
from programs import needs
from typer.testing import CliRunner

from cli.__main__ import app
from cli.deploy.inputs import read_stack
from cli.deploy.reading.handover import files_of
from leader.edges.docker.swarm import Swarm
from wire.labels import LABEL_JOB

CORPUS = Path(__file__).parent / "corpus"
IMAGE = "127.0.0.1:1/busybox:1"
RUNS = "trap 'exit 0' TERM; echo up; while :; do /bin/busybox sleep 0.2; done"
ABOVE = {"files-first": ["files-second"]}
NAMES = sorted({file.stem for file in CORPUS.glob("*.yml")} - {"files-second"})
VALUES = {
    "SET": "value",
    "EMPTY": "",
    "THREE": "3",
    "YES": "yes",
    "OFF": "off",
    "RATIO": "0.5",
    "LEADING_ZERO": "0444",
    "FOLDER": "./files",
    "FROM_CLIENT": "client",
    "SECONDS": "5",
    "DOMAIN": "localhost",
    "VERSION": "1",
}


def files(name: str) -> list[Path]:
    return [CORPUS / f"{stem}.yml" for stem in [name, *ABOVE.get(name, [])]]


def environment(home: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(home)} | VALUES


def by_docker(*command: str, home: Path, text: str | None = None, directory: Path = CORPUS) -> str:
    ended = subprocess.run(
        [needs("docker"), *command],
        input=text,
        cwd=directory,
        env=environment(home),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert not ended.returncode, ended.stderr
    return ended.stdout


def by_us(
    name: str,
    directory: Path,
    *options: str,
    home: Path,
    host: str = "unix:///dev/null/none",
    **variables: str,
) -> subprocess.CompletedProcess[str]:
    """Our command, in this process: an interpreter's start takes longer than most of the tests."""
    env_file = home / "env"
    env_file.write_text("DOMAIN=localhost\n")
    command = [
        *("deploy", name, f"--env-file={env_file}", f"--directory={directory}"),
        *("--resolve-image=never", "--timeout=240", *options),
    ]
    ended = CliRunner().invoke(
        app,
        command,
        env=environment(home) | {"DOCKER_HOST": host} | variables,
        catch_exceptions=False,
    )
    return subprocess.CompletedProcess(command, ended.exit_code, ended.stdout, ended.stderr)


def options_of(name: str) -> list[str]:
    return [f"--compose-file={file}" for file in files(name)[1:]]


def comparable(text: str) -> dict[str, Any]:
    """Docker's reading, without extension fields and the names of configs, which are ours."""
    document = {key: part for key, part in yaml.safe_load(text).items() if not key.startswith("x-")}
    for config in document.get("configs", {}).values():
        config.pop("name", None)
    return document


@pytest.mark.parametrize("name", NAMES)
def test_docker_reads_our_document_as_it_reads_the_file(name: str, tmp_path: Path) -> None:
    theirs = by_docker(
        *("stack", "config"), *(f"--compose-file={file}" for file in files(name)), home=tmp_path
    )

    stack = read_stack(name, CORPUS, environment(tmp_path), overlays=files(name)[1:])
    with files_of(stack) as handed:
        ours = by_docker(
            *("stack", "config", *handed.options),
            home=tmp_path,
            text=handed.text,
            directory=handed.directory,
        )

    assert comparable(ours) == comparable(theirs)


class Corpus:
    """A swarm of one node, in which a stack is deployed by Docker's client and by us."""

    def __init__(self, manager: Machine, home: Path) -> None:
        self.manager, self.home = manager, home

    def docker(self, *command: str) -> str:
        return by_docker("-H", self.manager.url, *command, home=self.home)

    def deploy(
        self, name: str, directory: Path, *options: str, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Call this in the main thread, where our command can handle signals."""
        host = self.manager.url
        return by_us(name, directory, *options, home=self.home, host=host, **variables)

    def specs(self) -> dict[str, Any]:
        """The spec of every service in the engine, without what is ours.

        These are the names and ids of configs, and the label of jobs.
        """
        ids = self.docker("service", "ls", "--quiet").split()
        rows = json.loads(self.docker("service", "inspect", *ids))
        for row in rows:
            row["Spec"]["Labels"].pop(LABEL_JOB, None)
            for config in row["Spec"]["TaskTemplate"]["ContainerSpec"].get("Configs") or ():
                del config["ConfigName"], config["ConfigID"]
        return {row["Spec"]["Name"]: row["Spec"] for row in rows}

    def in_container(self, name: str, *command: str) -> str:
        container = self.manager.docker("ps", "--quiet", "--filter", f"name={name}")
        assert container, "no container runs"
        return self.manager.docker("exec", container.split()[0], *command)

    def write(self, services: Mapping[str, Any], **parts: Any) -> None:
        text = yaml.safe_dump({"version": "3.8", "services": dict(services)} | parts)
        (self.home / "services.yml").write_text(text)


@pytest.fixture
async def corpus(
    swarm: Swarm,
    engines: list[Machine],
    busybox: bytes,
    tmp_path: Path,
) -> Any:
    manager = engines[0]
    await asyncio.to_thread(manager.load, IMAGE, busybox)
    before = set(manager.docker("network", "ls", "--format", "{{.Name}}").split())
    yield Corpus(manager, tmp_path)
    await asyncio.to_thread(manager.remove_services)
    # An engine can forget the container of a job that was removed while it started.
    await asyncio.to_thread(manager.remove_containers)
    for kind in ("secret", "config"):
        if names := manager.docker(kind, "ls", "--quiet").split():
            manager.docker(kind, "rm", *names)
    after = set(manager.docker("network", "ls", "--format", "{{.Name}}").split())
    if made := after - before:
        manager.docker("network", "rm", *sorted(made), check=False)


@pytest.mark.parametrize("name", NAMES)
async def test_the_engine_gets_the_same_services(corpus: Corpus, name: str):
    """We deploy over what Docker's client has deployed: no field of a service may change."""
    if name == "external":
        corpus.docker("network", "create", "--driver=overlay", "corpus-outside")
        key = corpus.home / "key"
        key.write_text("a key")
        corpus.docker("secret", "create", "outside", str(key))
    stated = [f"--compose-file={file}" for file in files(name)]
    corpus.docker("stack", "deploy", *stated, "--resolve-image=never", name)
    theirs = corpus.specs()

    ended = corpus.deploy(name, CORPUS, "--no-wait", *options_of(name))

    assert ended.returncode == 0, ended.stderr
    assert corpus.specs() == theirs


SERVICE = {"image": "web:1"}


def stack(**changes: Any) -> str:
    return yaml.safe_dump({"version": "3.8", "services": {"web": SERVICE | changes}})


REFUSED = {
    "unknown key": (stack(foo=1), "services.yml: services.web.foo: docker stack knows no such key"),
    "unknown part": (
        "services: {web: {image: x}}\nfoo: 1",
        "services.yml: foo: docker stack knows",
    ),
    "quoted number": (stack(deploy={"replicas": "2"}), "services.web.deploy.replicas must be a"),
    "wrong word": (stack(read_only="maybe"), "services.web.read_only must be a boolean"),
    "wrong port": (stack(ports=["a:b"]), "services.yml: "),
    "wrong duration": (stack(stop_grace_period="soon"), "services.yml: "),
    "empty bind": (stack(volumes=[{"type": "bind", "target": "/x"}]), "Source must not be empty"),
    "broken": ("services: [\n  web: {", "services.yml, line "),
    "twice": (
        "services:\n  web:\n    image: x\n    tty: true\n    tty: false\n",
        "services.yml: services.web: the key tty is defined on line 4 and again on line 5",
    ),
    "no image": ("services: {web: {deploy: {replicas: 1}}}", "service web has no image"),
    "nothing": ("services:\n  web:\n", "service web says nothing; it needs an image"),
    "undefined volume": (
        stack(volumes=["data:/data"]),
        "services.web.volumes: data is not defined",
    ),
    "undefined network": (stack(networks=["no"]), "services.web.networks: no is not defined"),
    "forbidden": (stack(mem_limit="5m"), "services.web.mem_limit: docker stack does not accept"),
    "dollar": (stack(command=["costs $5"]), "services.web.command.[]: a $ begins no variable"),
    "cast": (
        stack(tty="${DOMAIN}"),
        "services.web.tty: the variable's value must be true or false",
    ),
    "long name": (
        yaml.safe_dump({"version": "3.8", "services": {"w" * 60: SERVICE}}),
        "has 69 characters, and Swarm allows 63",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_docker_refuses_is_refused_before_an_engine_is_asked(
    name: str, tmp_path: Path
) -> None:
    text, error = REFUSED[name]
    (tmp_path / "services.yml").write_text(text)

    ended = by_us("services", tmp_path, home=tmp_path)

    assert ended.returncode == 2, ended.stderr
    assert error in ended.stderr
    lines = ended.stderr.strip().splitlines()
    assert lines[0].startswith("error: services.yml"), lines
    assert lines[-1].startswith("next:  correct ")
    assert str(tmp_path / "services.yml") in lines[-1]


async def test_binary_secrets_and_texts_of_configs_reach_the_container_byte_for_byte(
    corpus: Corpus,
):
    key = bytes(range(256)) + b"\n"
    (corpus.home / "key").write_bytes(key)
    page = "hello from ${DOMAIN}, which costs $$5\n"
    corpus.write(
        {
            "web": {
                "image": IMAGE,
                "entrypoint": ["/bin/sh", "-c", RUNS],
                "secrets": ["key", "own"],
                "configs": [{"source": "page", "target": "/page"}],
            }
        },
        secrets={"key": {"external": True}, "own": {"file": "key"}},
        configs={"page": {"content": page}},
    )
    place = str(corpus.home / "key")
    ended = corpus.deploy("services", corpus.home, KEY_FILE=place)

    assert ended.returncode == 0, ended.stderr
    for path, content in (
        ("/run/secrets/key", key),
        ("/run/secrets/own", key),
        ("/page", b"hello from localhost, which costs $5\n"),
    ):
        digest = corpus.in_container("services_web", "/bin/busybox", "sha256sum", path).split()[0]
        assert digest == hashlib.sha256(content).hexdigest(), path


async def test_services_that_left_the_file_are_named_and_removed_on_request(corpus: Corpus):
    service = {"image": IMAGE, "entrypoint": ["/bin/sh", "-c", RUNS]}
    wishes = {
        name: {"x-spotswarm": {"provides": "gateway", "when": {"WHICH": [name]}}}
        for name in ("simulator", "gateway")
    }
    alternatives = {name: service | wish for name, wish in wishes.items()}
    fails = {
        "entrypoint": ["/bin/sh", "-c", "exit 3"],
        "deploy": {"restart_policy": {"delay": "100ms"}},
    }
    corpus.write({"web": service, "old": service} | alternatives)

    def deploy(*options: str, which: str) -> subprocess.CompletedProcess[str]:
        return corpus.deploy("services", corpus.home, *options, WHICH=which)

    first = deploy(which="simulator")
    assert first.returncode == 0, first.stderr
    assert "still there" not in first.stderr

    corpus.write({"web": service} | alternatives | {"gateway": alternatives["gateway"] | fails})
    failed = deploy(which="gateway")
    assert failed.returncode == 8, failed.stderr
    assert "new services left as they are" not in failed.stderr
    names = corpus.docker("service", "ls", "--format", "{{.Name}}").split()
    assert sorted(names) == ["services_old", "services_simulator", "services_web"]

    corpus.write({"web": service} | alternatives)
    second = deploy("--json", which="gateway")
    assert second.returncode == 0, second.stderr
    assert "still there, and no longer in services.yml: services_old" in second.stderr
    assert "--prune" in second.stderr
    report = json.loads(second.stdout)
    assert report["still_there"] == ["services_old"]
    assert report["replaced"] == ["services_simulator"]
    names = corpus.docker("service", "ls", "--format", "{{.Name}}").split()
    assert sorted(names) == ["services_gateway", "services_old", "services_web"]

    third = deploy("--prune", which="gateway")
    assert third.returncode == 0, third.stderr
    names = corpus.docker("service", "ls", "--format", "{{.Name}}").split()
    assert sorted(names) == ["services_gateway", "services_web"]
