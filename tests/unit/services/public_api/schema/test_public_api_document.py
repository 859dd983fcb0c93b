"""The OpenAPI document agrees with the route table."""

import re
from typing import Any

import pytest

from services.public_api.routes import ROUTES, Route
from services.public_api.schema.openapi import document

DOCUMENT: dict[str, Any] = document("1.0.0")


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_a_route_has_its_parameters_scope_and_answers(route: Route) -> None:
    operation = DOCUMENT["paths"][route.path]["get"]
    parameters = {
        parameter["name"]: parameter
        for parameter in operation["parameters"]
        if parameter["in"] != "header"
    }
    assert set(parameters) == set(route.parameters.model_fields)
    in_path = set(re.findall(r"{(\w+)}", route.path))
    assert {name for name, parameter in parameters.items() if parameter["required"]} == in_path
    assert route.scope in operation["description"]
    assert {"200", "304", "400", "401", "403", "429", "503"} <= set(operation["responses"])
    assert ("404" in operation["responses"]) == route.can_be_missing


def test_every_reference_exists() -> None:
    references = re.findall(r"'\$ref': '#/components/(\w+)/([\w-]+)'", str(DOCUMENT))
    assert references
    for kind, name in references:
        assert name in DOCUMENT["components"][kind]


def test_no_parameter_can_be_null() -> None:
    for item in DOCUMENT["paths"].values():
        for parameter in item["get"]["parameters"]:
            assert "null" not in str(parameter["schema"])
            assert parameter["schema"].get("default", 0) is not None
