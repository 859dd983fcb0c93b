"""cp_api against the simulator, both as processes: pacing, joining, staleness, sessions."""

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
PENALTY = "4"


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
        "ANSWER_SECONDS": "15",
        "QUEUE_SECONDS": "15",
    }
    async with running("cp_api", tmp_path, eventually, **settings) as service:
        yield service


@pytest.fixture
def quotes(cp_api: Running, session: aiohttp.ClientSession) -> Quotes:
    return Quotes(session, cp_api.url)


async def answered(client: Quotes, symbol: str, eventually: Eventually, *, stale: bool) -> Quote:
    """The symbol's quote as soon as it is stale, or fresh."""

    async def seen() -> Quote | None:
        try:
            quote = await client.quote(symbol)
        except QuotesAwayError:
            return None
        return quote if quote.stale is stale else None

    found: Quote = await eventually(seen, 60)
    return found


async def test_a_quote_is_the_brokers_price_and_says_that_it_is_simulated(quotes: Quotes) -> None:
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


async def test_one_question_tells_known_symbols_from_unknown_ones(quotes: Quotes) -> None:
    found = await quotes.look_up(["MSFT", "NOSUCH", "BRK.B"])
    assert [quote.symbol for quote in found.quotes] == ["MSFT", "BRK.B"]
    assert found.unknown == ("NOSUCH",)
    assert [quote.symbol for quote in await quotes.quotes(["NOSUCH", "TSLA"])] == ["TSLA"]
    with pytest.raises(GoneError, match="NOSUCH"):
        await quotes.quote("NOSUCH")
    with pytest.raises(RefusedError):
        await quotes.history("AAPL", "1000d", "1min")


async def test_fifty_callers_at_once_never_pass_the_brokers_pacing(
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

    found = await asyncio.gather(*(ask(number) for number in range(50)))
    seen = await simulator.seen()
    assert seen["violations"] == 0
    assert seen["busiest"]["*"] <= 10
    assert seen["history_most"] <= 5
    refused = [one for one in found if isinstance(one, QuotesAwayError)]
    assert all(one.retry_after_seconds >= 1 for one in refused)
    assert len(refused) <= 10


async def test_equal_questions_under_way_are_one(quotes: Quotes, simulator: Simulator) -> None:
    found = await asyncio.gather(*(quotes.quote("NVDA") for _ in range(50)))
    assert len({quote.conid for quote in found}) == 1
    assert await simulator.asked("/trsrv/stocks") == 1
    assert await simulator.asked(SNAPSHOT) <= 5
    await asyncio.gather(*(quotes.history("NVDA", "1w", "1d") for _ in range(50)))
    assert await simulator.asked(HISTORY) == 1
    await quotes.history("NVDA", "1w", "1d")
    assert await simulator.asked(HISTORY) == 1


async def test_many_symbols_are_one_snapshot(quotes: Quotes, simulator: Simulator) -> None:
    symbols = [stock.symbol for stock in STOCKS[:40] if " " not in stock.symbol]
    found = await asyncio.gather(*(quotes.quote(symbol) for symbol in symbols))
    assert [quote.symbol for quote in found] == symbols
    # A pre-flight, one with the data, and some for a host that was busy meanwhile.
    assert await simulator.asked(SNAPSHOT) <= 8


async def test_a_gateway_that_is_away_leaves_stale_quotes_and_a_503_for_others(
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

    async def is_said() -> bool:
        status = await quotes.status()
        return not status.reachable and not status.authenticated

    await eventually(is_said, 60)
    async with session.get(f"{cp_api.url}/health/ready") as answer:
        assert answer.status == 200
        assert (await answer.json())["status"] == "degraded"
    await simulator.service.start(eventually)
    fresh = await answered(quotes, "AAPL", eventually, stale=False)
    assert fresh.at > stale.at
    assert (await quotes.quote("TSLA")).simulated


async def test_a_lapsed_session_is_asked_for_again_once_for_all(
    quotes: Quotes, simulator: Simulator
) -> None:
    await quotes.quote("AAPL")
    await simulator.make(session="lost")
    symbols = [stock.symbol for stock in STOCKS[10:22] if " " not in stock.symbol]
    found = await asyncio.gather(
        *(quotes.quote(symbol) for symbol in symbols),
        *(quotes.history(symbol, "1w", "1d") for symbol in symbols[:4]),
    )
    assert not any(one.stale for one in found)
    assert (await simulator.seen())["reauthentications"] == 1


async def test_a_competing_session_is_said_and_left_alone(
    quotes: Quotes, simulator: Simulator, eventually: Eventually
) -> None:
    await quotes.quote("AAPL")
    await simulator.make(session="lost", competing=True)
    with pytest.raises(QuotesAwayError, match="competing"):
        await quotes.quote("TSLA")

    async def is_said() -> bool:
        return (await quotes.status()).competing

    await eventually(is_said, 60)
    assert (await answered(quotes, "AAPL", eventually, stale=True)).stale
    assert (await simulator.seen())["reauthentications"] == 0
    await simulator.make(competing=False)
    assert not (await answered(quotes, "TSLA", eventually, stale=False)).stale


async def test_a_login_is_a_persons_affair_and_its_absence_is_said(
    quotes: Quotes, simulator: Simulator, eventually: Eventually
) -> None:
    await simulator.make(session="logged out")

    async def is_said() -> bool:
        return "person" in (await quotes.status()).detail

    await eventually(is_said, 60)
    with pytest.raises(QuotesAwayError, match="person"):
        await quotes.quote("TSLA")
    await simulator.make(session="logged in")
    await answered(quotes, "TSLA", eventually, stale=False)


async def test_after_a_429_nothing_is_asked_until_the_penalty_is_over(
    quotes: Quotes, simulator: Simulator, cp_api: Running, eventually: Eventually
) -> None:
    await quotes.quote("AAPL")
    await simulator.make(paced=True)

    async def is_closed() -> bool:
        return "paced by the gateway" in cp_api.log

    await eventually(is_closed, 60)
    asked = sum((await simulator.seen())["asked"].values())
    with pytest.raises(QuotesAwayError, match="ask too much") as refusal:
        await quotes.quote("TSLA")
    assert refusal.value.retry_after_seconds >= 1
    assert sum((await simulator.seen())["asked"].values()) == asked
    await answered(quotes, "TSLA", eventually, stale=False)
    assert cp_api.log.count("paced by the gateway") == 1


async def test_a_halted_stock_says_so(quotes: Quotes, simulator: Simulator) -> None:
    await simulator.make(halted=["GME"])
    assert (await quotes.quote("GME")).last_is == "halted"


async def test_a_slow_gateway_keeps_nobody_waiting_for_ever(
    quotes: Quotes, simulator: Simulator, eventually: Eventually
) -> None:
    await quotes.quote("AAPL")
    await simulator.make(slow_seconds=30)
    await answered(quotes, "AAPL", eventually, stale=True)
    with pytest.raises(QuotesAwayError):
        await quotes.quote("TSLA")
    await simulator.make(slow_seconds=0)
    await answered(quotes, "AAPL", eventually, stale=False)


async def test_every_answer_of_the_simulator_says_what_it_is(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    conid = BY_SYMBOL["AAPL"].conid
    api = f"{simulator.url}/v1/api"
    asked = [
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
    for method, path, body in asked:
        async with session.request(method, api + path, json=body) as answer:
            assert answer.headers["X-Simulated"] == "true", path
            told = await answer.json()
        for element in told if isinstance(told, list) else [told]:
            assert element["simulated"] is True, path
        await simulator.make(paced=False)
