"""Bars and histograms as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from rsprep.report import svg
from rsprep.report.colours import OTHER_SPLIT, SPLIT_COLOURS
from rsprep.report.data import LandClass

WIDTH, HEIGHT = 360.0, 190.0
LEFT, RIGHT, TOP, BOTTOM = 34.0, 8.0, 14.0, 26.0


ROUND = (1.0, 2.0, 5.0, 10.0)
FINE = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)


def nice_ceiling(value: float, steps: tuple[float, ...] = FINE) -> float:
    """The next of `steps` × a power of ten that is not below `value`; 1 for what is not positive."""
    if not np.isfinite(value) or value <= 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    for step in steps:
        if step * power >= value * (1 - 1e-12):
            return float(step * power)
    raise AssertionError("ten times the power of ten is never below the value")


def histogram(
    values: NDArray[Any] | Sequence[float],
    *,
    label: str,
    limits: tuple[float, float],
    bins: int = 20,
    ticks: Mapping[float, str],
    colour: str = "#4d6a8a",
) -> Markup:
    """Counts of `values` in equal bins over `limits`; values outside are counted in the outermost bins.

    Not-a-number is left out of the bars and told in words: missing is not zero.

    Parameters
    ----------
    values : any shape.
    label : what a reader without eyesight hears.
    limits : the first and the last edge, in the unit of the values.
    ticks : position to label, below the axis.
    """
    array = np.asarray(values, dtype=np.float64).ravel()
    known = array[np.isfinite(array)]
    if not known.size:
        return Markup('<p class="none">no values</p>')
    counts, edges = np.histogram(np.clip(known, *limits), bins=bins, range=limits)
    top = nice_ceiling(float(counts.max()))
    bars = []
    for count, start, end in zip(counts, edges[:-1], edges[1:], strict=True):
        if count:
            x0, x1 = _x(start, limits), _x(end, limits)
            height = (HEIGHT - TOP - BOTTOM) * count / top
            title = svg.tag("title", f"{start:.3g} to {end:.3g}: {count}")
            y = HEIGHT - BOTTOM - height
            bars.append(svg.tag("rect", title, x=x0 + 0.5, y=y, width=x1 - x0 - 1, height=height, fill=colour))
    chart = svg.figure(WIDTH, HEIGHT, label, *_axes(top, limits, ticks), *bars)
    missing = array.size - known.size
    return chart + (Markup('<p class="none">{} without a value</p>').format(f"{missing:,}") if missing else "")


def _x(value: float, limits: tuple[float, float]) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * (value - limits[0]) / (limits[1] - limits[0])


def _axes(top: float, limits: tuple[float, float], ticks: Mapping[float, str]) -> list[Markup]:
    base = HEIGHT - BOTTOM
    drawn = [svg.tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=base, y2=base, class_="axis")]
    for share in (0.5, 1.0) if top > 1 and top % 2 == 0 else (1.0,):
        y = base - (base - TOP) * share
        drawn.append(svg.tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_="grid"))
        drawn.append(svg.text(LEFT - 5, y + 4, f"{top * share:,.0f}", anchor="end"))
    for value, name in ticks.items():
        anchor = "start" if value <= limits[0] else "end" if value >= limits[1] else "middle"
        drawn.append(svg.text(_x(value, limits), HEIGHT - 8, name, anchor=anchor))
    return drawn


def class_bars(classes: Sequence[LandClass], shares: NDArray[np.float64], splits: Mapping[str, NDArray[Any]]) -> Markup:
    """A bar a class for its share of all ground, with a mark for its share within each split.

    Parameters
    ----------
    classes : names and colours, (class,).
    shares : (class,) 0 to 1 over all chips.
    splits : split to (class,) shares; one mark each, told apart by shape and colour.
    """
    width, step, left, right = 760.0, 24.0, 138.0, 56.0
    height = step * len(classes) + 22
    scale = nice_ceiling(max(float(np.nanmax(column, initial=0)) for column in (shares, *splits.values())))
    room = width - left - right
    drawn: list[Markup] = []
    for i, item in enumerate(classes):
        y = i * step
        share = float(np.nan_to_num(shares[i]))
        drawn.append(svg.text(left - 8, y + 16, item.name.replace("_", " "), anchor="end", class_="name"))
        drawn.append(
            svg.tag("rect", x=left, y=y + 4, width=max(room * share / scale, 0.5), height=step - 8, fill=item.colour)
        )
        for split, values in splits.items():
            if np.isfinite(values[i]):
                title = svg.tag("title", f"{split}: {100 * values[i]:.1f} % {item.name}")
                drawn.append(mark(split, left + room * float(values[i]) / scale, y + step / 2, title))
        drawn.append(svg.text(width, y + 16, f"{100 * share:.1f} %", anchor="end", class_="name"))
    base = step * len(classes)
    drawn.append(svg.tag("line", x1=left, x2=left, y1=0, y2=base, class_="axis"))
    drawn.append(svg.text(left, base + 16, "0"))
    drawn.append(svg.text(left + room, base + 16, f"{100 * scale:.3g} %", anchor="middle"))
    return svg.figure(width, height, "Share of each land-cover class", *drawn)


def mark(split: str, x: float, y: float, *children: Markup) -> Markup:
    """The sign of a split: train a circle, val a diamond, test a triangle."""
    fill = SPLIT_COLOURS.get(split, OTHER_SPLIT)
    if split == "val":
        return svg.tag(
            "path", *children, d=f"M{x:.1f} {y - 5.5:.1f}l5.5 5.5l-5.5 5.5l-5.5-5.5z", fill=fill, class_="mark"
        )
    if split == "test":
        return svg.tag("path", *children, d=f"M{x:.1f} {y - 5.5:.1f}l5.2 9.5h-10.4z", fill=fill, class_="mark")
    return svg.tag("circle", *children, cx=x, cy=y, r=4.6, fill=fill, class_="mark")


def key(split: str) -> Markup:
    """The sign of a split, as large as a letter."""
    return svg.tag("svg", mark(split, 7, 7), viewBox="0 0 14 14", class_="key", aria_hidden="true")


def gradient(stops: Sequence[str]) -> Markup:
    """A strip of colour through `stops`."""
    width = 96.0 / max(1, len(stops) - 1)
    cells = []
    for i in range(24):
        # Drawn in cells, not with <linearGradient>: its id would have to be unique in the page.
        position = (i + 0.5) * 4.0 / width
        cells.append(svg.tag("rect", x=i * 4.0, y=0, width=4.3, height=10, fill=_mix(stops, position)))
    return svg.tag("svg", *cells, viewBox="0 0 96 10", class_="ramp", aria_hidden="true")


def _mix(stops: Sequence[str], position: float) -> str:
    first = min(int(position), len(stops) - 2)
    share = position - first
    ends = [[int(stops[i][k : k + 2], 16) for k in (1, 3, 5)] for i in (first, first + 1)]
    mixed = [round(a + (b - a) * share) for a, b in zip(*ends, strict=True)]
    return "#" + "".join(f"{channel:02x}" for channel in mixed)
