"""The style sheet's contrast, which WCAG 2.2 requires to be 4.5 to 1, in both themes."""

import re
from pathlib import Path

import pytest

from services.webservice import files

CSS = (Path(files.__file__).parent / "static/site.css").read_text()
PAIRS = [
    *(("ink", on) for on in ("page", "card")),
    *(("soft", on) for on in ("page", "card", "flat-tint")),
    *(("brand", on) for on in ("page", "card", "tint")),
    *(("brand-deep", on) for on in ("card", "tint")),
    *(("on-brand", on) for on in ("brand", "brand-deep")),
    *((tone, f"{tone}-tint") for tone in ("good", "bad", "flat", "note")),
    *((tone, "card") for tone in ("good", "bad", "flat")),
]


def theme(number: int) -> dict[str, str]:
    """The colours of the light theme (0) or the dark theme (1)."""
    block = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)[number]
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block))


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("number", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), PAIRS)
def test_text_has_enough_contrast(number: int, text: str, ground: str):
    colours = theme(number)
    high, low = sorted((luminance(colours[text]), luminance(colours[ground])), reverse=True)

    assert (high + 0.05) / (low + 0.05) >= 4.5


def test_the_style_sheet_loads_nothing_from_elsewhere():
    assert "url(" not in CSS
    assert "@import" not in CSS


def test_focus_is_always_visible():
    assert ":focus-visible { outline: 3px" in CSS
    assert CSS.count("outline: none") == 1  # main, which takes the focus of the skip link
