"""Which part of a stack file is deployed, and the errors if it cannot be."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.deploy.stackfile.errors import StackError
from cli.deploy.stackfile.interpolation import Interpolation, escaped
from cli.deploy.stackfile.stack import is_stack, load
from cli.deploy.stackfile.variables import complete

REPOSITORY = Path(__file__).parents[5]
COMPOSE = REPOSITORY / "compose"
ENV = {"DOMAIN": "localhost", "VERSION": "7"}
PEOPLE_MAY_REACH = {"traefik": [80, 443, 8080], "registry": [5000]}


def stack(name: str, **env: str) -> Any:
    text = (COMPOSE / f"{name}.yml").read_text()
    values = complete(ENV | env)
    return load(name, text, values, directory=COMPOSE, read=Path.read_bytes)


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
    interpolation = Interpolation({"A": "1", "EMPTY": ""})
    assert interpolation.text(text) == value
    assert interpolation.missing == {}


def test_all_missing_variables_are_reported_at_once_with_their_meaning() -> None:
    interpolation = Interpolation({"EMPTY": ""})
    interpolation.of({"a": "${ONE:?the first}", "b": ["$TWO"], "c": "${EMPTY:?not empty}"})
    assert interpolation.missing == {"ONE": "the first", "TWO": "", "EMPTY": "not empty"}


def test_values_that_become_empty_are_left_out_if_the_file_asks_for_it() -> None:
    text = {"a": "${B:-}", "l": ["${B:-}", "x"], "n": "${N}"}
    document = Interpolation({"N": "3"}, drops_empty=True).of(text)
    assert document == {"l": ["x"], "n": "3"}
    assert Interpolation({"N": "3"}).of(text) == {"a": "", "l": ["", "x"], "n": "3"}


def test_docker_finds_no_variable_in_the_document() -> None:
    assert escaped({"a": ["$x", 1]}) == {"a": ["$$x", 1]}


def test_only_the_ingress_and_the_registry_publish_ports() -> None:
    bound = {}
    for file in ("edge", "services"):
        for name, service in stack(file).document["services"].items():
            if ports := [port["published"] for port in service.get("ports", ())]:
                bound[name] = ports
                assert all(port["mode"] == "host" for port in service["ports"])
    assert bound == PEOPLE_MAY_REACH


def test_the_networks_are_those_of_the_routing_table() -> None:
    services = stack("services").document["services"]
    assert {name: set(service["networks"]) for name, service in services.items()} == {
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


def test_every_service_is_set_up_to_lose_no_request() -> None:
    for name, service in stack("services").document["services"].items():
        deploy = service["deploy"]
        assert deploy["endpoint_mode"] == "dnsrr", name
        assert deploy["resources"]["limits"]["memory"], name
        if name in {"webservice", "public_api", "auth"}:
            assert deploy["update_config"]["order"] == "start-first", name
            assert deploy["update_config"]["failure_action"] == "rollback", name
            assert service["healthcheck"]["test"] == ["CMD", "/srv/healthy"], name
            assert int(service["stop_grace_period"].rstrip("s")) >= 20, name
        if name in {"redis", "couchdb", "influxdb"}:
            assert deploy["update_config"]["order"] == "stop-first", name
            assert "node.labels.spotswarm.data == true" in deploy["placement"]["constraints"], name


def test_no_secret_is_in_the_document() -> None:
    services = stack("services")
    assert {secret.name for secret in services.secrets} >= {"redis_password", "csrf_key"}
    assert all(secret["external"] for secret in services.document["secrets"].values())


def test_only_the_chosen_services_are_deployed() -> None:
    chosen = stack("services", SERVICES="auth, redis")
    assert set(chosen.services) == {"auth", "redis"}
    assert set(chosen.document["secrets"]) == {"redis_password"}


def test_a_chosen_service_must_have_what_it_needs() -> None:
    with pytest.raises(StackError, match="public_api needs auth, couchdb; add auth, couchdb to"):
        stack("services", SERVICES="public_api")
    with pytest.raises(StackError, match="SERVICES names shop, which is not a service"):
        stack("services", SERVICES="shop")


def test_a_service_that_works_only_in_part_is_remarked_on() -> None:
    chosen = stack("services", SERVICES="public_api,auth,redis,couchdb")
    assert "some features of public_api do not work without influxdb, cp_api" in chosen.remarks


def test_a_choice_of_services_leaves_the_edge_whole() -> None:
    assert set(stack("edge", SERVICES="auth,redis").services) == {"traefik", "registry"}


def test_the_gateway_is_the_simulator_or_the_brokers_own() -> None:
    services = stack("services").document["services"]
    assert "cp_gateway" not in services
    assert services["cp_api"]["environment"]["GATEWAY_URL"] == "http://cp_simulator:5000"
    real = stack("services", GATEWAY="gateway", GATEWAY_VERIFY="false").document["services"]
    assert "cp_simulator" not in real
    assert real["cp_api"]["environment"]["GATEWAY_URL"] == "https://cp_gateway:5000"


def test_only_test_builds_answer_test_requests_and_only_with_the_operators_password() -> None:
    plain = yaml.safe_dump(stack("services").document)
    assert "-test" not in plain
    services = stack("services", TEST_BUILD="1").document["services"]
    for name in ("auth", "public_api", "webservice", "newswatcher", "ml", "cp_api"):
        labels = services[name]["deploy"]["labels"]
        assert services[name]["image"].endswith(f"/{name}-test:7")
        middlewares = labels[f"traefik.http.routers.{name}-test.middlewares"]
        assert middlewares.startswith("users@")


@pytest.mark.parametrize(
    ("env", "error"),
    [
        ({"ACME": "yes"}, "ACME is 'yes'"),
        ({"ACME": "staging", "DOMAIN": "example.org"}, "ACME_EMAIL is not set"),
        ({"ACME": "staging", "ACME_EMAIL": "a@b.c"}, "localhost cannot get a certificate"),
        ({"GATEWAY": "gateway"}, "GATEWAY_CA_FILE"),
        ({"DOMAIN": "https://example.org"}, "omit http://"),
    ],
)
def test_a_wrong_variable_is_named(env: dict[str, str], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        complete(ENV | env)


def test_with_certificates_everything_is_https() -> None:
    env = {"ACME": "staging", "ACME_EMAIL": "a@b.c", "DOMAIN": "example.org"}
    website = stack("services", **env).document["services"]["webservice"]
    assert website["environment"]["HTTPS"] == "true"
    assert website["environment"]["API_URL"] == "https://api.example.org"
    edge = stack("edge", **env)
    assert {"acme", "certificates"} <= set(edge.services)
    assert any(
        "redirections" in option for option in edge.document["services"]["traefik"]["command"]
    )


def test_a_missing_version_is_asked_for() -> None:
    text = (COMPOSE / "services.yml").read_text()
    with pytest.raises(StackError, match="VERSION"):
        load("services", text, complete({"DOMAIN": "x"}), directory=COMPOSE, read=Path.read_bytes)


def test_a_file_for_one_machine_says_that_it_is_not_a_stack() -> None:
    stacks = {file.stem for file in COMPOSE.glob("*.yml") if is_stack(file.read_text())}
    assert {"edge", "services"} <= stacks
    assert "dev" not in stacks
