"""docs/services.md has every setting of the services, and none that does not exist."""

import re
from importlib import import_module
from pathlib import Path

import pytest

from runtime.web.settings import WebSettings

ROOT = Path(__file__).parents[3]
DOCUMENT = (ROOT / "docs/services.md").read_text()
SERVICES = sorted(path.parent.name for path in ROOT.glob("services/*/settings.py"))
TESTS_ONLY = {"cp_simulator"}
DOCUMENTED = {
    name
    for row in re.findall(r"^\| (`[A-Z_`, ]+`) \|", DOCUMENT, re.MULTILINE)
    for name in re.findall(r"[A-Z_]+", row)
}


def settings_of(service: str) -> set[str]:
    fields = import_module(f"services.{service}.settings").Settings.model_fields
    return {name.upper() for name in fields}


@pytest.mark.parametrize("service", [name for name in SERVICES if name not in TESTS_ONLY])
def test_every_setting_of_a_service_is_documented(service: str) -> None:
    assert settings_of(service) - DOCUMENTED == set()


def test_every_documented_setting_exists() -> None:
    existing = {name.upper() for name in WebSettings.model_fields}
    for service in SERVICES:
        existing |= settings_of(service)
    assert existing >= DOCUMENTED - {"DOMAIN"}
