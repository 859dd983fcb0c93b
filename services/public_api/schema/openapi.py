"""The OpenAPI 3.1 document, generated from the route table and the API's models.

Rule: this module does not duplicate the models or the route table, so the document always
matches the API.
"""

import re
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from services.public_api.routes import ROUTES, Route
from services.public_api.schema.answers import ProblemAnswer
from services.public_api.schema.parameters import Parameters

_SCHEMAS: Final = "#/components/schemas/{model}"
_ABOUT: Final = (
    "Market news with sentiment scores, stock quotes, and statistics about your API calls.\n\n"
    "Create an API token on the site and send it as `Authorization: Bearer <token>`. Responses have"
    " an `ETag`: if you send it back as `If-None-Match`, you get the body only if it has changed."
    " Errors are returned as `application/problem+json` (RFC 9457). The response header"
    " `Degraded: auth` means that your token could not be verified now but was valid recently.\n\n"
    "Rate limits apply to each token. Each replica of the API counts separately."
)
_HEADERS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "ETag": ("Identifies the exact bytes of the response", {"type": "string"}),
    "RateLimit-Limit": ("Calls allowed per window", {"type": "integer"}),
    "RateLimit-Remaining": ("Calls remaining", {"type": "integer"}),
    "RateLimit-Reset": ("Seconds until all calls are available again", {"type": "integer"}),
    "Link": ('Link to the next page, with rel="next"', {"type": "string"}),
    "Retry-After": ("Seconds to wait before trying again", {"type": "integer"}),
    "WWW-Authenticate": ("What is wrong with the token (RFC 6750)", {"type": "string"}),
}
_LIMITS: Final = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
_REFUSALS: Final = {
    400: ("A parameter is invalid; `errors` lists each invalid parameter", _LIMITS),
    401: ("The token is missing, unknown, expired or revoked", ("WWW-Authenticate",)),
    403: ("The token does not have the required scope", ("WWW-Authenticate", *_LIMITS)),
    404: ("The requested resource does not exist", _LIMITS),
    429: ("The token has made too many calls", ("Retry-After", *_LIMITS)),
    503: ("A service or store is unavailable", ("Retry-After",)),
}


def document(version: str) -> dict[str, Any]:
    """Return the complete OpenAPI document as a dictionary."""
    answers: list[type[BaseModel]] = [*(route.answer for route in ROUTES), ProblemAnswer]
    _, schemas = models_json_schema(
        [(model, "serialization") for model in dict.fromkeys(answers)], ref_template=_SCHEMAS
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Spotswarm News API",
            "version": version,
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "tags": [{"name": tag} for tag in dict.fromkeys(route.tag for route in ROUTES)],
        "paths": {route.path: {"get": _operation(route)} for route in ROUTES},
        "components": {
            "schemas": schemas["$defs"],
            "headers": {
                name: {"description": description, "schema": schema}
                for name, (description, schema) in _HEADERS.items()
            },
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API token, or a login's access token",
                }
            },
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    refusals = [status for status in _REFUSALS if status != 404 or route.can_be_missing]
    headers = ("ETag", *_LIMITS, *(["Link"] if route.is_paged else []))
    return {
        "operationId": route.name,
        "summary": route.summary,
        "description": f"{route.description}\n\nScope: `{route.scope}`",
        "tags": [route.tag],
        "parameters": [*_parameters(route), _IF_NONE_MATCH],
        "responses": {
            "200": {
                "description": "Success",
                "headers": _headers(headers),
                "content": {"application/json": {"schema": _schema_of(route.answer)}},
            },
            "304": {
                "description": "Your copy is still current",
                "headers": _headers(headers),
            },
            **{
                str(status): {
                    "description": _REFUSALS[status][0],
                    "headers": _headers(_REFUSALS[status][1]),
                    "content": {"application/problem+json": {"schema": _schema_of(ProblemAnswer)}},
                }
                for status in refusals
            },
        },
    }


_IF_NONE_MATCH: Final = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The `ETag` of the copy that you have",
    "schema": {"type": "string"},
}


def _parameters(route: Route) -> list[dict[str, Any]]:
    in_path = set(re.findall(r"{(\w+)}", route.path))
    schemas = _properties(route.parameters)
    return [
        {
            "name": name,
            "in": "path" if name in in_path else "query",
            "required": name in in_path,
            "description": schema.pop("description", ""),
            "schema": _without_null(schema),
        }
        for name, schema in schemas.items()
    ]


def _properties(model: type[Parameters]) -> dict[str, dict[str, Any]]:
    """Return the JSON schemas of all parameters, keyed by parameter name."""
    schema = model.model_json_schema(mode="validation")
    assert "$defs" not in schema
    return dict(schema["properties"])


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Remove null from a parameter's schema. Callers omit a parameter instead of sending null."""
    schema = {name: value for name, value in schema.items() if name != "title"}
    options = [option for option in schema.pop("anyOf", []) if option != {"type": "null"}]
    if schema.get("default", ...) is None:
        del schema["default"]
    return schema | (options[0] if options else {})


def _headers(names: tuple[str, ...]) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _schema_of(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _SCHEMAS.format(model=model.__name__)}
