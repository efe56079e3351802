"""Box plots as SVG: a group's values as quartiles, whiskers, dots and the mean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from rsmodels.report.charts import ticks
from rsmodels.report.sections import BoxesSection, Numbers
from rsprep.report import svg

REACH = 1.5
"""Whiskers end at the last value within so many lengths of the box (Tukey)."""
THICK, STEP = 18.0, 32.0
FILL, INK, MEAN, FAR = "#cdd8e4", "#1b3a5f", "#d9822b", "#8a8f98"


@dataclass(frozen=True, kw_only=True, eq=False)
class Box:
    """The numbers of one box."""

    low: float
    """Least value that is not far."""
    first: float
    median: float
    third: float
    high: float
    """Largest value that is not far."""
    mean: float
    far: NDArray[np.float64]
    """Values beyond the whiskers, rising."""
    n: int


def box_of(values: Numbers) -> Box | None:
    """The box of the finite values; None where there is none. Quartiles are interpolated linearly."""
    known = np.sort(_finite(values))
    if not known.size:
        return None
    first, median, third = (float(one) for one in np.quantile(known, (0.25, 0.5, 0.75)))
    reach = REACH * (third - first)
    near = known[(known >= first - reach) & (known <= third + reach)]
    return Box(
        # of few values no near one may lie on a side of the box: then there is no whisker
        low=min(float(near[0]), first),
        first=first,
        median=median,
        third=third,
        high=max(float(near[-1]), third),
        mean=float(known.mean()),
        far=known[(known < near[0]) | (known > near[-1])],
        n=int(known.size),
    )


def left_out(section: BoxesSection) -> int:
    """Values that are no finite numbers."""
    return sum(int((~np.isfinite(np.asarray(one, dtype=np.float64))).sum()) for one in section.values)


def boxes(section: BoxesSection) -> Markup:
    """The chart of a `BoxesSection`, without its legend."""
    found = [box_of(one) for one in section.values]
    every = np.concatenate([np.empty(0), *(_finite(one) for one in section.values)])
    if not every.size:
        return Markup('<p class="none">no values yet</p>')
    low, high = _ends(section, float(every.min()), float(every.max()))
    longest = max((len(name) for name in section.groups), default=0)
    width = 560.0 if section.half else 860.0
    left, right = min(0.45 * width, 26.0 + 7.8 * longest), 56.0
    marks = ticks(low, high, most=6, outwards=section.limits is None)
    low, high = min(low, marks[0][0]), max(high, marks[-1][0])

    def at(value: float) -> float:
        return left + (width - left - right) * (value - low) / (high - low)

    base = STEP * len(found)
    drawn: list[Markup] = []
    for value, text in marks:
        drawn.append(svg.tag("line", x1=at(value), x2=at(value), y1=0, y2=base, class_="grid"))
        drawn.append(svg.text(at(value), base + 17, text, anchor="middle"))
    drawn.append(svg.text((left + width - right) / 2, base + 40, section.x_label, anchor="middle"))
    for row, (name, box) in enumerate(zip(section.groups, found, strict=True)):
        middle = STEP * (row + 0.5)
        drawn.append(svg.text(left - 10, middle + 4.5, name.replace("_", " "), anchor="end", class_="name"))
        if box is None:
            drawn.append(svg.text(left + 6, middle + 4, "–"))
        else:
            drawn += _box(name, box, middle, at, section.decimals)
            written = f"{box.median:.{section.decimals}f}".replace("-", "−")
            drawn.append(svg.text(width, middle + 4, written, anchor="end"))
    drawn.append(svg.tag("line", x1=left, x2=width - right, y1=base, y2=base, class_="axis"))
    return svg.figure(width, base + 46, section.title, *drawn)


def _box(name: str, box: Box, middle: float, at: Callable[[float], float], decimals: int) -> list[Markup]:
    top, end = middle - THICK / 2, middle + THICK / 2
    whiskers = "".join(
        f"M{at(near):.1f} {middle:.1f}H{at(edge):.1f}M{at(edge):.1f} {middle - 5:.1f}V{middle + 5:.1f}"
        for near, edge in ((box.first, box.low), (box.third, box.high))
    )
    told = ", ".join(
        f"{what} {value:.{decimals}f}"
        for what, value in (
            ("median", box.median),
            ("quartiles", box.first),
            ("and", box.third),
            ("whiskers", box.low),
            ("to", box.high),
            ("mean", box.mean),
        )
    )
    title = svg.tag("title", f"{name}: {told}, {box.n:,} values, {len(box.far):,} beyond the whiskers")
    drawn = [
        svg.tag("circle", cx=at(float(value)), cy=middle, r=2.2, fill="none", stroke=FAR, class_="far")
        for value in box.far
    ]
    drawn.append(svg.tag("path", d=whiskers, fill="none", stroke=INK, stroke_width=1.3, class_="whiskers"))
    across = max(at(box.third) - at(box.first), 0.8)
    drawn.append(
        svg.tag("rect", title, x=at(box.first), y=top, width=across, height=THICK, fill=FILL, stroke=INK, class_="box")
    )
    drawn.append(svg.tag("line", x1=at(box.median), x2=at(box.median), y1=top, y2=end, stroke=INK, stroke_width=2.6))
    drawn.append(_diamond(at(box.mean), middle))
    return drawn


def _diamond(x: float, y: float) -> Markup:
    path = f"M{x:.1f} {y - 5:.1f}l5 5l-5 5l-5 -5z"
    return svg.tag("path", d=path, fill=MEAN, stroke="#fff", stroke_width=1, class_="mean")


def _key(*drawn: Markup) -> Markup:
    return svg.tag("svg", *drawn, viewBox="0 0 30 12", class_="linekey", aria_hidden="true")


KEYS = (
    (
        _key(
            svg.tag("rect", x=4, y=1, width=22, height=10, fill=FILL, stroke=INK),
            svg.tag("line", x1=14, x2=14, y1=1, y2=11, stroke=INK, stroke_width=2.6),
        ),
        "median and quartiles; the median is written",
    ),
    (
        _key(svg.tag("path", d="M2 6H28M28 2V10", fill="none", stroke=INK, stroke_width=1.3)),
        "last value within 1.5 lengths of the box",
    ),
    (_key(svg.tag("circle", cx=15, cy=6, r=2.2, fill="none", stroke=FAR)), "beyond"),
    (_key(_diamond(15, 6)), "mean"),
)
"""Signs of the chart with their names."""


def _ends(section: BoxesSection, low: float, high: float) -> tuple[float, float]:
    if section.limits is not None:
        if low < section.limits[0] - 1e-9 or high > section.limits[1] + 1e-9:
            raise ValueError(f"boxes {section.title!r}: values from {low} to {high} are beyond the axis")
        return section.limits
    if low == high:
        around = abs(low) * 0.05 or 0.5
        return low - around, high + around
    return low, high


def _finite(values: Numbers) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64).ravel()
    return np.asarray(array[np.isfinite(array)])
