"""Templates with hostile values: feeds and e-mail addresses come from strangers."""

import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jinja2
import pytest
from aiohttp import web

from services.stores.article import Analysis, Article, Duplicate, article_id
from services.webservice import templating
from services.webservice.filters import Filters
from services.webservice.panels import Panel
from services.webservice.rendering import formatting

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 7*7 }}"
TEMPLATES = Path(templating.__file__).parent / "templates"
NAMES = sorted(str(path.relative_to(TEMPLATES)) for path in TEMPLATES.glob("**/*.html"))


@pytest.fixture
def pages() -> jinja2.Environment:
    return templating.set_up(web.Application())


class Elements(HTMLParser):
    """The tags of a page with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def all(self, *tags: str) -> list[dict[str, str | None]]:
        return [attrs for tag, attrs in self.elements if tag in tags]


def context(**values: Any) -> dict[str, Any]:
    return {
        "site_name": "Site",
        "api_url": "http://api.localhost",
        "most_symbols": 12,
        "here": "/",
        "static": lambda name: f"/static/{name}",
        "htmx_url": "/static/htmx.min.js",
        "viewer": None,
        "is_away": False,
        "csrf": lambda: "the-token",
        "flash": None,
    } | values


def article(**changes: Any) -> Article:
    url = "https://wire.example/a"
    fields = {
        "_id": article_id(url),
        "url": url,
        "canonical_url": url,
        "title": "A title",
        "text": "One.\n\nTwo.",
        "source": "Wire",
        "feed_url": url,
        "published": NOW,
        "fetched": NOW,
        "content_hash": "c",
        "fingerprint": "0" * 16,
        "ml": Analysis(version="1", of="c", score=0.4, label="positive", at=NOW),
    }
    return Article.model_validate(fields | changes)


HOSTILE = article(
    title=EVIL,
    summary=EVIL,
    text=EVIL,
    source=EVIL,
    authors=[EVIL],
    url="javascript:alert(1)",
    duplicates=[Duplicate(url="javascript:alert(1)", source=EVIL, seen=NOW)],
    ml=Analysis(
        version=EVIL, of="c", score=-1, label="negative", symbols=(EVIL,), topics=(EVIL,), at=NOW
    ),
)


def assert_harmless(page: str) -> None:
    elements = Elements(page)
    assert not elements.all("img") or all(
        attrs.get("src") == "/static/mark.svg" for attrs in elements.all("img")
    )
    assert all((attrs.get("src") or "").startswith("/static/") for attrs in elements.all("script"))
    assert not any(name.startswith("on") for _, attrs in elements.elements for name in attrs)
    assert not any((a.get("href") or "").startswith("javascript") for a in elements.all("a"))
    assert "7*7" in page


def test_a_hostile_article_is_shown_as_text(pages: jinja2.Environment):
    assert_harmless(pages.get_template("article.html").render(context(article=HOSTILE)))


def test_a_hostile_article_in_a_list_is_shown_as_text(pages: jinja2.Environment):
    class Page:
        articles = (HOSTILE,)
        more = None

    for name in ("parts/news.html", "parts/more.html"):
        page = pages.get_template(name).render(context(news=Panel(Page()), filters=Filters()))
        assert_harmless(page)


def test_a_form_shows_its_input_again_as_text(pages: jinja2.Environment):
    values = context(email=EVIL, error=EVIL, next=EVIL)
    page = pages.get_template("login.html").render(values)

    assert_harmless(page)
    assert "alert(1)" in page


def test_an_article_is_shown_with_its_paragraphs_and_source(pages: jinja2.Environment):
    page = pages.get_template("article.html").render(context(article=article()))

    assert "<p>One.</p>" in page
    assert 'href="https://wire.example/a"' in page
    assert "Positive" in page
    assert "+0.40" in page


def test_an_article_without_a_score_says_so(pages: jinja2.Environment):
    page = pages.get_template("article.html").render(context(article=article(ml=None)))

    assert "Not scored yet" in page


@pytest.mark.parametrize("name", NAMES)
def test_no_template_has_inline_script_style_or_another_host(name: str):
    text = (TEMPLATES / name).read_text()

    assert not re.search(r"\sstyle=|\son[a-z]+=|<style|hx-on|hx-vals=.js:", text)
    assert not re.search(r"<script(?! src=)", text)
    assert not re.search(r"(?:src|href|action)=\"(?:https?:)?//", text)


@pytest.mark.parametrize("name", NAMES)
def test_every_form_that_posts_has_a_csrf_token(name: str):
    forms = re.findall(
        r"<form[^>]*method=\"post\".*?</form>", (TEMPLATES / name).read_text(), re.DOTALL
    )

    assert all("ui.csrf_field()" in form for form in forms)


def test_every_field_of_a_form_has_a_label(pages: jinja2.Environment):
    values = context(
        tokens=Panel(()),
        message=None,
        form={"name": "", "expires": "90", "scopes": ()},
        error="",
        errors={"name": "", "scopes": ""},
        new_token=None,
        expiries=(("90", "in 90 days"),),
        scopes=formatting.SCOPES,
    )
    page = pages.get_template("tokens.html").render(values)
    elements = Elements(page)
    labelled = {attrs.get("for") for attrs in elements.all("label")}

    for attrs in elements.all("input", "select"):
        if attrs.get("type") not in {"hidden", "checkbox"}:
            assert attrs.get("id") in labelled or attrs.get("aria-label")


def test_an_unavailable_part_says_so_in_its_place(pages: jinja2.Environment):
    page = pages.get_template("parts/quotes.html").render(
        context(quotes=Panel(problem="Quotes are away."), watched=["AAPL"])
    )

    assert "Quotes are away." in page


def test_with_every_part_unavailable_the_dashboard_is_still_a_page(pages: jinja2.Environment):
    panels = {
        name: Panel(problem=f"{name} is away") for name in ("quotes", "mood", "news", "trending")
    }
    page = pages.get_template("dashboard.html").render(
        context(filters=Filters(), topics=(), watched=(), day_choices=(7, 30), **panels)
    )

    for name in ("quotes", "mood", "news"):
        assert page.count(f"{name} is away") == 1


def test_with_every_part_unavailable_the_front_page_is_still_a_page(pages: jinja2.Environment):
    away = Panel(problem="It is away.")
    page = pages.get_template("landing.html").render(context(headlines=away, mood=away))

    assert page.count("It is away.") == 2


def test_before_any_story_is_scored_the_front_page_says_so(pages: jinja2.Environment):
    page = pages.get_template("landing.html").render(context(headlines=Panel([]), mood=Panel()))

    assert "No stories have been scored yet." in page
    assert "There is no news yet." in page
