"""Where the chips lie: an SVG map in a local flat projection, whole across the antimeridian."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from rsprep.report import svg
from rsprep.report.charts import ROUND, nice_ceiling
from rsprep.report.colours import OTHER_SPLIT, PLANNED, QUARANTINED, REJECTED, SPLIT_COLOURS
from rsprep.report.data import ChipTable
from rsprep.report.images import data_uri

WIDTH, TALLEST, LOWEST = 720.0, 580.0, 260.0
LEFT, RIGHT, TOP, BOTTOM = 64.0, 10.0, 8.0, 48.0
KM_PER_DEGREE = 111.32
NAMED_CHIPS = 800
"""Up to here every chip is an element of its own that tells its name; above, one path a colour."""
DRAWN_CHIPS = 4000
"""Above this the chips are drawn as one picture."""
LEAST_PX = 2.5
"""Smaller chips are drawn this large, or they would vanish."""


@dataclass(frozen=True, kw_only=True)
class Frame:
    """From degrees to the units of the drawing: equirectangular, true to scale at the middle latitude."""

    west: float
    """Degrees; longitudes run east from here without a jump."""
    north: float
    scale: float
    """Units a degree of latitude."""
    squeeze: float
    """Cosine of the middle latitude."""
    x0: float
    y0: float
    height: float

    def project(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """(..., 2) unwrapped lon, lat → x, y."""
        x = self.x0 + (points[..., 0] - self.west) * self.scale * self.squeeze
        y = self.y0 + (self.north - points[..., 1]) * self.scale
        return np.stack([x, y], axis=-1)


def draw_map(chips: ChipTable | None, aoi: Sequence[NDArray[np.float64]]) -> Markup:
    """Chips by split (committed filled, rejected hollow, quarantined red) on the outline of the area of interest.

    Parameters
    ----------
    chips : the chips, or None for the outline alone.
    aoi : outlines, each (vertex, 2) lon, lat in [-180, 180].

    Returns
    -------
    An ``<svg>``, or a line that says that there is nothing to draw.
    """
    corners = chips.corners if chips is not None and len(chips) else np.empty((0, 4, 2))
    rings = [np.asarray(ring, dtype=np.float64) for ring in aoi if len(ring) >= 2]
    if not len(corners) and not rings:
        return Markup('<p class="none">nothing to map</p>')
    corners = _join(corners)
    start = widest_gap_end([*_intervals(corners), *((r[:, 0].min(), r[:, 0].max()) for r in rings)])
    corners = _shift(corners, start)
    moved = [_shift(ring[None], start)[0] for ring in rings]
    frame = _frame(np.concatenate([corners.reshape(-1, 2), *moved]))
    content = [_graticule(frame)]
    if chips is not None and len(chips):
        content.append(_chips(chips, _grown(frame.project(corners)), frame))
    content += [_outline(frame, ring, original) for ring, original in zip(moved, rings, strict=True)]
    content.append(_scale_bar(frame))
    return svg.figure(WIDTH, frame.height, "Map of the chips", *content)


def widest_gap_end(intervals: Sequence[tuple[float, float]]) -> float:
    """Longitude at which a map may begin so that it is cut where nothing lies.

    Parameters
    ----------
    intervals : (first, last) degrees with first ≤ last; they may lie anywhere on the circle.

    Returns
    -------
    The eastern end of the widest empty stretch, in [-180, 180).
    """
    wrapped = sorted(((a + 180.0) % 360.0 - 180.0, b - a) for a, b in intervals)
    reach, best, answer = wrapped[0][0], -1.0, wrapped[0][0]
    for west, width in wrapped:
        if west - reach > best:
            best, answer = west - reach, west
        reach = max(reach, west + width)
    around = wrapped[0][0] + 360.0 - reach
    return wrapped[0][0] if around >= best else answer


def _join(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Undo jumps of 360° between the corners of one chip."""
    joined = corners.astype(np.float64, copy=True)
    joined[..., 0] -= 360.0 * np.round((joined[..., 0] - joined[:, :1, 0]) / 360.0)
    return joined


def _intervals(corners: NDArray[np.float64]) -> list[tuple[float, float]]:
    return list(zip(corners[..., 0].min(axis=1).tolist(), corners[..., 0].max(axis=1).tolist(), strict=True))


def _shift(shapes: NDArray[np.float64], start: float) -> NDArray[np.float64]:
    """Move (shape, vertex, 2) by whole turns so that each begins in [start, start + 360)."""
    moved = shapes.astype(np.float64, copy=True)
    first = moved[..., 0].min(axis=1, initial=np.inf, keepdims=True)
    moved[..., 0] -= 360.0 * np.floor((first - start + 1e-9) / 360.0)
    return moved


def _frame(points: NDArray[np.float64]) -> Frame:
    (west, south), (east, north) = points.min(axis=0), points.max(axis=0)
    squeeze = max(0.05, float(np.cos(np.radians((south + north) / 2))))
    width = max((east - west) * squeeze, 1e-4) * 1.06
    height = max(north - south, 1e-4) * 1.06
    room = WIDTH - LEFT - RIGHT
    scale = min(room / width, (TALLEST - TOP - BOTTOM) / height)
    drawn = max(LOWEST, height * scale + TOP + BOTTOM)
    return Frame(
        west=(west + east) / 2,
        north=(south + north) / 2,
        scale=scale,
        squeeze=squeeze,
        x0=LEFT + room / 2,
        y0=TOP + (drawn - TOP - BOTTOM) / 2,
        height=drawn,
    )


def _graticule(frame: Frame) -> Markup:
    right, bottom = WIDTH - RIGHT, frame.height - BOTTOM
    drawn = [svg.tag("rect", x=LEFT, y=TOP, width=right - LEFT, height=bottom - TOP, class_="ground")]
    step = nice_ceiling(max((right - LEFT) / frame.squeeze, bottom - TOP) / frame.scale / 6, ROUND)
    decimals = max(0, 1 - int(np.floor(np.log10(step)))) if step < 10 else 0
    first = frame.west + (LEFT - frame.x0) / frame.scale / frame.squeeze
    last = frame.west + (right - frame.x0) / frame.scale / frame.squeeze
    for degrees in np.arange(np.ceil(first / step), np.floor(last / step) + 1) * step:
        x = frame.project(np.array([degrees, 0.0]))[0]
        drawn.append(svg.tag("line", x1=x, x2=x, y1=TOP, y2=bottom, class_="grid"))
        name = _degrees((degrees + 180) % 360 - 180, "E", "W", decimals)
        drawn.append(svg.text(x, bottom + 17, name, anchor="middle"))
    first, last = frame.north - (bottom - frame.y0) / frame.scale, frame.north + (frame.y0 - TOP) / frame.scale
    for degrees in np.arange(np.ceil(first / step), np.floor(last / step) + 1) * step:
        if abs(degrees) <= 90:
            y = frame.project(np.array([0.0, degrees]))[1]
            drawn.append(svg.tag("line", x1=LEFT, x2=right, y1=y, y2=y, class_="grid"))
            drawn.append(svg.text(LEFT - 5, y + 4, _degrees(degrees, "N", "S", decimals), anchor="end"))
    return svg.tag("g", *drawn)


def _degrees(value: float, positive: str, negative: str, decimals: int) -> str:
    number = f"{abs(value):.{decimals}f}"
    number = number.rstrip("0").rstrip(".") if "." in number else number
    if number in ("0", "180"):
        return f"{number}°"
    return f"{number}°{positive if value > 0 else negative}"


def _outline(frame: Frame, ring: NDArray[np.float64], original: NDArray[np.float64]) -> Markup:
    """The outline without the edges along 180°: those are the cut of the file format, not of the area."""
    x = frame.project(ring)
    seam = np.isclose(np.abs(original[:, 0]), 180.0)
    path = f"M{x[0, 0]:.1f} {x[0, 1]:.1f}"
    for i in range(1, len(x)):
        path += f"{'M' if seam[i] and seam[i - 1] else 'L'}{x[i, 0]:.1f} {x[i, 1]:.1f}"
    return svg.tag("path", d=path, class_="aoi")


def _grown(shapes: NDArray[np.float64]) -> NDArray[np.float64]:
    """(chip, corner, 2) drawn shapes, the tiny ones enlarged about their middle to `LEAST_PX`."""
    middle = shapes.mean(axis=1, keepdims=True)
    size = (shapes.max(axis=1) - shapes.min(axis=1)).max(axis=1)
    factor = np.maximum(1.0, LEAST_PX / np.maximum(size, 1e-6))
    grown: NDArray[np.float64] = middle + (shapes - middle) * factor[:, None, None]
    return grown


def style_of(split: str, state: str) -> tuple[str, str, str]:
    """Fill, stroke and label of a chip."""
    if state == "committed":
        return SPLIT_COLOURS.get(split, OTHER_SPLIT), "#ffffff", split or "committed"
    if state == "quarantined":
        return QUARANTINED, QUARANTINED, "quarantined"
    if state == "rejected":
        return "none", REJECTED, "rejected"
    return "none", PLANNED, "not built yet"


def _chips(chips: ChipTable, shapes: NDArray[np.float64], frame: Frame) -> Markup:
    # Hollow ones after the filled, red ones last: where shapes touch, what needs attention lies on top.
    rank = {"planned": 0, "committed": 1, "rejected": 2, "quarantined": 3}
    order = sorted(range(len(chips)), key=lambda i: (rank[chips.state[i]], chips.split[i]))
    if len(order) > DRAWN_CHIPS:
        return _as_picture(chips, shapes, order, frame)
    size = float(np.median(shapes.max(axis=1) - shapes.min(axis=1)))
    line = 0.0 if size < 5 else 0.6 if size < 14 else 1.0
    groups: dict[tuple[str, str, str], list[int]] = {}
    for i in order:
        groups.setdefault(style_of(chips.split[i], chips.state[i]), []).append(i)
    drawn = []
    for (fill, stroke, _), members in groups.items():
        width = line if fill != "none" else max(line, 0.5)
        if len(chips) <= NAMED_CHIPS:
            paths = [svg.tag("path", svg.tag("title", _hover(chips, i)), d=_path(shapes[i])) for i in members]
        else:
            paths = [svg.tag("path", d="".join(_path(shapes[i]) for i in members))]
        drawn.append(svg.tag("g", *paths, fill=fill, stroke=stroke, stroke_width=width, pointer_events="all"))
    return svg.tag("g", *drawn, class_="chips")


def _path(shape: NDArray[np.float64]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in shape) + "z"


def _hover(chips: ChipTable, i: int) -> str:
    detail = chips.reason[i] or chips.split[i]
    return f"{chips.chip_id[i]}: {chips.state[i]}, {detail}" if detail else f"{chips.chip_id[i]}: {chips.state[i]}"


def _as_picture(chips: ChipTable, shapes: NDArray[np.float64], order: list[int], frame: Frame) -> Markup:
    zoom = 2
    # White paper, multiplied onto the drawing below, lets the grid and the outline show through.
    picture = Image.new("RGB", (round(WIDTH * zoom), round(frame.height * zoom)), "white")
    pen = ImageDraw.Draw(picture)
    for i in order:
        fill, stroke, _ = style_of(chips.split[i], chips.state[i])
        points = [(float(x) * zoom, float(y) * zoom) for x, y in shapes[i]]
        if fill == "none":
            pen.polygon(points, outline=stroke)
        else:
            pen.polygon(points, fill=fill)
    uri = data_uri(np.asarray(picture), longest=max(picture.size))
    return svg.tag("image", href=uri, x=0, y=0, width=WIDTH, height=frame.height, style="mix-blend-mode:multiply")


def _scale_bar(frame: Frame) -> Markup:
    km_per_unit = KM_PER_DEGREE / frame.scale
    length = nice_ceiling(0.11 * WIDTH * km_per_unit, ROUND)
    width = length / km_per_unit
    x, y = WIDTH - RIGHT - width, frame.height - 8
    name = f"{length:,.0f} km" if length >= 1 else f"{length * 1000:,.0f} m"
    bar = svg.tag("path", d=f"M{x:.1f} {y - 4:.1f}v4h{width:.1f}v-4", class_="bar")
    return svg.tag("g", bar, svg.text(x - 7, y + 2, name, anchor="end"))
