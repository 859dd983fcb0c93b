"""A stack is deployed and updated by the operator's command, under load."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from farm import WORKERS
from scenario import PATIENCE, eventually

from lab.images import application
from lab.load import ingress
from lab.load.web_service import NETWORK, WebService

SHOP = WebService("services_shop", replicas=2)
ROLLED_BACK = 8
REPOSITORY = Path(__file__).parents[2]


class Deployment:
    """A stack file of one service, and the command that deploys it."""

    def __init__(self, lab, directory):
        self.lab, self.directory = lab, directory

    def deploy(self, version, *, is_bad=False, replicas=SHOP.replicas, one_each=False):
        """Deploy this version of the service; returns the ended command."""
        image = application.application(self.lab.places, version, is_bad=is_bad)
        router = "traefik.http.routers.shop"
        service = {
            "image": image,
            "networks": [NETWORK],
            "stop_grace_period": "20s",
            "healthcheck": {
                "test": ["CMD-SHELL", application.HEALTH_COMMAND.replace("$", "$$")],
                "interval": "1s",
                "timeout": "2s",
                "retries": 3,
                "start_period": "10s",
            },
            "deploy": {
                "replicas": replicas,
                "endpoint_mode": "dnsrr",
                "placement": {
                    "constraints": ["node.role==worker"],
                    "max_replicas_per_node": int(one_each),
                },
                "update_config": {
                    "order": "start-first",
                    "failure_action": "rollback",
                    "monitor": "5s",
                },
                "labels": {
                    "traefik.enable": "true",
                    f"{router}.rule": f"Host(`{SHOP.host}`)",
                    f"{router}.entrypoints": "web",
                    "traefik.http.services.shop.loadbalancer.server.port": "8080",
                    "spotswarm.rebalance": "no",
                },
            },
        }
        document = {
            "version": "3.8",
            "services": {"shop": service},
            "networks": {NETWORK: {"external": True}},
        }
        text = yaml.safe_dump(document)
        (self.directory / "services.yml").write_text(text, encoding="utf-8")
        (self.directory / "env").write_text("DOMAIN=lab.example\n", encoding="utf-8")
        command = [sys.executable, "-m", "cli", "deploy", "services"]
        command += [f"--env-file={self.directory}/env", f"--directory={self.directory}"]
        return subprocess.run(
            [*command, f"--timeout={PATIENCE * 60}"],
            cwd=REPOSITORY,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.directory),
                "DOCKER_HOST": ingress.reachable_manager(self.lab).docker_host,
            },
            capture_output=True,
            text=True,
            timeout=PATIENCE * 90,
            check=False,
        )

    def docker(self, *command):
        return ingress.reachable_manager(self.lab).docker(*command)

    def update_state(self):
        state = "{{if .UpdateStatus}}{{.UpdateStatus.State}}{{end}}"
        return self.docker("service", "inspect", "--format", state, SHOP.name).strip()

    def versions(self):
        """What the tasks say they are, through the first manager's ingress."""
        address = ingress.managers(self.lab)[0].address
        answers = [ingress.ask(address, SHOP.host) for _ in range(8)]
        return {body.split()[1] for _, body in answers}


@pytest.fixture
def deployment(farm, tmp_path):
    yield Deployment(farm.lab, tmp_path)
    ingress.remove(farm.lab, SHOP.name)


@pytest.mark.engines
def test_a_stack_is_updated_under_load_and_a_bad_version_is_rolled_back(farm, deployment):
    first = deployment.deploy("1")
    assert first.returncode == 0, first.stderr
    ingress.wait_served(farm.lab, SHOP)

    with farm.under_load(SHOP, ends_whole=False):
        second = deployment.deploy("2")
        assert second.returncode == 0, second.stderr
        assert deployment.versions() == {"2"}
        third = deployment.deploy("3", is_bad=True)
        assert third.returncode == ROLLED_BACK, third.stdout + third.stderr
        assert deployment.versions() == {"2"}


def test_our_own_command_fixes_an_update_without_room_and_a_paused_one_with_a_loan(
    farm, deployment
):
    """C2 and C3: both hung before, the one in its rollback and the other in its wait."""
    first = deployment.deploy("1", replicas=WORKERS, one_each=True)
    assert first.returncode == 0, first.stderr
    ingress.wait_served(farm.lab, SHOP)

    with farm.under_load(SHOP, ends_whole=False):
        crowded = deployment.deploy("2", replicas=WORKERS, one_each=True)
        assert crowded.returncode == ROLLED_BACK, crowded.stdout + crowded.stderr
        assert "start-first needs a free node: 3 replicas, 3 nodes, one each" in " ".join(
            crowded.stderr.split()
        )
        assert "rolled back: services_shop" in crowded.stderr
        assert deployment.versions() == {"1"}
        assert deployment.update_state() in {"", "completed"}

        # The limit would keep the next update from starting, and so from failing.
        loan = {"v": 1, "for": "evacuate", "since": 0, "from": ["x"], "template": "another"}
        deployment.docker(
            *("service", "update", "--detach", "--no-resolve-image", "--replicas-max-per-node=0"),
            *("--update-failure-action=pause", f"--label-add=spotswarm.loan={json.dumps(loan)}"),
            *("--image=127.0.0.1:1/none:1", SHOP.name),
        )
        eventually(lambda: deployment.update_state() == "paused", what="a paused update")
        repaired = deployment.deploy("2", replicas=WORKERS)
        assert repaired.returncode == 0, repaired.stdout + repaired.stderr
        assert deployment.versions() == {"2"}
