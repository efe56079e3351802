"""Tensors of a batch → pictures. Pixels without data are hatched; every stretch is fixed, so that rows compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from rsmodels.data.fields import IGNORE, Field
from rsmodels.data.normalise import Normaliser
from rsmodels.data.source import ChipSource
from rsprep.files import appearing
from rsprep.report import colours as palette
from rsprep.report.data import Rgb
from rsprep.report.render import S1_DIFFERENCE, S1_RANGES, TRUE_COLOUR

CLASS_COLOURS = (
    "#332288", "#ddcc77", "#117733", "#cc6677", "#88ccee", "#882255", "#44aa99", "#999933", "#aa4499", "#bbbbbb",
)  # fmt: skip
"""For classes that bring no colours of their own: Paul Tol's muted scheme, told apart without colour vision.
More classes than these start anew, darker."""
MASK_COLOURS = ("#1b2a41", "#ffffff")
"""0 and 1 of a mask."""
RIGHT, WRONG = "#f4f1ea", "#7a1f3d"
"""Pixels whose class is right, and wrong."""
ERROR_TOP = 0.25
"""Error that the darkest colour stands for, and all above it; 1 is the whole range of the band."""
ERROR_STOPS = ("#fbf6ea", "#f2cf95", "#dd8f63", "#ab4c62", "#5a2a5c", "#241433")
WHITE = 0.3
"""Reflectance that true colour shows as white, the same for all bands so that hues stay: little land is brighter."""
GAMMA = 1.8
"""Brightens true colour: land is mostly darker than a tenth."""


def paint(
    field: Field,
    values: Tensor,
    normaliser: Normaliser,
    *,
    valid: Tensor | None = None,
    colours: Mapping[str, Sequence[str]] | None = None,
) -> list[Rgb]:
    """A picture for each chip of a batch.

    Optical: true colour over one range of reflectance where there are B04, B03 and B02; else the first three bands, or
    one in grey, each over the range of the normaliser. Radar: VV, VH and VV−VH over fixed ranges of dB. Terrain: its
    hillshade. Classes: in their colours. Masks: dark and white. `key_of` puts it into words.

    Parameters
    ----------
    field : what the values are.
    values : as a batch has them: (B, C, y, x) normalised, or class indices (B, y, x).
    valid : (B, 1, y, x) bool; False is hatched. Unknown classes always are.
    colours : class field to ``#rrggbb`` for each class; without it `CLASS_COLOURS`.
    """
    values = values.detach().cpu()
    if field.kind == "classes":
        known = (colours or {}).get(field.name) or class_colours(len(field.classes))
        pictures = [_classes(chip, known) for chip in values.numpy()]
    elif field.kind == "optical":
        pictures = _optical(field, values, normaliser)
    elif field.kind == "radar":
        pictures = _radar(field, normaliser.physical(field.name, values).double().numpy())
    elif field.kind == "terrain":
        pictures = [_grey(palette.to_uint8(chip[-1], -1.0, 1.0)) for chip in values.float().numpy()]
    else:
        pictures = [_classes(np.rint(chip[0]).astype(np.int64), MASK_COLOURS) for chip in values.float().numpy()]
    if valid is None:
        return pictures
    return [hatched(one, ok) for one, ok in zip(pictures, valid.detach().cpu().numpy()[:, 0], strict=True)]


def class_colours(count: int) -> tuple[str, ...]:
    """`count` colours for classes that bring none."""
    found = []
    for i in range(count):
        turn, place = divmod(i, len(CLASS_COLOURS))
        channels = [round(channel * 0.6**turn) for channel in palette.rgb(CLASS_COLOURS[place])]
        found.append("#" + "".join(f"{channel:02x}" for channel in channels))
    return tuple(found)


def error_map(pred: Tensor, target: Tensor, valid: Tensor, *, top: float = ERROR_TOP) -> Rgb:
    """Mean absolute error over the bands of one chip, from pale (0) to dark (`top` and above).

    Parameters
    ----------
    pred, target : (C, y, x) on 0 to 1.
    valid : (1, y, x) bool; False is hatched.
    top : error of the darkest colour.
    """
    error = (pred.detach().double() - target.detach().double()).abs().mean(dim=0).cpu().numpy()
    return hatched(palette.ramp(error, 0.0, top, ERROR_STOPS), valid[0].detach().cpu().numpy())


def mistakes(pred: Tensor, truth: Tensor, *, ignore: int = IGNORE) -> Rgb:
    """Where the classes (y, x) of one chip differ: pale where they agree, dark where not, hatched where `ignore`."""
    known, wrong = (one.detach().cpu().numpy() for one in (truth != ignore, pred != truth))
    return hatched(np.array([palette.rgb(RIGHT), palette.rgb(WRONG)], np.uint8)[wrong.astype(np.intp)], known)


def colours_of(source: ChipSource, fields: Sequence[Field]) -> dict[str, tuple[str, ...]]:
    """The colours that a data set gives to the classes of `fields`; those without any are left out."""
    found = {}
    for field in fields:
        if field.kind != "classes":
            continue
        tints = tuple(str(source.schema[field.variable].attrs.get("flag_colors", "")).split())
        if len(tints) == len(field.classes):
            found[field.name] = tints
    return found


def hatched(image: Rgb, valid: NDArray[Any]) -> Rgb:
    """`image` (y, x, 3) with the hatch wherever `valid` (y, x) is False."""
    return np.where(valid.astype(bool)[..., None], image, palette.hatch(valid.shape)).astype(np.uint8)


def _grey(plane: NDArray[np.uint8]) -> Rgb:
    return np.repeat(plane[..., None], 3, axis=2)


def _classes(indices: NDArray[Any], known: Sequence[str]) -> Rgb:
    table = np.array([palette.rgb(colour) for colour in known], dtype=np.uint8)
    there = (indices >= 0) & (indices < len(table))
    return hatched(table[np.where(there, indices, 0)], there)


def _optical(field: Field, values: Tensor, normaliser: Normaliser) -> list[Rgb]:
    shown, limits = _bands_shown(field, normaliser)
    if limits is None:
        picture = normaliser.unit(field.name, values)[:, shown].numpy()
        if normaliser[field.name].scale == 1.0 and normaliser[field.name].curve == "root":
            picture = picture**2  # pictures of a camera bring a curve of their own
    else:
        low, high = limits
        reflectance = normaliser.physical(field.name, values)[:, shown].double().numpy()
        picture = np.clip((reflectance - low) / (high - low), 0.0, 1.0) ** (1.0 / GAMMA)
    painted = np.moveaxis(palette.to_uint8(picture, 0.0, 1.0), 1, -1)
    return [np.ascontiguousarray(one) if len(shown) == 3 else _grey(one[..., 0]) for one in painted]


def _bands_shown(field: Field, normaliser: Normaliser) -> tuple[list[int], tuple[float, float] | None]:
    """Positions of the bands to show, and the reflectance that is black and white; None: as the normaliser has it."""
    bands, scaling = field.bands or (), normaliser[field.name]
    if not set(TRUE_COLOUR) <= set(bands):
        return list(range(3 if len(bands) >= 3 else 1)), None
    shown = [bands.index(name) for name in TRUE_COLOUR]
    if scaling.scale == 1.0:  # not told to be reflectance
        return shown, None
    low = min(scaling.low[band] for band in shown) * scaling.scale
    high = max(scaling.high[band] for band in shown) * scaling.scale
    # Where all ground is darker or far brighter, as on snow, the range follows it.
    return shown, (min(low, 0.05), min(high, max(WHITE, 3 * low)))


def key_of(field: Field, normaliser: Normaliser) -> str:
    """How to read the pictures of a field, in words; classes need none."""
    bands = field.bands or ()
    if field.kind == "optical":
        shown, limits = _bands_shown(field, normaliser)
        names = ", ".join(bands[i] for i in shown) if bands else field.variable
        range_ = "each over its range" if limits is None else f"reflectance {limits[0]:.2f} to {limits[1]:.2f}"
        return f"{field.name}: {names}, {range_}"
    if field.kind == "radar" and {"VV", "VH"} <= set(bands):
        ranges = (("red VV", S1_RANGES["VV"]), ("green VH", S1_RANGES["VH"]), ("blue VV−VH", S1_DIFFERENCE))
        told = ", ".join(f"{name} {low:.0f} to {high:.0f} dB" for name, (low, high) in ranges)
        return f"{field.name}: {told}".replace("-", "−")
    return f"{field.name}: hillshade" if field.kind == "terrain" else ""


def _radar(field: Field, decibels: NDArray[Any]) -> list[Rgb]:
    """`decibels`: (B, polarisation, y, x)."""
    bands = field.bands or ()
    if {"VV", "VH"} <= set(bands):
        vv, vh = decibels[:, bands.index("VV")], decibels[:, bands.index("VH")]
        planes = [(vv, S1_RANGES["VV"]), (vh, S1_RANGES["VH"]), (vv - vh, S1_DIFFERENCE)]
    else:
        planes = [(decibels[:, 0], S1_RANGES.get(bands[0] if bands else "VV", S1_RANGES["VV"]))] * 3
    painted = np.stack([palette.to_uint8(plane, *limits) for plane, limits in planes], axis=-1)
    return list(painted)


GAP, MARGIN, LINE = 6, 10, 16


def grid_png(path: str | Path, columns: Sequence[str], rows: Sequence[tuple[str, Sequence[Rgb]]]) -> Path:
    """Write a sheet of pictures with a name over each column and a caption before each row.

    Parameters
    ----------
    path : the PNG file; an older one is replaced only when the new one is whole.
    columns : their names.
    rows : caption and one (y, x, 3) uint8 picture a column.

    Raises
    ------
    ValueError : no rows, or a row that has not one picture a column.
    """
    if not rows or any(len(images) != len(columns) for _, images in rows):
        raise ValueError(f"every row needs a picture for each of the columns {', '.join(columns)}")
    path = Path(path)
    font = ImageFont.load_default(12)
    captions = [caption.split("\n") for caption, _ in rows]
    left = round(max((font.getlength(line) for lines in captions for line in lines), default=0))
    left += 2 * MARGIN if left else MARGIN
    widths = [
        max(max(images[i].shape[1] for _, images in rows), round(font.getlength(name)))
        for i, name in enumerate(columns)
    ]
    heights = [
        max(*(image.shape[0] for image in images), LINE * len(lines))
        for (_, images), lines in zip(rows, captions, strict=True)
    ]
    top = MARGIN + LINE + 4
    size = (left + sum(widths) + GAP * (len(widths) - 1) + MARGIN, top + sum(heights) + GAP * (len(rows) - 1) + MARGIN)
    sheet = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(sheet)
    starts = [left + sum(widths[:i]) + GAP * i for i in range(len(widths))]
    for x, name in zip(starts, columns, strict=True):
        pen.text((x, MARGIN), name, fill="#1d2126", font=font)
    y = top
    for (_, images), lines, height in zip(rows, captions, heights, strict=True):
        for i, line in enumerate(lines):
            pen.text((MARGIN, y + LINE * i), line, fill="#1d2126", font=font)
        for x, image in zip(starts, images, strict=True):
            sheet.paste(Image.fromarray(image), (x, y))
        y += height + GAP
    with appearing(path) as partial:
        sheet.save(partial, "PNG", optimize=True)
    return path
