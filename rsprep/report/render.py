"""Arrays of a chip store → pictures.

All chips of one report are rendered together, with one stretch a layer, so that they can be compared.
No-data is always painted as a hatch, after everything else, and never takes part in a stretch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsprep.errors import StoreError
from rsprep.report import colours
from rsprep.report.data import LandClass, Legend, Rgb

Arrays = Mapping[str, NDArray[Any]]
"""Variable of the store (``s2``, ``s2_valid``, ``s1``, ``lulc``, ``terrain``) to the array of one chip."""

S2_NODATA = -32768
S2_SCALE = 1e-4
S2_CEILING = 3000.0
"""Reflectance × 10⁴ above which land is rarely found: the usual white of true-colour pictures."""
LULC_NODATA = 255
S1_RANGES = {"VV": (-22.0, -2.0), "VH": (-28.0, -8.0)}
"""Fixed ranges in dB: the same ground looks the same in every report."""
S1_DIFFERENCE = (2.0, 16.0)
TRUE_COLOUR = ("B04", "B03", "B02")
FALSE_COLOURS = (("B08", "B04", "B03"), ("B8A", "B04", "B03"), ("B12", "B8A", "B04"), ("B11", "B08", "B04"))


@dataclass(frozen=True, kw_only=True, eq=False)
class Rendered:
    """Pictures of several chips and how to read them."""

    images: tuple[dict[str, Rgb], ...]
    """One entry a chip: layer title to picture; the same titles in the same order for all."""
    legends: tuple[Legend, ...]


def render_chips(
    chips: Sequence[Arrays], *, bands: Mapping[str, Sequence[str]], classes: Sequence[LandClass] = ()
) -> Rendered:
    """Render every layer that the chips have.

    Parameters
    ----------
    chips : one mapping a chip; ``s2`` (band, y, x) int16 reflectance × 10⁴ with no-data −32768, ``s2_valid`` (y, x)
        1 = clear, ``s1`` (band, y, x) dB with NaN, ``lulc`` (y, x) class codes with 255, ``terrain`` (band, y, x)
        with NaN. Absent layers are left out; all chips have the same ones.
    bands : variable to band names, for ``s2``, ``s1`` and ``terrain``.
    classes : land-cover classes in the order of their codes.

    Raises
    ------
    StoreError : a land-cover code has no class.
    ValueError : the chips do not have the same layers.
    """
    if not chips:
        return Rendered(images=(), legends=())
    if any(set(chip) != set(chips[0]) for chip in chips):
        raise ValueError("all chips of a report must have the same layers")
    painted: list[tuple[Legend, list[Rgb]]] = []
    if "s2" in chips[0]:
        painted.append(_optical(chips, tuple(bands["s2"])))
    if "s2_valid" in chips[0]:
        painted.append(_clear(chips, painted[0][1] if "s2" in chips[0] else None))
    if "s1" in chips[0]:
        painted.append(_radar(chips, tuple(bands["s1"])))
    if "lulc" in chips[0]:
        painted.append(_landcover(chips, classes))
    if "terrain" in chips[0]:
        painted += _terrain(chips, tuple(bands["terrain"]))
    images = tuple({legend.layer: pictures[i] for legend, pictures in painted} for i in range(len(chips)))
    return Rendered(images=images, legends=tuple(legend for legend, _ in painted))


def hatched(image: Rgb, valid: NDArray[np.bool_]) -> Rgb:
    """`image` (y, x, 3) with the hatch wherever `valid` (y, x) is False."""
    return np.where(valid[..., None], image, colours.hatch(valid.shape)).astype(np.uint8)


def _optical(chips: Sequence[Arrays], names: tuple[str, ...]) -> tuple[Legend, list[Rgb]]:
    shown = _bands_to_show(names)
    planes = [chip["s2"][[names.index(name) for name in shown]] for chip in chips]
    valid = [(plane != S2_NODATA).all(axis=0) for plane in planes]
    sampled = [_stretch_pixels(chip, ok) for chip, ok in zip(chips, valid, strict=True)]
    pixels = np.concatenate([plane[:, ok] for plane, ok in zip(planes, sampled, strict=True)], axis=1)
    if "s2_valid" not in chips[0] and pixels.shape[1]:
        # No mask tells the clouds: what is far brighter than the usual ground must not darken all of it.
        brightness = pixels.mean(axis=0)
        pixels = pixels[:, brightness <= 4 * np.median(brightness)]
    true_colour = shown == TRUE_COLOUR
    # One range for red, green and blue keeps natural hues; near infrared needs a range of its own.
    groups = [pixels] * len(shown) if true_colour else list(pixels)
    ranges = [_daylight(group) for group in groups]
    pictures = [hatched(_channels(plane, ranges, gamma=1.3), ok) for plane, ok in zip(planes, valid, strict=True)]
    title = "true colour" if true_colour else "false colour" if len(shown) == 3 else shown[0]
    low, high = ranges[0]
    spread = f"reflectance {low * S2_SCALE:.2f} to {high * S2_SCALE:.2f}" if len(set(ranges)) == 1 else "1 to 99 %"
    return Legend(layer=f"S2 {title}", note=f"{', '.join(shown)}; one stretch for all chips: {spread}"), pictures


def _bands_to_show(names: tuple[str, ...]) -> tuple[str, ...]:
    for wanted in (TRUE_COLOUR, *FALSE_COLOURS):
        if set(wanted) <= set(names):
            return wanted
    return names[:3] if len(names) >= 3 else names[:1]


def _stretch_pixels(chip: Arrays, valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels that may set the stretch: clear ones, so that a cloud does not darken every chip."""
    clear = valid & (chip["s2_valid"] == 1) if "s2_valid" in chip else valid
    return clear if clear.any() else np.zeros_like(valid)


def _percentiles(pixels: NDArray[Any], low: float, high: float) -> tuple[float, float]:
    values = pixels.astype(np.float64).ravel()
    values = values[np.isfinite(values)]
    if not values.size:
        return 0.0, 1.0
    first, last = np.percentile(values, [low, high])
    return float(first), float(last) if last > first else float(first) + 1.0


def _daylight(pixels: NDArray[Any]) -> tuple[float, float]:
    """Range of reflectance to show: snow and cloud edges may saturate, unless most of what there is is bright."""
    low, high = _percentiles(pixels, 1.0, 99.0)
    _, bright = _percentiles(pixels, 1.0, 75.0)
    return low, min(high, max(S2_CEILING, 1.2 * bright))


def _channels(planes: NDArray[Any], ranges: Sequence[tuple[float, float]], gamma: float = 1.0) -> Rgb:
    """(1 or 3, y, x) → (y, x, 3), each plane stretched over its range."""
    curve = np.rint(255.0 * (np.arange(256) / 255.0) ** (1.0 / gamma)).astype(np.uint8)
    painted = [curve[colours.to_uint8(plane, *limits)] for plane, limits in zip(planes, ranges, strict=True)]
    return np.stack(painted * 3 if len(painted) == 1 else painted, axis=-1)


def _clear(chips: Sequence[Arrays], optical: Sequence[Rgb] | None) -> tuple[Legend, list[Rgb]]:
    tint = np.array(colours.rgb(colours.NOT_CLEAR), dtype=np.float64)
    pictures = []
    for i, chip in enumerate(chips):
        clear: NDArray[np.bool_] = np.equal(chip["s2_valid"], 1)
        grey = np.full(clear.shape, 235.0) if optical is None else 110.0 + optical[i].mean(axis=2) * 0.55
        base = np.repeat(grey[..., None], 3, axis=2)
        picture = np.where(clear[..., None], base, 0.3 * base + 0.7 * tint)
        seen: NDArray[np.bool_] = (chip["s2"] != S2_NODATA).all(axis=0) if "s2" in chip else np.ones_like(clear)
        pictures.append(hatched(colours.to_uint8(picture, 0, 255), seen))
    return Legend(layer="S2 clear", note="grey: clear; orange: cloud, shadow or snow, by the scene classes"), pictures


def _radar(chips: Sequence[Arrays], names: tuple[str, ...]) -> tuple[Legend, list[Rgb]]:
    pictures = []
    for chip in chips:
        values = chip["s1"].astype(np.float64)
        valid = np.logical_and.reduce(np.isfinite(values))
        if {"VV", "VH"} <= set(names):
            vv, vh = values[names.index("VV")], values[names.index("VH")]
            planes, ranges = np.stack([vv, vh, vv - vh]), [S1_RANGES["VV"], S1_RANGES["VH"], S1_DIFFERENCE]
        else:
            planes, ranges = values[:1], [S1_RANGES.get(names[0], S1_RANGES["VV"])]
        pictures.append(hatched(_channels(planes, ranges), valid))
    if {"VV", "VH"} <= set(names):
        note = "red VV {:.0f} to {:.0f} dB, green VH {:.0f} to {:.0f} dB, blue VV−VH {:.0f} to {:.0f} dB".format(
            *S1_RANGES["VV"], *S1_RANGES["VH"], *S1_DIFFERENCE
        )
    else:
        note = "{} {:.0f} to {:.0f} dB".format(names[0], *S1_RANGES.get(names[0], S1_RANGES["VV"]))
    return Legend(layer="S1", note=note.replace("-", "−")), pictures


def _landcover(chips: Sequence[Arrays], classes: Sequence[LandClass]) -> tuple[Legend, list[Rgb]]:
    table = np.zeros((256, 3), dtype=np.uint8)
    table[: len(classes)] = [colours.rgb(item.colour) for item in classes]
    pictures = []
    for chip in chips:
        codes = chip["lulc"]
        valid = codes != LULC_NODATA
        unknown = codes[valid & (codes >= len(classes))]
        if unknown.size:
            raise StoreError(
                "unknown-class",
                f"the land-cover layer holds a code outside 0 to {len(classes) - 1}",
                value=int(unknown[0]),
                remedy="run `rsprep verify`; the store was written by something else or is damaged",
            )
        pictures.append(hatched(table[codes], valid))
    return Legend(layer="land cover", note="classes below"), pictures


def _terrain(chips: Sequence[Arrays], names: tuple[str, ...]) -> list[tuple[Legend, list[Rgb]]]:
    planes = {name: [chip["terrain"][i] for chip in chips] for i, name in enumerate(names)}
    painters: dict[str, Callable[[dict[str, list[NDArray[Any]]]], tuple[Legend, list[Rgb]]]] = {
        "elevation": _elevation,
        "slope": _slope,
        "aspect": _aspect,
        "hillshade": _hillshade,
    }
    return [painters[name](planes) for name in names if name in painters]


def _elevation(planes: dict[str, list[NDArray[Any]]]) -> tuple[Legend, list[Rgb]]:
    heights = planes["elevation"]
    low, high = _percentiles(np.concatenate([plane.ravel() for plane in heights]), 0.5, 99.5)
    pictures = [hatched(colours.ramp(plane, low, high, colours.ELEVATION), np.isfinite(plane)) for plane in heights]
    legend = Legend(layer="elevation", note="", stops=colours.ELEVATION, low=f"{low:,.0f} m", high=f"{high:,.0f} m")
    return legend, pictures


def _slope(planes: dict[str, list[NDArray[Any]]]) -> tuple[Legend, list[Rgb]]:
    # Below 5° full scale, noise of the elevation model would look like relief.
    high = max(5.0, _percentiles(np.concatenate([plane.ravel() for plane in planes["slope"]]), 0.0, 99.0)[1])
    pictures = [hatched(colours.ramp(plane, 0, high, colours.SLOPE), np.isfinite(plane)) for plane in planes["slope"]]
    return Legend(layer="slope", note="", stops=colours.SLOPE, low="0°", high=f"{high:.0f}°"), pictures


def _aspect(planes: dict[str, list[NDArray[Any]]]) -> tuple[Legend, list[Rgb]]:
    pictures = []
    for i, aspect in enumerate(planes["aspect"]):
        known = np.isfinite(aspect)
        picture = np.where(known[..., None], colours.wheel(aspect), np.array(colours.rgb(colours.FLAT), dtype=np.uint8))
        # Flat ground has no aspect but is not missing: only its height tells the two apart.
        measured = known | np.isfinite(planes["elevation"][i]) if "elevation" in planes else known
        pictures.append(hatched(picture, measured))
    stops = (*colours.ASPECT, colours.ASPECT[0])
    return Legend(layer="aspect", note="by way of E, S, W; flat is white", stops=stops, low="N", high="N"), pictures


def _hillshade(planes: dict[str, list[NDArray[Any]]]) -> tuple[Legend, list[Rgb]]:
    pictures = [hatched(_channels(plane[None], [(0.0, 255.0)]), np.isfinite(plane)) for plane in planes["hillshade"]]
    return Legend(layer="hillshade", note="0 dark to 255 bright"), pictures
