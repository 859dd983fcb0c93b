"""cp_api against the simulator, both as processes: pacing, batching, staleness, sessions."""

import asyncio
import sys
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import aiohttp
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cp_processes import Eventually, Running, Simulator, running

from runtime.errors import GoneError, RefusedError
from services.cp_simulator import prices
from services.cp_simulator.catalogue import BY_SYMBOL, STOCKS
from services.peers.quotes import Quote, Quotes, QuotesAwayError

SNAPSHOT = "/iserver/marketdata/snapshot"
HISTORY = "/iserver/marketdata/history"
PENALTY = "12"


@pytest.fixture
async def simulator(
    tmp_path: Path, eventually: Eventually, session: aiohttp.ClientSession
) -> AsyncIterator[Simulator]:
    settings = {"ADMIN": "1", "PENALTY_SECONDS": PENALTY, "PREFLIGHT_SECONDS": "0.1"}
    async with running("cp_simulator", tmp_path, eventually, **settings) as service:
        yield Simulator(service, session)


@pytest.fixture
async def cp_api(
    tmp_path: Path, eventually: Eventually, simulator: Simulator
) -> AsyncIterator[Running]:
    settings = {
        "GATEWAY_URL": simulator.url,
        "PENALTY_SECONDS": PENALTY,
        "STATUS_SECONDS": "1",
        "GATEWAY_SECONDS": "10",
        "ANSWER_SECONDS": "15",
        "QUEUE_SECONDS": "15",
    }
    async with running("cp_api", tmp_path, eventually, **settings) as service:
        yield service


@pytest.fixture
def quotes(cp_api: Running, session: aiohttp.ClientSession) -> Quotes:
    return Quotes(session, cp_api.url)


async def answered(client: Quotes, symbol: str, eventually: Eventually, *, stale: bool) -> Quote:
    """The symbol's quote, as soon as it is stale or fresh."""

    async def seen() -> Quote | None:
        try:
            answer = await client.quote(symbol)
        except QuotesAwayError:
            return None
        return answer if answer.stale is stale else None

    answer: Quote = await eventually(seen, 60)
    return answer


async def test_a_quote_has_the_gateways_price_and_is_marked_as_simulated(quotes: Quotes) -> None:
    quote = await quotes.quote("aapl")
    stock = BY_SYMBOL["AAPL"]
    tick = prices.tick("AAPL", stock.around, int(quote.at.timestamp()))
    assert quote.last == Decimal(f"{tick.last:.2f}")
    assert quote.bid is not None
    assert quote.ask is not None
    assert quote.bid < quote.last < quote.ask
    assert (quote.symbol, quote.conid, quote.currency) == ("AAPL", stock.conid, "USD")
    assert (quote.simulated, quote.stale, quote.delayed) == (True, False, False)
    history = await quotes.history("AAPL", "5d", "1d")
    assert history.simulated
    assert len(history.bars) == 5
    assert history.bars[-1].low <= quote.last <= history.bars[-1].high


async def test_one_answer_separates_known_symbols_from_unknown_ones(quotes: Quotes) -> None:
    answer = await quotes.look_up(["MSFT", "NOSUCH", "BRK.B"])
    assert [quote.symbol for quote in answer.quotes] == ["MSFT", "BRK.B"]
    assert answer.unknown == ("NOSUCH",)
    assert [quote.symbol for quote in await quotes.quotes(["NOSUCH", "TSLA"])] == ["TSLA"]
    with pytest.raises(GoneError, match="NOSUCH"):
        await quotes.quote("NOSUCH")
    with pytest.raises(RefusedError):
        await quotes.history("AAPL", "1000d", "1min")


async def test_fifty_simultaneous_callers_never_exceed_the_pacing(
    quotes: Quotes, simulator: Simulator
) -> None:
    async def ask(number: int) -> object:
        symbols = [stock.symbol for stock in STOCKS if " " not in stock.symbol]
        try:
            if number % 5 == 0:
                return await quotes.history(symbols[number], "1w", "1d")
            return await quotes.quote(symbols[number])
        except QuotesAwayError as exc:
            return exc

    outcomes = await asyncio.gather(*(ask(number) for number in range(50)))
    counts = await simulator.counts()
    assert counts["violations"] == 0
    assert counts["busiest"]["*"] <= 10
    assert counts["history_most"] <= 5
    refused = [outcome for outcome in outcomes if isinstance(outcome, QuotesAwayError)]
    assert all(error.retry_after_seconds >= 1 for error in refused)
    assert len(refused) <= 10


async def test_equal_requests_are_shared(quotes: Quotes, simulator: Simulator) -> None:
    answers = await asyncio.gather(*(quotes.quote("NVDA") for _ in range(50)))
    assert len({quote.conid for quote in answers}) == 1
    assert await simulator.requests("/trsrv/stocks") == 1
    assert await simulator.requests(SNAPSHOT) <= 5
    await asyncio.gather(*(quotes.history("NVDA", "1w", "1d") for _ in range(50)))
    assert await simulator.requests(HISTORY) == 1
    await quotes.history("NVDA", "1w", "1d")
    assert await simulator.requests(HISTORY) == 1


async def test_many_symbols_share_one_snapshot(quotes: Quotes, simulator: Simulator) -> None:
    symbols = [stock.symbol for stock in STOCKS[:40] if " " not in stock.symbol]
    answers = await asyncio.gather(*(quotes.quote(symbol) for symbol in symbols))
    assert [quote.symbol for quote in answers] == symbols
    # A pre-flight, one with the data, and some more on a busy host.
    assert await simulator.requests(SNAPSHOT) <= 8


async def test_without_the_gateway_known_quotes_are_stale_and_others_503(
    quotes: Quotes,
    simulator: Simulator,
    cp_api: Running,
    session: aiohttp.ClientSession,
    eventually: Eventually,
) -> None:
    before = await quotes.quote("AAPL")
    await quotes.history("AAPL", "1w", "1d")
    await simulator.service.stop()
    stale = await answered(quotes, "AAPL", eventually, stale=True)
    assert stale.last is not None
    assert stale.at >= before.at
    async with session.get(f"{cp_api.url}/quotes/TSLA") as answer:
        assert answer.status == 503
        assert answer.content_type == "application/problem+json"
        assert int(answer.headers["Retry-After"]) >= 1

    async def is_reported() -> bool:
        status = await quotes.status()
        return not status.reachable and not status.authenticated

    await eventually(is_reported, 60)
    async with session.get(f"{cp_api.url}/health/ready") as answer:
        assert answer.status == 200
        assert (await answer.json())["status"] == "degraded"
    await simulator.service.start(eventually)
    fresh = await answered(quotes, "AAPL", eventually, stale=False)
    assert fresh.at > stale.at
    assert (await quotes.quote("TSLA")).simulated


async def test_a_lapsed_session_is_reauthenticated_once_for_all_callers(
    quotes: Quotes, simulator: Simulator
) -> None:
    await quotes.quote("AAPL")
    await simulator.trouble(session="lost")
    symbols = [stock.symbol for stock in STOCKS[10:22] if " " not in stock.symbol]
    answers = await asyncio.gather(
        *(quotes.quote(symbol) for symbol in symbols),
        *(quotes.history(symbol, "1w", "1d") for symbol in symbols[:4]),
    )
    assert not any(answer.stale for answer in answers)
    assert (await simulator.counts())["reauthentications"] == 1


async def test_a_competing_session_is_reported_and_left_alone(
    quotes: Quotes, simulator: Simulator, eventually: Eventually
) -> None:
    await quotes.quote("AAPL")
    await simulator.trouble(session="lost", competing=True)
    with pytest.raises(QuotesAwayError, match="competing"):
        await quotes.quote("TSLA")

    async def is_reported() -> bool:
        return (await quotes.status()).competing

    await eventually(is_reported, 60)
    assert (await answered(quotes, "AAPL", eventually, stale=True)).stale
    assert (await simulator.counts())["reauthentications"] == 0
    await simulator.trouble(competing=False)
    assert not (await answered(quotes, "TSLA", eventually, stale=False)).stale


async def test_a_missing_login_is_reported_as_a_persons_task(
    quotes: Quotes, simulator: Simulator, eventually: Eventually
) -> None:
    await simulator.trouble(session="logged out")

    async def is_reported() -> bool:
        return "person" in (await quotes.status()).detail

    await eventually(is_reported, 60)
    with pytest.raises(QuotesAwayError, match="person"):
        await quotes.quote("TSLA")
    await simulator.trouble(session="logged in")
    await answered(quotes, "TSLA", eventually, stale=False)


async def test_after_a_429_nothing_is_sent_until_the_penalty_is_over(
    quotes: Quotes, simulator: Simulator, cp_api: Running, eventually: Eventually
) -> None:
    await quotes.quote("AAPL")
    await simulator.trouble(paced=True)

    async def is_closed() -> bool:
        return "the gateway is receiving too many requests" in cp_api.log

    await eventually(is_closed, 60)
    sent = sum((await simulator.counts())["asked"].values())
    with pytest.raises(QuotesAwayError, match="too many requests") as refusal:
        await quotes.quote("TSLA")
    assert refusal.value.retry_after_seconds >= 1
    assert sum((await simulator.counts())["asked"].values()) == sent
    await answered(quotes, "TSLA", eventually, stale=False)
    assert cp_api.log.count("the gateway is receiving too many requests") == 1


async def test_a_halted_stock_is_marked(quotes: Quotes, simulator: Simulator) -> None:
    await simulator.trouble(halted=["GME"])
    assert (await quotes.quote("GME")).last_is == "halted"


async def test_a_slow_gateway_does_not_block_callers(
    quotes: Quotes, simulator: Simulator, eventually: Eventually
) -> None:
    await quotes.quote("AAPL")
    await simulator.trouble(slow_seconds=30)
    await answered(quotes, "AAPL", eventually, stale=True)
    with pytest.raises(QuotesAwayError):
        await quotes.quote("TSLA")
    await simulator.trouble(slow_seconds=0)
    await answered(quotes, "AAPL", eventually, stale=False)


async def test_every_answer_of_the_simulator_is_marked(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    conid = BY_SYMBOL["AAPL"].conid
    api = f"{simulator.url}/v1/api"
    requests = [
        ("POST", "/tickle", None),
        ("POST", "/iserver/auth/status", None),
        ("GET", "/sso/validate", None),
        ("GET", f"{SNAPSHOT}?conids={conid}&fields=31", None),
        ("GET", "/iserver/accounts", None),
        ("GET", f"{SNAPSHOT}?conids={conid}&fields=31", None),
        ("GET", f"{HISTORY}?conid={conid}&period=1w&bar=1d", None),
        ("GET", "/trsrv/stocks?symbols=AAPL,NOPE", None),
        ("POST", "/trsrv/secdef", {"conids": [conid]}),
        ("POST", "/iserver/secdef/search", {"symbol": "AAPL"}),
        ("GET", "/portfolio/accounts", None),
        ("POST", "/iserver/reauthenticate", None),
        ("POST", "/iserver/auth/ssodh/init", {"publish": True, "compete": False}),
        ("POST", "/logout", None),
        ("POST", "/tickle", None),
    ]
    for method, path, body in requests:
        async with session.request(method, api + path, json=body) as answer:
            assert answer.headers["X-Simulated"] == "true", path
            content = await answer.json()
        for element in content if isinstance(content, list) else [content]:
            assert element["simulated"] is True, path
        await simulator.trouble(paced=False)
