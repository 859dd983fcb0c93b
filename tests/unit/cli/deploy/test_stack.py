"""What is deployed of a stack file, and what is said when it cannot be."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.deploy.interpolation import Interpolation, escaped
from cli.deploy.stack import StackError, load
from cli.deploy.variables import complete

REPOSITORY = Path(__file__).parents[4]
COMPOSE = REPOSITORY / "compose"
ENV = {"DOMAIN": "localhost", "VERSION": "7"}
PEOPLE_MAY_REACH = {"traefik": [80, 443, 8080], "registry": [5000]}


def stack(which: str, **env: str) -> Any:
    text = (COMPOSE / f"{which}.yml").read_text()
    told = complete(ENV | env)
    return load(which, text, told, directory=COMPOSE, read=Path.read_bytes)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$A", "1"),
        ("${A}", "1"),
        ("x${B:-y}", "xy"),
        ("x${EMPTY:-y}", "xy"),
        ("x${EMPTY-y}", "x"),
        ("${A:+is there}", "is there"),
        ("${B:+is there}", ""),
        ("${A:+Host(`${A}`)}", "Host(`1`)"),
        ("$$A", "$A"),
        ("no variable", "no variable"),
    ],
)
def test_variables_are_read_as_compose_reads_them(text: str, value: str) -> None:
    found = Interpolation({"A": "1", "EMPTY": ""})
    assert found.text(text) == value
    assert found.missing == {}


def test_all_that_is_missing_is_told_at_once_with_what_it_is_for() -> None:
    found = Interpolation({"EMPTY": ""})
    found.of({"a": "${ONE:?the first}", "b": ["$TWO"], "c": "${EMPTY:?not empty}"})
    assert found.missing == {"ONE": "the first", "TWO": "", "EMPTY": "not empty"}


def test_what_comes_out_empty_is_left_out() -> None:
    found = Interpolation({"N": "3"}).of({"a": "${B:-}", "l": ["${B:-}", "x"], "replicas": "${N}"})
    assert found == {"l": ["x"], "replicas": 3}


def test_docker_finds_no_variable_in_what_it_is_given() -> None:
    assert escaped({"a": ["$x", 1]}) == {"a": ["$$x", 1]}


def test_only_the_ingress_and_the_registry_bind_ports_of_a_machine() -> None:
    bound = {}
    for which in ("edge", "services"):
        for name, one in stack(which).document["services"].items():
            if ports := [port["published"] for port in one.get("ports", ())]:
                bound[name] = ports
                assert all(port["mode"] == "host" for port in one["ports"])
    assert bound == PEOPLE_MAY_REACH


def test_the_networks_are_those_of_the_routing_table() -> None:
    told = stack("services").document["services"]
    assert {name: set(one["networks"]) for name, one in told.items()} == {
        "webservice": {"proxy", "auth", "services"},
        "public_api": {"proxy", "auth", "services"},
        "auth": {"proxy", "auth"},
        "redis": {"auth"},
        "backup": {"auth"},
        "newswatcher": {"services"},
        "ml": {"services"},
        "couchdb": {"services"},
        "influxdb": {"services"},
        "cp_api": {"services"},
        "cp_api_tickle": {"services"},
        "cp_simulator": {"services"},
    }


def test_every_service_has_what_no_request_lost_needs() -> None:
    for name, one in stack("services").document["services"].items():
        deploy = one["deploy"]
        assert deploy["endpoint_mode"] == "dnsrr", name
        assert deploy["resources"]["limits"]["memory"], name
        if name in {"webservice", "public_api", "auth"}:
            assert deploy["update_config"]["order"] == "start-first", name
            assert deploy["update_config"]["failure_action"] == "rollback", name
            assert one["healthcheck"]["test"] == ["CMD", "/srv/healthy"], name
            assert int(one["stop_grace_period"].rstrip("s")) >= 20, name
        if name in {"redis", "couchdb", "influxdb"}:
            assert deploy["update_config"]["order"] == "stop-first", name
            assert "node.labels.spotswarm.data == true" in deploy["placement"]["constraints"], name


def test_no_secret_is_in_what_docker_is_given() -> None:
    told = stack("services")
    assert {one.name for one in told.secrets} >= {"redis_password", "csrf_key"}
    assert all(one["external"] for one in told.document["secrets"].values())


def test_only_what_was_chosen_is_deployed() -> None:
    told = stack("services", SERVICES="auth, redis")
    assert set(told.services) == {"auth", "redis"}
    assert set(told.document["secrets"]) == {"redis_password"}


def test_what_a_chosen_service_needs_is_named() -> None:
    with pytest.raises(StackError, match="public_api needs auth, couchdb: add it to SERVICES"):
        stack("services", SERVICES="public_api")
    with pytest.raises(StackError, match="SERVICES names shop, which is none"):
        stack("services", SERVICES="shop")


def test_what_works_in_part_is_remarked() -> None:
    told = stack("services", SERVICES="public_api,auth,redis,couchdb")
    assert "public_api works in part without influxdb, cp_api" in told.remarks


def test_a_choice_of_services_leaves_the_edge_whole() -> None:
    assert set(stack("edge", SERVICES="auth,redis").services) == {"traefik", "registry"}


def test_the_gateway_is_the_simulator_or_the_brokers_own() -> None:
    told = stack("services").document["services"]
    assert "cp_gateway" not in told
    assert told["cp_api"]["environment"]["GATEWAY_URL"] == "http://cp_simulator:5000"
    real = stack("services", GATEWAY="gateway", GATEWAY_VERIFY="false").document["services"]
    assert "cp_simulator" not in real
    assert real["cp_api"]["environment"]["GATEWAY_URL"] == "https://cp_gateway:5000"


def test_tests_are_reachable_in_test_builds_alone_and_behind_the_operators_password() -> None:
    plain = yaml.safe_dump(stack("services").document)
    assert "-test" not in plain
    told = stack("services", TEST_BUILD="1").document["services"]
    for name in ("auth", "public_api", "webservice", "newswatcher", "ml", "cp_api"):
        labels = told[name]["deploy"]["labels"]
        assert told[name]["image"].endswith(f"/{name}-test:7")
        middlewares = labels[f"traefik.http.routers.{name}-test.middlewares"]
        assert middlewares.startswith("users@")


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"ACME": "yes"}, "ACME is 'yes'"),
        ({"ACME": "staging", "DOMAIN": "example.org"}, "ACME_EMAIL is needed"),
        ({"ACME": "staging", "ACME_EMAIL": "a@b.c"}, "nobody certifies localhost"),
        ({"GATEWAY": "gateway"}, "GATEWAY_CA_FILE"),
        ({"DOMAIN": "https://example.org"}, "without http://"),
    ],
)
def test_a_wrong_variable_is_named(env: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        complete(ENV | env)


def test_with_certificates_everything_is_https() -> None:
    env = {"ACME": "staging", "ACME_EMAIL": "a@b.c", "DOMAIN": "example.org"}
    told = stack("services", **env).document["services"]["webservice"]
    assert told["environment"]["HTTPS"] == "true"
    assert told["environment"]["API_URL"] == "https://api.example.org"
    edge = stack("edge", **env)
    assert {"acme", "certificates"} <= set(edge.services)
    assert any("redirections" in one for one in edge.document["services"]["traefik"]["command"])


def test_a_missing_version_is_asked_for() -> None:
    text = (COMPOSE / "services.yml").read_text()
    with pytest.raises(StackError, match="VERSION"):
        load("services", text, complete({"DOMAIN": "x"}), directory=COMPOSE, read=Path.read_bytes)
