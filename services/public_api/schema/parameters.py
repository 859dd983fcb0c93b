"""The parameters of calls: one model per route, from which OpenAPI is made too.

Rule: an unknown parameter is refused by name, so that a misspelt condition is never ignored.
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
        raise ValueError("is not a time with a zone, such as 2026-11-24T03:00:00Z")
    moment = datetime.fromisoformat(text.upper())
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:
        return _EARLIEST if moment.year < _EARLIEST.year else _LATEST
    # Nothing was published outside this range, within which texts sort like times.
    return min(max(moment, _EARLIEST), _LATEST)


def _whole(value: object) -> object:
    if not _NUMBER.fullmatch(str(value)):
        raise ValueError("is not a whole number")
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
    """Which articles: those that meet all conditions."""

    symbol: Symbol | None = Field(None, description="Articles that name this symbol")
    topic: Text | None = Field(None, description="Articles about this topic")
    source: Text | None = Field(None, description="Articles from this feed")
    label: Label | None = Field(None, description="Articles with this sentiment")
    since: Moment | None = Field(None, description="Published at this time or later")
    until: Moment | None = Field(None, description="Published before this time")
    limit: Annotated[_Limit, BeforeValidator(_whole, json_schema_input_type=_Limit)] = Field(
        20, description="The most articles on one page"
    )
    cursor: Annotated[Cursor, BeforeValidator(_cursor, json_schema_input_type=str)] | None = Field(
        None,
        description="The `next` of the previous page",
        json_schema_extra={"format": "cursor"},
    )

    def query(self) -> NewsQuery:
        """The query for the store."""
        conditions = {name: getattr(self, name) for name in self.model_fields_set}
        if self.symbol:
            conditions["symbol"] = self.symbol.upper()
        return NewsQuery.model_construct(**{"limit": self.limit, **conditions})


class ArticleParameters(Parameters):
    """One article."""

    id: str = Field(pattern=r"^news-[0-9a-f]{32}$", description="An id from a page of news")


class SentimentParameters(Parameters):
    """Whose sentiment, over how many days."""

    symbol: Symbol | None = Field(None, description="For this symbol instead of all articles")
    days: Annotated[_Days, BeforeValidator(_whole, json_schema_input_type=_Days)] = Field(
        30, description="How many days, up to today in UTC"
    )


class QuoteParameters(Parameters):
    """One quote."""

    symbol: Symbol = Field(description="The symbol at the exchange")


class UsageParameters(Parameters):
    """How far back."""

    days: Annotated[_UsageDays, BeforeValidator(_whole, json_schema_input_type=_UsageDays)] = Field(
        7, description="How many days, up to now"
    )
    token: Annotated[str, Field(pattern=r"^[A-Za-z0-9_\-]{1,64}$")] | None = Field(
        None, description="The id of one token, instead of all tokens of the account"
    )


P = TypeVar("P", bound=Parameters)


def parsed(model: type[P], path: Mapping[str, str], query: MultiMapping[str]) -> P:
    """The parameters of a call.

    Raises:
        Problem: 400 that names every wrong parameter and what is wrong with it.
    """
    parameters = dict(query)
    errors = [
        _error(name, "must not be repeated") for name in parameters if len(query.getall(name)) > 1
    ]
    errors += [_error(name, "is not a query parameter") for name in parameters if name in path]
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
        title="A parameter is wrong",
        detail=f"{first['parameter']}: {first['detail']}",
        extra={"errors": errors},
    )
