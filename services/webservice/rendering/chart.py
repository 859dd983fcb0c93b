"""Draws SVG charts without scripts or style attributes. The style sheet sets the colours.

Rule: a chart must be readable without colours, and its page must also show the numbers as a table.
This module escapes all text.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Final

from markupsafe import Markup, escape

_TOP: Final = 10.0
_RIGHT: Final = 6.0
_BOTTOM: Final = 22.0
_LEFT: Final = 34.0


@dataclass(frozen=True, slots=True)
class Bar:
    """A column's label, value and tooltip.

    If the value is None, no column is drawn. `part` is how many of the calls failed.
    """

    label: str
    value: float | None
    tooltip: str
    part: float = 0.0


@dataclass(frozen=True, slots=True)
class Size:
    """The width and height of a chart in SVG units. The page scales the chart."""

    width: float = 330.0
    height: float = 185.0


def diverging(bars: Sequence[Bar], *, name: str, title: str, about: str, size: Size) -> Markup:
    """Draw columns above and below zero, for values between -1 and 1, such as daily sentiment."""
    top = max((abs(bar.value) for bar in bars if bar.value is not None), default=0.0)
    reach = next(step for step in (0.2, 0.4, 0.6, 1.0) if top <= step or step == 1.0)
    area = _Area(size, low=-reach, high=reach, count=len(bars))
    columns = [
        _column(area, at, bar, "up" if bar.value >= 0 else "down", (0.0, bar.value))
        for at, bar in enumerate(bars)
        if bar.value is not None
    ]
    grid = _grid(area, [-reach, -reach / 2, 0.0, reach / 2, reach], _signed)
    return _svg(size, name, title, about, [grid, *columns, _labels(area, bars)])


def stacked(bars: Sequence[Bar], *, name: str, title: str, about: str, size: Size) -> Markup:
    """Draw columns for counts such as hourly calls, with failed calls hatched at the bottom."""
    high = nice_ceiling(max((bar.value or 0.0 for bar in bars), default=0.0))
    area = _Area(size, low=0.0, high=high, count=len(bars))
    columns: list[Markup] = []
    for at, bar in enumerate(bars):
        if not bar.value:
            continue
        bad = min(bar.part, bar.value)
        if bad < bar.value:
            columns.append(_column(area, at, bar, "calls", (bad, bar.value)))
        if bad:
            columns.append(_column(area, at, bar, "failed", (0.0, bad)))
    grid = _grid(area, [0.0, high / 2, high], short)
    return _svg(size, name, title, about, [grid, *columns, _labels(area, bars)])


def meter(score: float) -> Markup:
    """Draw a small scale from -1 to 1 with a needle at `score`."""
    at = 2 + (max(-1.0, min(1.0, score)) + 1) * 48
    return Markup(
        '<svg class="meter" viewBox="0 0 100 12" aria-hidden="true" focusable="false">'
        '<rect class="rail" x="2" y="4" width="96" height="4" rx="2"/>'
        '<rect class="{}" x="{}" y="4" width="{}" height="4"/>'
        '<rect class="middle" x="49.5" y="1" width="1" height="10"/>'
        '<circle class="needle" cx="{}" cy="6" r="4"/></svg>'
    ).format("up" if at >= 50 else "down", _n(min(at, 50)), _n(abs(at - 50)), _n(at))


def nice_ceiling(value: float) -> float:
    """Return the smallest of 4, 10, 20, 40, 60, 100, 200 … that is at least `value`.

    These numbers are all even, so half of each is an integer.
    """
    if value <= 4:
        return 4.0
    power = 10.0 ** floor(log10(value))
    return next(step * power for step in (1, 2, 4, 6, 10, 20) if step * power >= value)


def short(value: float) -> str:
    """Return a count in a short form, such as 950, 1.2k or 3M."""
    for size, sign in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{sign}"
    return f"{value:.3g}"


class _Area:
    """The chart area that contains the columns. It converts values to positions in this area."""

    def __init__(self, size: Size, *, low: float, high: float, count: int) -> None:
        self.size = size
        self.low, self.high = low, high
        self.left, self.right = _LEFT, size.width - _RIGHT
        self.top, self.bottom = _TOP, size.height - _BOTTOM
        self.step = (self.right - self.left) / max(1, count)

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.bottom - share * (self.bottom - self.top)

    def middle(self, at: int) -> float:
        return self.left + (at + 0.5) * self.step


def _column(area: _Area, at: int, bar: Bar, kind: str, reach: tuple[float, float]) -> Markup:
    width = max(1.0, min(26.0, area.step * 0.72))
    upper, lower = sorted(area.y(value) for value in reach)
    # Keep a value near zero visible, to distinguish it from a day without news.
    height = max(1.5, lower - upper)
    return Markup(
        '<rect class="bar {}" x="{}" y="{}" width="{}" height="{}" rx="{}"><title>{}</title></rect>'
    ).format(
        kind,
        _n(area.middle(at) - width / 2),
        _n(upper),
        _n(width),
        _n(height),
        _n(min(2.0, width / 4)),
        escape(bar.tooltip),
    )


def _grid(area: _Area, values: Sequence[float], written: Callable[[float], str]) -> Markup:
    lines = [
        Markup(
            '<line class="{}" x1="{}" x2="{}" y1="{}" y2="{}"/>'
            '<text class="tick" x="{}" y="{}" text-anchor="end">{}</text>'
        ).format(
            "zero" if value == 0 else "rule",
            _n(area.left),
            _n(area.right),
            _n(area.y(value)),
            _n(area.y(value)),
            _n(area.left - 5),
            _n(area.y(value) + 3.5),
            "0" if value == 0 else written(value),
        )
        for value in values
    ]
    return Markup("").join(lines)


def _labels(area: _Area, bars: Sequence[Bar]) -> Markup:
    """Draw as many evenly spaced labels as fit, starting with the first column's label."""
    longest = max((len(bar.label) for bar in bars), default=1)
    every = max(1, ceil((longest * 6.4 + 10) / area.step))
    texts = []
    for at in range(0, len(bars), every):
        x = min(max(area.middle(at), area.left + longest * 2.6), area.right - longest * 2.6)
        texts.append(
            Markup('<text class="tick" x="{}" y="{}" text-anchor="middle">{}</text>').format(
                _n(x), _n(area.size.height - 6), bars[at].label
            )
        )
    return Markup("").join(texts)


def _svg(size: Size, name: str, title: str, about: str, parts: Sequence[Markup]) -> Markup:
    return Markup(
        '<svg class="chart" viewBox="0 0 {w} {h}" role="img" aria-labelledby="{id}-t {id}-d">'
        '<title id="{id}-t">{title}</title><desc id="{id}-d">{about}</desc>{parts}</svg>'
    ).format(
        w=_n(size.width),
        h=_n(size.height),
        id=name,
        title=title,
        about=about,
        parts=Markup("").join(parts),
    )


def _signed(value: float) -> str:
    return f"{value:+.3g}".replace("-", "\N{MINUS SIGN}")


def _n(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
