"""The OpenAPI document against the table it is made from."""

import re
from typing import Any

import pytest

from services.public_api.routes import ROUTES, Route
from services.public_api.schema.openapi import document

DOCUMENT: dict[str, Any] = document("1.0.0")


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_a_route_has_its_parameters_scope_and_answers(route: Route) -> None:
    operation = DOCUMENT["paths"][route.path]["get"]
    told = {one["name"]: one for one in operation["parameters"] if one["in"] != "header"}
    assert set(told) == set(route.parameters.model_fields)
    in_path = set(re.findall(r"{(\w+)}", route.path))
    assert {name for name, one in told.items() if one["required"]} == in_path
    assert route.scope in operation["description"]
    assert {"200", "304", "400", "401", "403", "429", "503"} <= set(operation["responses"])
    assert ("404" in operation["responses"]) == route.can_be_missing


def test_every_reference_leads_somewhere() -> None:
    found = re.findall(r"'\$ref': '#/components/(\w+)/([\w-]+)'", str(DOCUMENT))
    assert found
    for kind, name in found:
        assert name in DOCUMENT["components"][kind]


def test_no_parameter_can_be_null() -> None:
    for item in DOCUMENT["paths"].values():
        for one in item["get"]["parameters"]:
            assert "null" not in str(one["schema"])
            assert one["schema"].get("default", 0) is not None
