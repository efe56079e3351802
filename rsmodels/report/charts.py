"""Lines and grouped bars as SVG.

Series are told apart by lightness and by dash or hatching as well as by hue: they can be read without colour vision.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from rsmodels.report.sections import BarsSection, LinesSection, Series
from rsprep.report import svg

SERIES_COLOURS = (
    "#1b3a5f", "#d9822b", "#2fa58b", "#8c3b6f", "#8a8f98", "#c9b037", "#b5473c", "#6fa3d8", "#4d5a2a",
)  # fmt: skip
"""Nine, and five dashes: forty-five lines before two are alike."""
DASHES = ("none", "7 3", "3 2", "9 3 2 3", "14 3 2 3 2 3")
MOST_POINTS = 800
"""A line of more points keeps the first, least, largest and last of each of this quarter of parts: spikes stay."""
LEFT, RIGHT, TOP, BOTTOM = 58.0, 14.0, 12.0, 42.0
Numbers = NDArray[np.float64]


def lines(section: LinesSection) -> Markup:
    """The chart of a `LinesSection`, without its legend."""
    width, height = (560.0, 300.0) if section.half else (1140.0, 380.0)
    drawable = [_drawable(one, log=section.log) for one in section.series]
    every_x = _finite([x for x, *_ in drawable])
    every_y = _finite([numbers for _, *rest in drawable for numbers in rest])
    if not every_x.size or not every_y.size:
        return Markup('<p class="none">no values yet</p>')
    low_x, high_x = _widened(float(every_x.min()), float(every_x.max()))
    low_y, high_y = _widened(float(every_y.min()), float(every_y.max()))
    pad = 0.04 * (high_y - low_y)
    low_y, high_y = low_y - pad, high_y + pad

    def at_x(value: float) -> float:
        return LEFT + (width - LEFT - RIGHT) * (value - low_x) / (high_x - low_x)

    def at_y(value: float) -> float:
        return height - BOTTOM - (height - TOP - BOTTOM) * (value - low_y) / (high_y - low_y)

    drawn: list[Markup] = []
    y_ticks = log_ticks(low_y, high_y) if section.log else ticks(low_y, high_y)
    for value, text in y_ticks:
        drawn.append(svg.tag("line", x1=LEFT, x2=width - RIGHT, y1=at_y(value), y2=at_y(value), class_="grid"))
        drawn.append(svg.text(LEFT - 6, at_y(value) + 4, text, anchor="end"))
    base = height - BOTTOM
    for value, text in ticks(low_x, high_x, most=6 if section.half else 10):
        drawn.append(svg.tag("line", x1=at_x(value), x2=at_x(value), y1=base, y2=base + 4, class_="axis"))
        drawn.append(svg.text(at_x(value), base + 17, text, anchor="middle"))
    drawn.append(svg.tag("line", x1=LEFT, x2=width - RIGHT, y1=base, y2=base, class_="axis"))
    drawn.append(svg.text((LEFT + width - RIGHT) / 2, height - 6, section.x_label, anchor="middle"))
    middle = (TOP + base) / 2
    drawn.append(
        svg.tag("text", section.y_label, x=13, y=middle, text_anchor="middle", transform=f"rotate(-90 13 {middle:.0f})")
    )
    for i, (x, _, low, high) in enumerate(drawable):
        if low.size:
            drawn.append(_band(x, low, high, at_x, at_y, i))
    for i, (x, y, *_) in enumerate(drawable):
        drawn += _line(section.series[i].name, x, y, at_x, at_y, i)
    return svg.figure(width, height, f"{section.title}: {section.y_label} over {section.x_label}", *drawn)


def left_out(section: LinesSection) -> int:
    """Numbers of the lines that could not be drawn: not finite, or not above 0 on a logarithmic axis."""
    return sum(int((~np.isfinite(_drawable(one, log=section.log)[1])).sum()) for one in section.series)


def line_key(i: int) -> Markup:
    """A piece of line `i`, as long as a word."""
    return svg.tag(
        "svg",
        svg.tag("line", x1=1, x2=29, y1=6, y2=6, **_stroke(i)),
        viewBox="0 0 30 12",
        class_="linekey",
        aria_hidden="true",
    )


def bars(section: BarsSection) -> Markup:
    """The chart of a `BarsSection`, without its legend."""
    count = max(1, len(section.series))
    thick = 16.0 if count == 1 else 12.0
    step = thick * count + 12.0
    longest = max((len(name) for name in section.groups), default=0)
    width, left, right = 860.0, min(300.0, 44.0 + 7.2 * longest), 64.0
    named = left - (30.0 if section.colours else 10.0)
    height = step * len(section.groups) + 44.0
    values = [np.asarray(numbers, dtype=np.float64) for numbers in section.series.values()]
    ends = _finite([*values, *(np.asarray(pairs, dtype=np.float64).ravel() for pairs in section.spread.values())])
    if not ends.size:
        return Markup('<p class="none">no values yet</p>')
    low, high = min(0.0, float(ends.min())), max(0.0, float(ends.max()))
    if section.top is not None:
        if high > section.top + 1e-9:
            raise ValueError(f"bars {section.title!r}: {high} is beyond the end of the axis, {section.top}")
        high = section.top
    if low == high:
        high = 1.0
    marks = ticks(low, high, most=6, outwards=True)
    low, high = min(low, marks[0][0]), max(high, marks[-1][0])

    def at(value: float) -> float:
        return left + (width - left - right) * (value - low) / (high - low)

    base = step * len(section.groups)
    drawn: list[Markup] = []
    for value, text in marks:
        drawn.append(svg.tag("line", x1=at(value), x2=at(value), y1=0, y2=base, class_="grid"))
        drawn.append(svg.text(at(value), base + 17, text, anchor="middle"))
    drawn.append(svg.text((left + width - right) / 2, height - 4, section.x_label, anchor="middle"))
    for g, group in enumerate(section.groups):
        y = g * step
        if section.colours:
            drawn.append(svg.tag("rect", x=left - 22, y=y + step / 2 - 7, width=14, height=14, fill=section.colours[g]))
        drawn.append(svg.text(named, y + step / 2 + 4.5, group.replace("_", " "), anchor="end", class_="name"))
        for s, name in enumerate(section.series):
            top = y + 6 + s * thick
            drawn += _bar(section, s, name, g, top, thick, at)
    drawn.append(svg.tag("line", x1=at(0.0), x2=at(0.0), y1=0, y2=base, class_="axis"))
    return svg.figure(width, height, section.title, *drawn)


def bar_key(i: int) -> Markup:
    """The colour of bar `i`, as large as a letter."""
    box = svg.tag("rect", x=0, y=0, width=14, height=14, fill=SERIES_COLOURS[i % len(SERIES_COLOURS)])
    return svg.tag("svg", box, viewBox="0 0 14 14", class_="key", aria_hidden="true")


def _bar(
    section: BarsSection, s: int, name: str, g: int, top: float, thick: float, at: Callable[[float], float]
) -> list[Markup]:
    value = float(section.series[name][g])
    middle = top + thick / 2
    if not math.isfinite(value):
        return [svg.text(at(0.0) + 6, middle + 4, "–")]
    start, end = sorted((at(0.0), at(value)))
    written = f"{value:.{section.decimals}f}"
    title = svg.tag("title", f"{section.groups[g]}, {name}: {written}")
    colour = SERIES_COLOURS[(section.first + s) % len(SERIES_COLOURS)]
    drawn = [
        svg.tag("rect", title, x=start, y=top + 1, width=max(end - start, 0.8), height=thick - 2, fill=colour),
    ]
    if name in section.spread:
        low, high = section.spread[name][g]
        if math.isfinite(low) and math.isfinite(high):
            start, end = min(start, at(low)), max(end, at(high))
            path = f"M{at(low):.1f} {middle - 3:.1f}v6m0 -3H{at(high):.1f}m0 -3v6"
            # Drawn twice: a white edge keeps the whisker visible on a dark bar.
            drawn.append(svg.tag("path", d=path, class_="whisker-edge"))
            drawn.append(svg.tag("path", d=path, class_="whisker"))
    drawn.append(svg.text(max(end, at(0.0)) + 6, middle + 4, written.replace("-", "−")))
    return drawn


def ticks(low: float, high: float, *, most: int = 6, outwards: bool = False) -> list[tuple[float, str]]:
    """Round numbers from `low` to `high`, at most about `most`, and how they are written.

    outwards : the first and the last reach beyond the ends instead of staying within.
    """
    rough = (high - low) / max(1, most - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    factor = next(factor for factor in (1.0, 2.0, 2.5, 5.0, 10.0) if factor * power >= rough * 0.8)
    step = factor * power
    slack = 1e-9 * step
    first = math.floor((low + slack) / step) if outwards else math.ceil((low - slack) / step)
    last = math.ceil((high - slack) / step) if outwards else math.floor((high + slack) / step)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9) + (factor == 2.5))
    found = [k * step for k in range(first, last + 1)]
    if max(abs(low), abs(high)) >= 1e7 or decimals > 6:
        return [(value, f"{value:.3g}".replace("-", "−")) for value in found]
    return [(value, f"{value + 0.0:,.{decimals}f}".replace("-", "−")) for value in found]


def log_ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Ticks between `low` and `high`, which are decimal logarithms: whole decades, with 2 and 5 when these are few."""
    factors = (1.0,) if high - low > 2.5 else (1.0, 2.0, 5.0)
    decades = range(math.floor(low), math.ceil(high) + 1)
    apart = max(1, len(decades) // 7)
    found = [(math.log10(f) + d, f"{f * 10.0**d:g}") for d in decades if d % apart == 0 for f in factors]
    within = [(value, text) for value, text in found if low - 1e-9 <= value <= high + 1e-9]
    if len(within) >= 2:
        return within
    return [(math.log10(value), text) for value, text in ticks(10.0**low, 10.0**high) if value > 0]


def _widened(low: float, high: float) -> tuple[float, float]:
    """A range of some width, also for one number."""
    if high > low:
        return low, high
    around = abs(low) * 0.05 or 0.5
    return low - around, high + around


def _finite(arrays: Sequence[Numbers]) -> Numbers:
    joined = np.concatenate([np.empty(0), *(np.asarray(one, dtype=np.float64).ravel() for one in arrays)])
    return np.asarray(joined[np.isfinite(joined)])


def _drawable(series: Series, *, log: bool) -> tuple[Numbers, Numbers, Numbers, Numbers]:
    """x, y, low, high as arrays, in logarithms if asked; low and high empty where there is no band."""
    x, y, low, high = (
        np.asarray([] if one is None else one, dtype=np.float64)
        for one in (series.x, series.y, series.low, series.high)
    )
    if not log:
        return x, y, low, high
    logs = [np.full(one.shape, np.nan) for one in (y, low, high)]
    for one, out in zip((y, low, high), logs, strict=True):
        np.log10(one, out=out, where=one > 0)
    return x, logs[0], logs[1], logs[2]


def _stroke(i: int) -> dict[str, str]:
    dash = DASHES[i % len(DASHES)]
    found = {"stroke": SERIES_COLOURS[i % len(SERIES_COLOURS)], "class_": "series"}
    return found if dash == "none" else {**found, "stroke_dasharray": dash}


def _line(
    name: str, x: Numbers, y: Numbers, at_x: Callable[[float], float], at_y: Callable[[float], float], i: int
) -> list[Markup]:
    """Strokes between gaps; a point alone is a dot."""
    x, y = _thinned(x, y)
    drawn = []
    for first, last in _runs(np.isfinite(x) & np.isfinite(y)):
        points = [f"{at_x(a):.1f} {at_y(b):.1f}" for a, b in zip(x[first:last], y[first:last], strict=True)]
        if len(points) == 1:
            colour = SERIES_COLOURS[i % len(SERIES_COLOURS)]
            drawn.append(svg.tag("circle", cx=at_x(float(x[first])), cy=at_y(float(y[first])), r=2.6, fill=colour))
        else:
            drawn.append(svg.tag("path", svg.tag("title", name), d="M" + "L".join(points), fill="none", **_stroke(i)))
    return drawn


def _band(
    x: Numbers, low: Numbers, high: Numbers, at_x: Callable[[float], float], at_y: Callable[[float], float], i: int
) -> Markup:
    drawn = []
    for first, last in _runs(np.isfinite(x) & np.isfinite(low) & np.isfinite(high)):
        where = x[first:last]
        edge = [f"{at_x(a):.1f} {at_y(b):.1f}" for a, b in zip(where, high[first:last], strict=True)]
        edge += [f"{at_x(a):.1f} {at_y(b):.1f}" for a, b in zip(where[::-1], low[first:last][::-1], strict=True)]
        colour = SERIES_COLOURS[i % len(SERIES_COLOURS)]
        drawn.append(svg.tag("path", d="M" + "L".join(edge) + "z", fill=colour, fill_opacity="0.2"))
    return Markup("").join(drawn)


def _runs(ok: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and one past the last of each stretch of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], ok, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _thinned(x: Numbers, y: Numbers) -> tuple[Numbers, Numbers]:
    """The same line in fewer points; a part that holds a gap keeps one."""
    if len(x) <= MOST_POINTS:
        return x, y
    chosen: set[int] = set()
    for part in np.array_split(np.arange(len(x)), MOST_POINTS // 4):
        values = y[part]
        gaps = part[~np.isfinite(values)]
        chosen |= {int(part[0]), int(part[-1]), *gaps[:1].tolist()}
        if len(gaps) < len(part):
            chosen |= {int(part[np.nanargmin(values)]), int(part[np.nanargmax(values)])}
    order = sorted(chosen)
    return x[order], y[order]
