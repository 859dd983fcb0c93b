"""The OpenAPI document describes the API: schemathesis generates calls from it."""

import asyncio
import itertools
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from openapi_spec_validator import OpenAPIV31SpecValidator

sys.path.insert(0, str(Path(__file__).parent))

from api_stage import Account, Stage, Token, publish

from lab.site import host_stores
from runtime import clock
from services.public_api.app import VERSION
from services.public_api.routes import ROUTES
from services.public_api.schema.openapi import document
from services.stores.couch import Couch
from services.stores.cursor import Cursor
from services.stores.news import article_id

DOCUMENT = document(VERSION)
_SECONDS = 60
"""Longer than public_api waits for auth and then for a store or for quotes."""
CURSORS = st.builds(
    lambda seconds, url: Cursor(
        published=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds),
        id=article_id(url),
    ).encode(),
    st.integers(0, 10**8),
    st.text(max_size=5),
)
schemathesis.openapi.format("cursor", CURSORS)
schema = schemathesis.openapi.from_dict(DOCUMENT)


@pytest.fixture(scope="module")
def token(api_stage: Stage, couch_store: host_stores.Couch) -> Token:
    async def made() -> Token:
        async with aiohttp.ClientSession() as session:
            await publish(Couch(session, couch_store.url), 30)
            account = Account(session, api_stage.auth.url)
            await account.sign_up()
            return await account.token()

    found = asyncio.run(made())
    quote = f"{api_stage.api.url}/v1/quotes/AAPL"
    deadline = clock.monotonic() + 60
    while (
        answer := requests.get(quote, headers=found.headers, timeout=_SECONDS)
    ).status_code != 200:
        assert clock.monotonic() < deadline, answer.text
        time.sleep(0.2)
    return found


@pytest.fixture(scope="module")
def caller() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


@schema.parametrize()
@settings(
    max_examples=30,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
def test_generated_calls_are_answered_as_documented(
    case: Any, api_stage: Stage, token: Token, caller: requests.Session
) -> None:
    case.call_and_validate(
        base_url=api_stage.api.url, session=caller, headers=token.headers, timeout=_SECONDS
    )


def test_the_served_document_is_the_tested_one(api_stage: Stage) -> None:
    assert requests.get(f"{api_stage.api.url}/openapi.json", timeout=_SECONDS).json() == DOCUMENT


def test_the_document_is_openapi_3_1() -> None:
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_every_route_and_parameter_is_described() -> None:
    assert set(DOCUMENT["paths"]) == {route.path for route in ROUTES}
    for route in ROUTES:
        operation = DOCUMENT["paths"][route.path]["get"]
        described = {one["name"] for one in operation["parameters"]} - {"If-None-Match"}
        assert described == set(route.parameters.model_fields)
        assert all(one["description"] for one in operation["parameters"])


def test_names_of_operations_are_unique() -> None:
    names = [route.name for route in ROUTES]
    assert len(set(names)) == len(names)
    assert not any(a == b for a, b in itertools.pairwise(sorted(names)))
