"""The API parameter models, one for each route. The OpenAPI document uses these models.

Rule: an unknown parameter is reported as an error, so a misspelled filter is never ignored.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar

from multidict import MultiMapping
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from runtime.web.problems import Problem
from services.stores.article import Label
from services.stores.news import Cursor, NewsQuery

_RFC3339: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)
_NUMBER: Final = re.compile(r"-?\d{1,9}", re.ASCII)
_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(9999, 12, 31, tzinfo=UTC)
SYMBOL: Final = r"^[A-Za-z][A-Za-z0-9.\-]{0,11}$"
_PRINTABLE: Final = r"^[^\u0000-\u001f\u007f]+$"


def _moment(value: object) -> datetime:
    text = str(value)
    if not _RFC3339.fullmatch(text):
        raise ValueError("must be a time with a time zone, such as 2026-11-24T03:00:00Z")
    moment = datetime.fromisoformat(text.upper())
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:
        return _EARLIEST if moment.year < _EARLIEST.year else _LATEST
    # No article is outside this range. Inside this range, timestamps sort correctly as text.
    return min(max(moment, _EARLIEST), _LATEST)


def _whole(value: object) -> object:
    if not _NUMBER.fullmatch(str(value)):
        raise ValueError("must be a whole number")
    return int(str(value))


def _cursor(value: object) -> Cursor:
    return Cursor.decode(str(value))


Moment = Annotated[
    datetime,
    BeforeValidator(_moment, json_schema_input_type=str),
    Field(json_schema_extra={"format": "date-time"}),
]
Symbol = Annotated[str, Field(pattern=SYMBOL, examples=["ACME"])]
Text = Annotated[str, Field(min_length=1, max_length=100, pattern=_PRINTABLE)]


_Limit = Annotated[int, Field(ge=1, le=100)]
_Days = Annotated[int, Field(ge=1, le=366)]
_UsageDays = Annotated[int, Field(ge=1, le=90)]


class Parameters(BaseModel):
    """The parameters of one route."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class NewsParameters(Parameters):
    """Filters for articles. The response contains only articles that match all filters."""

    symbol: Symbol | None = Field(None, description="Only articles that name this symbol")
    topic: Text | None = Field(None, description="Only articles about this topic")
    source: Text | None = Field(None, description="Only articles from this feed")
    label: Label | None = Field(None, description="Only articles with this sentiment")
    since: Moment | None = Field(None, description="Only articles published at this time or later")
    until: Moment | None = Field(None, description="Only articles published before this time")
    limit: Annotated[_Limit, BeforeValidator(_whole, json_schema_input_type=_Limit)] = Field(
        20, description="The maximum number of articles per page"
    )
    cursor: Annotated[Cursor, BeforeValidator(_cursor, json_schema_input_type=str)] | None = Field(
        None,
        description="The value of `next` from the previous page",
        json_schema_extra={"format": "cursor"},
    )

    def query(self) -> NewsQuery:
        """Convert the parameters to a query for the news database."""
        conditions = {name: getattr(self, name) for name in self.model_fields_set}
        if self.symbol:
            conditions["symbol"] = self.symbol.upper()
        return NewsQuery.model_construct(**{"limit": self.limit, **conditions})


class ArticleParameters(Parameters):
    """Identifies one article."""

    id: str = Field(
        pattern=r"^news-[0-9a-f]{32}$", description="The article's id, as returned by `/v1/news`"
    )


class SentimentParameters(Parameters):
    """The number of days to include and, optionally, a single symbol."""

    symbol: Symbol | None = Field(None, description="Only articles that name this symbol")
    days: Annotated[_Days, BeforeValidator(_whole, json_schema_input_type=_Days)] = Field(
        30, description="The number of days, up to and including today (UTC)"
    )


class QuoteParameters(Parameters):
    """Identifies the symbol to quote."""

    symbol: Symbol = Field(description="The stock's ticker symbol")


class UsageParameters(Parameters):
    """The number of days to include and, optionally, a single token."""

    days: Annotated[_UsageDays, BeforeValidator(_whole, json_schema_input_type=_UsageDays)] = Field(
        7, description="The number of days up to now"
    )
    token: Annotated[str, Field(pattern=r"^[A-Za-z0-9_\-]{1,64}$")] | None = Field(
        None, description="The id of a token; by default, calls with all tokens count"
    )


P = TypeVar("P", bound=Parameters)


def parsed(model: type[P], path: Mapping[str, str], query: MultiMapping[str]) -> P:
    """Parse and validate a call's parameters.

    Raises:
        Problem: if any parameter is invalid (status 400). The response explains each error.
    """
    parameters = dict(query)
    errors = [
        _error(name, "must not be repeated") for name in parameters if len(query.getall(name)) > 1
    ]
    errors += [
        _error(name, "is part of the path, not of the query") for name in parameters if name in path
    ]
    if not errors:
        try:
            return model.model_validate(parameters | dict(path))
        except ValidationError as exc:
            errors = [
                _described(error) for error in exc.errors(include_url=False, include_input=False)
            ]
    raise _problem(errors)


def _described(error: Mapping[str, Any]) -> dict[str, str]:
    name = str(error["loc"][0]) if error["loc"] else ""
    match error["type"]:
        case "extra_forbidden":
            return _error(name, "is not a parameter of this route")
        case "value_error":
            return _error(name, str(error["ctx"]["error"]))
    return _error(name, str(error["msg"]).replace("Input should", "should"))


def _error(name: str, detail: str) -> dict[str, str]:
    return {"parameter": name[:100], "detail": detail}


def _problem(errors: Iterable[dict[str, str]]) -> Problem:
    errors = list(errors)
    first = errors[0]
    return Problem(
        status=400,
        title="A parameter is invalid",
        detail=f"{first['parameter']}: {first['detail']}",
        extra={"errors": errors},
    )
