"""public_api as programs use it: a real process, real auth, real stores."""

import asyncio
import itertools
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from api_stage import (
    EVERY_SCOPE,
    PATHS,
    Account,
    Client,
    Eventually,
    Stage,
    Token,
    article,
    assert_problem,
    publish,
    until,
)

from runtime import clock
from services.public_api.routes import ROUTES
from services.stores.couch import Couch
from services.stores.news import News


@pytest.fixture
async def couch(session: aiohttp.ClientSession, couch_url: str) -> Couch:
    """Exactly six articles."""
    opened = Couch(session, couch_url)
    await publish(opened, 6)
    return opened


# Tokens.


@pytest.mark.parametrize("path", PATHS.values())
@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Basic YTpi", "Bearer no-token", "bearer é"]
)
async def test_nothing_is_answered_without_a_valid_token(
    api: Client, path: str, header: str | None
) -> None:
    headers = {} if header is None else {"Authorization": header}
    answer = await api.with_token(None).get(path, headers=headers)
    assert_problem(answer, 401)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")


async def test_a_token_with_one_altered_letter_is_invalid(api: Client) -> None:
    assert api.token is not None
    text = api.token.text
    for at in (0, len(text) // 2, len(text) - 1):
        changed = text[:at] + ("x" if text[at] != "x" else "y") + text[at + 1 :]
        answer = await api.with_token(Token("", changed)).get("/v1/news")
        assert_problem(answer, 401)
        assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
async def test_each_route_requires_its_scope(api: Client, account: Account, route: Any) -> None:
    others = await account.token([scope for scope in EVERY_SCOPE if scope != route.scope])
    answer = await api.with_token(others).get(PATHS[route.path])
    assert_problem(answer, 403)
    assert f'scope="{route.scope}"' in answer.headers["WWW-Authenticate"]


async def test_a_logins_token_has_every_scope(api: Client, account: Account, couch: Couch) -> None:
    for path in PATHS.values():
        assert (await api.with_token(Token("", account.access)).get(path)).status == 200


async def test_a_revoked_token_is_refused_within_the_cache_time(
    api: Client, account: Account, eventually: Eventually
) -> None:
    assert api.token is not None
    assert (await api.get("/v1/news")).status == 200
    await account.revoke(api.token)
    assert_problem(await until(eventually, api, "/v1/news", 401), 401)


# Answers.


async def test_the_news_are_listed_newest_first_without_their_text(
    api: Client, couch: Couch
) -> None:
    answer = await api.get("/v1/news?limit=2")
    first, second = answer.json["items"]
    assert first == {
        "id": article(5).id,
        "title": "Headline 5",
        "summary": "Summary of 5",
        "url": "https://news.example/5",
        "source": "Example",
        "authors": [],
        "published": "2026-11-24T03:05:00Z",
        "sentiment": None,
        "symbols": [],
        "topics": [],
    }
    assert second["sentiment"] == {"score": -0.5, "label": "negative"}
    assert (second["symbols"], second["topics"]) == (["ACME"], ["earnings"])


async def test_pages_continue_by_next_and_by_link_while_articles_arrive(
    api: Client, couch: Couch
) -> None:
    by_next, path = [], "/v1/news?limit=2&source=Example"
    for added in itertools.count(100):
        answer = await api.get(path)
        by_next += [one["title"] for one in answer.json["items"]]
        if answer.json["next"] is None:
            assert "Link" not in answer.headers
            break
        link = answer.headers["Link"]
        assert link.endswith('>; rel="next"')
        path = link[1 : link.index(">")]
        assert f"cursor={answer.json['next']}" in path
        await publish(couch, 1, first=added)
    assert by_next == [f"Headline {number}" for number in range(5, -1, -1)]


async def test_articles_meet_all_conditions(api: Client, couch: Couch) -> None:
    async def found(query: str) -> list[str]:
        answer = await api.get(f"/v1/news?{query}")
        return [one["title"].removeprefix("Headline ") for one in answer.json["items"]]

    assert await found("symbol=acme") == ["4", "2", "0"]
    assert await found("label=positive&topic=earnings") == ["2"]
    assert await found("since=2026-11-24T03:01:00Z&until=2026-11-24T04:03:00%2B01:00") == ["2", "1"]
    assert await found("source=Nobody") == []


async def test_a_document_that_cannot_be_read_hides_no_article(api: Client, couch: Couch) -> None:
    bad_id = f"news-{0:032x}"
    bad = {**article(5).to_doc(), "_id": bad_id, "published": "900-05-05T00:00:00Z"}
    await couch.put("news", bad)
    answer = await api.get("/v1/news?limit=2")
    assert [item["title"] for item in answer.json["items"]] == ["Headline 5", "Headline 4"]
    assert_problem(await api.get(f"/v1/news/{bad_id}"), 404)


async def test_a_single_article_has_its_text(api: Client, couch: Couch) -> None:
    answer = await api.get(f"/v1/news/{article(2).id}")
    assert answer.json["text"] == "Text of 2, which is long."


async def test_a_missing_article_or_symbol_is_a_404(api: Client, couch: Couch) -> None:
    assert_problem(await api.get(f"/v1/news/{article(999).id}"), 404)
    assert_problem(await api.get("/v1/quotes/NOSUCH9999"), 404)
    assert_problem(await api.get("/v1/nothing"), 404)


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("symbl=ACME", "symbl"),
        ("limit=0", "limit"),
        ("cursor=x", "cursor"),
        ("limit=1&limit=2", "limit"),
    ],
)
async def test_a_wrong_parameter_is_named(api: Client, query: str, name: str) -> None:
    problem = assert_problem(await api.get(f"/v1/news?{query}"), 400)
    assert [one["parameter"] for one in problem["errors"]] == [name]


async def test_sentiment_by_day_for_one_symbol_and_for_all(
    api: Client, session: aiohttp.ClientSession, couch_url: str
) -> None:
    news = News(Couch(session, couch_url))
    await news.prepare()
    today = clock.now()
    for number, score in ((0, 0.5), (2, -0.25)):
        one = article(number)
        assert one.ml is not None
        await news.save(
            one.model_copy(
                update={"published": today, "ml": one.ml.model_copy(update={"score": score})}
            )
        )
    for query in ("?symbol=ACME&days=7", "?days=1"):
        (day,) = (await api.get(f"/v1/sentiment{query}")).json["days"]
        assert (day["count"], day["mean"], day["minimum"]) == (2, 0.125, -0.25)
        assert day["day"] in {str(today.date()), str((today + timedelta(days=1)).date())}
    assert (await api.get("/v1/sentiment?symbol=NONE")).json["days"] == []


async def test_a_simulated_quote_is_marked(api: Client, eventually: Eventually) -> None:
    answer = await until(eventually, api, "/v1/quotes/AAPL", 200)
    assert answer.json["symbol"] == "AAPL"
    assert answer.json["simulated"] is True


# Caching and other rules of HTTP.


async def test_an_unchanged_answer_is_not_sent_again(api: Client, couch: Couch) -> None:
    first = await api.get("/v1/news")
    known = {"If-None-Match": first.headers["ETag"]}
    assert first.headers["Cache-Control"].startswith("private")
    again = await api.get("/v1/news", headers=known)
    assert (again.status, again.body) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    await publish(couch, 1, first=50)
    changed = await api.get("/v1/news", headers=known)
    assert changed.status == 200
    assert changed.headers["ETag"] != first.headers["ETag"]


async def test_head_is_get_without_a_body(api: Client, couch: Couch) -> None:
    for path in ("/v1/news", f"/v1/news/{article(1).id}"):
        whole, head = await api.get(path), await api.get(path, method="HEAD")
        assert (head.status, head.body) == (200, b"")
        for name in ("ETag", "Content-Type", "Content-Length"):
            assert head.headers[name] == whole.headers[name]


async def test_other_methods_get_a_405_with_the_allowed_ones(api: Client) -> None:
    answer = await api.get("/v1/news", method="DELETE")
    assert_problem(answer, 405)
    assert set(answer.headers["Allow"].replace(" ", "").split(",")) >= {"GET", "HEAD"}


async def test_no_parameter_reaches_a_header_unescaped(api: Client, couch: Couch) -> None:
    for query in ("symbol=A%0d%0aSet-Cookie:x=1", "source=%0d%0aSet-Cookie:x=1", "a%0d%0ab=1"):
        answer = await api.get(f"/v1/news?{query}")
        assert_problem(answer, 400)
        assert "Set-Cookie" not in answer.headers
    odd = await api.get("/v1/news?limit=1&source=Example%22%3E%3B")
    assert odd.status == 200
    assert "Link" not in odd.headers


async def test_a_request_id_is_returned(api: Client) -> None:
    answer = await api.get("/v1/news", headers={"X-Request-Id": "abc-123"})
    assert answer.headers["X-Request-Id"] == "abc-123"


# Limits.


async def test_each_token_has_its_own_calls(
    api_stage: Stage, session: aiohttp.ClientSession, account: Account, couch: Couch
) -> None:
    process = api_stage.another_api("limited", RATE_LIMIT="3", RATE_WINDOW_SECONDS="3000")
    process.start()
    try:
        await asyncio.to_thread(process.wait)
        api = Client(session, process.url, await account.token())
        answers = [await api.get("/v1/news") for _ in range(4)]
        assert [one.status for one in answers] == [200, 200, 200, 429]
        assert [one.headers["RateLimit-Remaining"] for one in answers] == ["2", "1", "0", "0"]
        assert_problem(answers[3], 429)
        assert 900 <= int(answers[3].headers["Retry-After"]) <= 1000
        assert answers[3].headers["RateLimit-Policy"] == '"default";q=3;w=3000'
        other = api.with_token(await account.token())
        assert (await other.get("/v1/news")).status == 200
    finally:
        await asyncio.to_thread(process.stop)


# Usage.


async def test_calls_are_counted_with_their_errors(
    api: Client, couch: Couch, eventually: Eventually
) -> None:
    assert api.token is not None
    for path in ("/v1/news", "/v1/news", "/v1/news?limit=0", f"/v1/news/{article(999).id}"):
        await api.get(path)

    async def counted() -> bool:
        answer = await api.get(f"/v1/usage?days=1&token={api.token.id}")
        if answer.status != 200:
            # This call, too, counts as an error.
            return False
        told = answer.json
        return 2 <= told["errors"] <= told["calls"] - 2 and bool(told["hours"])

    assert await eventually(counted, within=60)


async def test_an_account_does_not_see_another_accounts_usage(
    api_stage: Stage, api: Client, session: aiohttp.ClientSession, eventually: Eventually
) -> None:
    assert api.token is not None
    await api.get("/v1/usage")
    stranger = Account(session, api_stage.auth.url)
    await stranger.sign_up()
    theirs = api.with_token(await stranger.token())
    told = await theirs.get(f"/v1/usage?token={api.token.id}")
    assert (told.json["calls"], told.json["hours"]) == (0, [])


# The document and the log.


async def test_the_docs_page_loads_nothing_from_other_hosts(api: Client) -> None:
    visitor = api.with_token(None)
    home = await visitor.get("/")
    assert (home.status, home.headers["Location"]) == (302, "/docs")
    page = await visitor.get("/docs")
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert b"//" not in page.body.replace(b"<!doctype", b"")
    for name in ("swagger-ui.css", "swagger-ui-bundle.js", "start.js", "favicon-32x32.png"):
        assert (await visitor.get(f"/docs/{name}")).status == 200
    for name in ("package.json", "..%2fpackage.json", "index.html"):
        assert (await visitor.get(f"/docs/{name}")).status == 404


async def test_the_document_has_every_route_and_no_other(api: Client) -> None:
    told = (await api.with_token(None).get("/openapi.json")).json
    assert set(told["paths"]) == {route.path for route in ROUTES} == set(PATHS)


async def test_the_log_contains_no_token(api_stage: Stage, api: Client, couch: Couch) -> None:
    assert api.token is not None
    await api.get("/v1/news?cursor=x")
    await api.with_token(Token("", "ssw_abc_secretly")).get("/v1/news")
    secret = api.token.text.split("_", 2)[2]
    assert secret not in api_stage.api.log
    assert "secretly" not in api_stage.api.log
