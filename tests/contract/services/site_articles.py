"""A dozen invented articles for the site's tests and pictures.

They are put into the store as newswatcher and ml would have: each in its own write.
"""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from services.stores.news import Analysis, Article, Duplicate, News, article_id, content_hash


class Story(NamedTuple):
    """One story; without a `score`, ml has not analysed it."""

    hours: float
    source: str
    title: str
    text: str
    score: float | None
    symbols: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    also: str = ""


STORIES: Final = (
    Story(
        0.3,
        "Harbour Wire",
        "Nvidia's new chips are sold out until summer",
        "Nvidia has sold every chip of its next generation that it can make until summer, the"
        " company told suppliers on Monday.\n\nThe orders come from five operators of data centres"
        " and two governments. Gross margin should stay near its record, the finance chief said.",
        0.64,
        ("NVDA",),
        ("earnings", "technology"),
        "The Daily Ledger",
    ),
    Story(
        1.6,
        "Quay Street Journal",
        "A port strike enters its second week and retailers warn of empty shelves",
        "Dock workers at four ports voted to go on with their strike. Importers pay twice the"
        " usual rate for what still moves.\n\nTwo retail chains warned that toys and shoes may"
        " run short before the holidays.",
        -0.52,
        ("WMT", "TGT"),
        ("labour", "trade"),
    ),
    Story(
        3.2,
        "The Daily Ledger",
        "The central bank leaves its rate alone and waits for data",
        "The central bank kept its key rate unchanged, as every economist in a survey had"
        " forecast. The statement differed in two words from the last one.\n\nBond yields barely"
        " moved.",
        0.03,
        (),
        ("rates",),
    ),
    Story(
        5.5,
        "Harbour Wire",
        "Apple raises its outlook as services reach a record",
        "Apple raised its guidance for the quarter and said that revenue from services had"
        " reached a record. The company earned more than analysts had expected.\n\nThe board"
        " approved a higher dividend and a larger buyback.",
        0.71,
        ("AAPL",),
        ("earnings", "guidance"),
        "Quay Street Journal",
    ),
    Story(
        9,
        "Quay Street Journal",
        "Regulators open an investigation into Tesla's driver assistance",
        "Safety regulators opened an investigation after a series of crashes. About 1.2 million"
        " cars are concerned, and a recall is possible.\n\nThe company declined to comment.",
        -0.58,
        ("TSLA",),
        ("regulation",),
    ),
    Story(
        14,
        "The Daily Ledger",
        "Microsoft signs a ten-year contract for nuclear power",
        "Microsoft will buy the whole output of a reactor that is to be started again in 2028."
        "\n\nAnalysts called the price high and the certainty worth it.",
        0.27,
        ("MSFT",),
        ("energy", "contracts"),
    ),
    Story(
        20,
        "Harbour Wire",
        "Intel warns of a loss and cuts its workforce again",
        "Intel warned that it would report a loss for the third quarter in a row and announced"
        " layoffs. It blamed weak demand for servers and delays at its newest plant.",
        -0.74,
        ("INTC",),
        ("earnings", "labour"),
    ),
    Story(
        31,
        "The Daily Ledger",
        "Inflation slows to its lowest rate in three years",
        "Consumer prices rose by 2.1 percent over the year, the lowest rate in three years."
        " Falling energy prices did most of it.",
        0.34,
        (),
        ("inflation", "rates"),
    ),
    Story(
        47,
        "Quay Street Journal",
        "Amazon and Apple are told to open their stores in two countries",
        "Two competition authorities ordered changes to how both companies rank what others sell."
        " Fines are possible from March.",
        -0.31,
        ("AMZN", "AAPL"),
        ("regulation",),
    ),
    Story(
        70,
        "Harbour Wire",
        "Boeing wins its largest order in a decade",
        "Boeing won an order for 180 aircraft from two airlines, to be delivered from 2029."
        " Suppliers rose with it.",
        0.55,
        ("BA",),
        ("contracts",),
    ),
    Story(
        96,
        "The Daily Ledger",
        "Nvidia and Microsoft extend their agreement on data centres",
        "The two companies extended an agreement that was to end next year. Neither told a price.",
        0.38,
        ("NVDA", "MSFT"),
        ("contracts", "technology"),
    ),
    Story(
        121,
        "Quay Street Journal",
        "Oil falls for a fifth day as stocks grow",
        "Oil fell for a fifth day after stocks grew more than expected. Airlines gained.",
        -0.12,
        (),
        ("energy",),
    ),
    Story(
        150,
        "Harbour Wire",
        "Tesla delivers more cars than expected in its third quarter",
        "Deliveries rose nine percent over the year, mostly in Asia. Prices were cut twice.",
        0.42,
        ("TSLA",),
        ("earnings",),
    ),
    Story(
        2.4,
        "Harbour Wire",
        "Copper climbs as a mine in the Andes stays closed",
        "A mine that gives four percent of the world's copper stays closed for another month.",
        None,
    ),
)


def label(score: float) -> str:
    """The label that ml gives a score."""
    return "positive" if score > 0.1 else "negative" if score < -0.1 else "neutral"


def article(story: Story, *, now: datetime) -> Article:
    """A story as newswatcher stores it."""
    words = "-".join("".join(c if c.isalnum() else " " for c in story.title.lower()).split())
    url = f"https://{story.source.lower().replace(' ', '')}.example/{words}"
    at = now - timedelta(hours=story.hours)
    also = [
        Duplicate(url=f"https://other.example/{words}", source=story.also, seen=at)
        for _ in range(1 if story.also else 0)
    ]
    return Article.model_validate(
        {
            "_id": article_id(url),
            "url": url,
            "canonical_url": url,
            "title": story.title,
            "summary": story.text.split("\n\n")[0],
            "text": story.text,
            "source": story.source,
            "feed_url": f"https://{story.source.lower().replace(' ', '')}.example/feed.xml",
            "authors": ["A. Reporter"],
            "published": at.replace(microsecond=0),
            "fetched": now.replace(microsecond=0),
            "fingerprint": content_hash(story.title, story.text)[:16],
            "duplicates": also,
            "content_hash": content_hash(story.title, story.text),
        }
    )


async def publish(news: News, *, now: datetime) -> list[Article]:
    """Store all of them with their analyses; returns the articles, newest first."""
    written = []
    for told in STORIES:
        saved = await news.save(article(told, now=now))
        if told.score is not None:
            found = Analysis.model_validate(
                {
                    "version": "test-1",
                    "of": saved.content_hash,
                    "score": told.score,
                    "label": label(told.score),
                    "symbols": told.symbols,
                    "topics": told.topics,
                    "at": now.replace(microsecond=0),
                }
            )
            assert await news.analyse(saved, found)
        written.append(await news.article(saved.id))
    return sorted(written, key=lambda one: one.published, reverse=True)
