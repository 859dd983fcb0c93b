"""What the edge serves, and how: as the command renders `compose/edge.yml`."""

import re
from pathlib import Path
from typing import Any

from cli.deploy.stackfile.stack import load
from cli.deploy.stackfile.variables import complete

COMPOSE = Path(__file__).parents[5] / "compose"
CERTIFICATES = {"ACME": "staging", "ACME_EMAIL": "a@b.c", "DOMAIN": "example.org"}


def services(name: str, **env: str) -> Any:
    text = (COMPOSE / f"{name}.yml").read_text()
    values = complete({"DOMAIN": "localhost", "VERSION": "7"} | env)
    return load(name, text, values, directory=COMPOSE, read=Path.read_bytes).document["services"]


def entry_points(command: list[str]) -> dict[str, dict[str, str]]:
    """Return each entry point's options, by its name."""
    points: dict[str, dict[str, str]] = {}
    for option in command:
        if match := re.fullmatch(r"--entrypoints\.(\w+)\.([\w.]+)=(.+)", option):
            points.setdefault(match[1], {})[match[2]] = match[3]
    return points


def test_with_certificates_no_entry_point_takes_a_password_in_clear_text() -> None:
    points = entry_points(services("edge", **CERTIFICATES)["traefik"]["command"])
    assert points.keys() == {"web", "websecure", "traefik", "ping"}
    for name, options in points.items():
        is_loopback = options["address"].startswith("127.0.0.1:")
        is_redirected = options.get("http.redirections.entrypoint.scheme") == "https"
        assert options.get("http.tls") == "true" or is_loopback or is_redirected, name


def test_with_certificates_every_route_is_on_an_entry_point_with_tls() -> None:
    points = entry_points(services("edge", **CERTIFICATES)["traefik"]["command"])
    stacks = {
        **services("edge", **CERTIFICATES),
        **services("services", TEST_BUILD="1", **CERTIFICATES),
    }
    routed = set()
    for service in stacks.values():
        for label, value in service.get("deploy", {}).get("labels", {}).items():
            if label.endswith(".entrypoints"):
                routed.add(value)
                assert points[value]["http.tls"] == "true", label
    assert routed == {"traefik", "websecure"}


def test_without_certificates_the_edge_needs_none() -> None:
    points = entry_points(services("edge")["traefik"]["command"])
    assert points.keys() == {"web", "traefik", "ping"}
    assert not any("http.tls" in options for options in points.values())


def test_no_registry_remembers_blobs() -> None:
    """Each node's registry would remember blobs that another one has deleted."""
    environment = services("edge")["registry"]["environment"]
    assert environment["REGISTRY_STORAGE_CACHE_BLOBDESCRIPTOR"] == "none"


def test_traefik_trusts_no_marks_of_others_and_adds_its_own() -> None:
    """Services see by these headers that a request came from outside (`runtime.web.health`)."""
    assert "forwardedheaders" not in str(services("edge")["traefik"]["command"]).lower()
