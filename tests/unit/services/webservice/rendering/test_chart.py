from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.webservice.rendering.chart import (
    Bar,
    Size,
    diverging,
    meter,
    nice_ceiling,
    short,
    stacked,
)

SVG = "{http://www.w3.org/2000/svg}"


def parsed(markup: str) -> ET.Element:
    return ET.fromstring(
        str(markup).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    )


def bars(markup: str, kind: str) -> list[ET.Element]:
    return [
        rect for rect in parsed(markup).iter(f"{SVG}rect") if rect.get("class") == f"bar {kind}"
    ]


def mood(*values: float | None) -> str:
    columns = [Bar(f"d{at}", value, f"day {at}: {value}") for at, value in enumerate(values)]
    return diverging(columns, name="m", title="Mood", about="By day", size=Size())


def test_a_good_day_goes_up_from_zero_and_a_bad_one_down():
    markup = mood(0.4, -0.4)
    (up,), (down,) = bars(markup, "up"), bars(markup, "down")
    zero = next(line for line in parsed(markup).iter(f"{SVG}line") if line.get("class") == "zero")
    middle = float(zero.get("y1", ""))

    assert float(up.get("y", "")) + float(up.get("height", "")) == pytest.approx(middle, abs=0.05)
    assert float(down.get("y", "")) == pytest.approx(middle, abs=0.05)


def test_a_day_without_news_is_a_gap_and_not_a_zero():
    markup = mood(0.4, None, 0.2)

    assert len(bars(markup, "up")) == 2
    assert not bars(markup, "down")


def test_a_chart_has_a_name_and_a_description_for_screen_readers():
    root = parsed(mood(0.1))
    ids = (root.get("aria-labelledby") or "").split()
    texts = {element.get("id"): element.text for element in root if element.get("id")}

    assert root.get("role") == "img"
    assert [texts[name] for name in ids] == ["Mood", "By day"]


def test_a_charts_texts_are_escaped():
    columns = [Bar("<b>", 1.0, '"><script>alert(1)</script>')]
    markup = diverging(columns, name="m", title="<i>", about="&", size=Size())

    assert "<script" not in markup
    assert "<i>" not in markup
    parsed(markup)


def test_a_chart_has_no_inline_style_or_script():
    markup = mood(0.1, -0.9) + stacked(
        [Bar("a", 3, "x", part=1)], name="u", title="t", about="d", size=Size()
    )

    assert "style" not in markup
    assert " on" not in markup


def test_failed_calls_are_drawn_below_answered_ones():
    markup = stacked(
        [Bar("10:00", 8, "8 calls", part=2)], name="u", title="t", about="d", size=Size()
    )
    (calls,), (failed,) = bars(markup, "calls"), bars(markup, "failed")

    assert (
        float(failed.get("y", ""))
        >= float(calls.get("y", "")) + float(calls.get("height", "")) - 0.1
    )
    assert float(calls.get("height", "")) == pytest.approx(
        3 * float(failed.get("height", "")), abs=0.2
    )


def test_hours_without_calls_draw_nothing():
    quiet = [Bar(str(hour), 0, "none") for hour in range(24)]
    markup = stacked(quiet, name="u", title="t", about="d", size=Size())

    assert not bars(markup, "calls")
    assert not bars(markup, "failed")


@given(
    st.lists(st.one_of(st.none(), st.floats(-1, 1)), max_size=90),
    st.floats(200, 1200),
)
def test_every_column_lies_within_the_drawing(values: list[float | None], width: float):
    columns = [Bar(f"{at} Nov", value, "x") for at, value in enumerate(values)]
    size = Size(width, 200)
    for rect in parsed(diverging(columns, name="m", title="t", about="d", size=size)).iter(
        f"{SVG}rect"
    ):
        assert float(rect.get("x", "")) >= 0
        assert float(rect.get("x", "")) + float(rect.get("width", "")) <= width + 1
        assert float(rect.get("y", "")) >= 0
        assert float(rect.get("y", "")) + float(rect.get("height", "")) <= 200


@given(st.floats(0, 1e9))
def test_the_axis_reaches_the_highest_column(value: float):
    assert value <= nice_ceiling(value) <= max(4.0, value * 2.5)


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (950, "950"), (1200, "1.2k"), (40_000, "40k"), (3e6, "3M")]
)
def test_counts_are_short_on_the_axis(value: float, text: str):
    assert short(value) == text


@given(st.floats(-3, 3))
def test_the_needle_stays_on_its_scale(score: float):
    (needle,) = parsed(meter(score)).iter(f"{SVG}circle")

    assert 2 <= float(needle.get("cx", "")) <= 98
