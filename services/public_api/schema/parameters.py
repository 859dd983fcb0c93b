"""What a call may ask for: one model for each route, which OpenAPI is made from too.

Rule: what is not in the model is refused by name, so that a misspelt condition never looks like
one that all articles meet.
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


def _moment(given: object) -> datetime:
    text = str(given)
    if not _RFC3339.fullmatch(text):
        raise ValueError("is no time with its zone, as 2026-11-24T03:00:00Z is")
    found = datetime.fromisoformat(text.upper())
    try:
        found = found.astimezone(UTC)
    except OverflowError:
        return _EARLIEST if found.year < _EARLIEST.year else _LATEST
    # Nothing was published outside of these, and their texts sort as they do.
    return min(max(found, _EARLIEST), _LATEST)


def _whole(given: object) -> object:
    if not _NUMBER.fullmatch(str(given)):
        raise ValueError("is no whole number")
    return int(str(given))


def _cursor(given: object) -> Cursor:
    return Cursor.decode(str(given))


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
    """Of one route."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class NewsParameters(Parameters):
    """Which articles; all conditions have to be met."""

    symbol: Symbol | None = Field(None, description="Articles that name this symbol")
    topic: Text | None = Field(None, description="Articles about this topic")
    source: Text | None = Field(None, description="Articles of this feed")
    label: Label | None = Field(None, description="Articles of this sentiment")
    since: Moment | None = Field(None, description="Published then or later")
    until: Moment | None = Field(None, description="Published before")
    limit: Annotated[_Limit, BeforeValidator(_whole, json_schema_input_type=_Limit)] = Field(
        20, description="Articles on one page at most"
    )
    cursor: Annotated[Cursor, BeforeValidator(_cursor, json_schema_input_type=str)] | None = Field(
        None,
        description="The `next` of the page before",
        json_schema_extra={"format": "cursor"},
    )

    def query(self) -> NewsQuery:
        """For the store."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        if self.symbol:
            given["symbol"] = self.symbol.upper()
        return NewsQuery.model_construct(**{"limit": self.limit, **given})


class ArticleParameters(Parameters):
    """One article."""

    id: str = Field(pattern=r"^news-[0-9a-f]{32}$", description="As a page of news has it")


class SentimentParameters(Parameters):
    """Whose sentiment, over how many days."""

    symbol: Symbol | None = Field(None, description="Of this symbol; else of all articles")
    days: Annotated[_Days, BeforeValidator(_whole, json_schema_input_type=_Days)] = Field(
        30, description="Up to today, in UTC"
    )


class QuoteParameters(Parameters):
    """One quote."""

    symbol: Symbol = Field(description="As the exchange has it")


class UsageParameters(Parameters):
    """How far back."""

    days: Annotated[_UsageDays, BeforeValidator(_whole, json_schema_input_type=_UsageDays)] = Field(
        7, description="Up to now"
    )
    token: Annotated[str, Field(pattern=r"^[A-Za-z0-9_\-]{1,64}$")] | None = Field(
        None, description="The id of one token of this account; else all of them together"
    )


P = TypeVar("P", bound=Parameters)


def parsed(model: type[P], path: Mapping[str, str], query: MultiMapping[str]) -> P:
    """What a call asks for.

    Raises:
        Problem: 400 that names every parameter that is wrong, and how; 404 when what the path
            names cannot exist.
    """
    given = dict(query)
    wrong = [
        _wrong(name, "is given more than once") for name in given if len(query.getall(name)) > 1
    ]
    wrong += [_wrong(name, "is no query parameter") for name in given if name in path]
    if not wrong:
        try:
            return model.model_validate(given | dict(path))
        except ValidationError as exc:
            wrong = [_told(error) for error in exc.errors(include_url=False, include_input=False)]
    raise _problem(wrong)


def _told(error: Mapping[str, Any]) -> dict[str, str]:
    name = str(error["loc"][0]) if error["loc"] else ""
    match error["type"]:
        case "extra_forbidden":
            return _wrong(name, "is not known here")
        case "value_error":
            return _wrong(name, str(error["ctx"]["error"]))
    return _wrong(name, str(error["msg"]).replace("Input should", "should"))


def _wrong(name: str, told: str) -> dict[str, str]:
    return {"parameter": name[:100], "detail": told}


def _problem(wrong: Iterable[dict[str, str]]) -> Problem:
    wrong = list(wrong)
    first = wrong[0]
    return Problem(
        status=400,
        title="A parameter is wrong",
        detail=f"{first['parameter']}: {first['detail']}",
        extra={"errors": wrong},
    )
