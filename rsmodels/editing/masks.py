"""Masks of an edit: read, changed, compared. All of them hold the codes of the store."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from rasterio.errors import NotGeoreferencedWarning, RasterioIOError

from rsmodels.data.fields import Field
from rsmodels.errors import ModelError

Mask = NDArray[Any]
"""(y, x) codes, in the store's type."""
_TIFF = (".tif", ".tiff")
_PLAIN = ("L", "P", "1", "I", "I;16")
"""Modes of a picture with one number a pixel; of a palette, its index."""


def class_index(label: Field, name: str) -> int:
    """Index of the class `name`; ModelError ``unknown-class`` with the closest there is."""
    wanted = name.replace(" ", "_")
    if wanted not in label.classes:
        close = difflib.get_close_matches(wanted, label.classes, n=1, cutoff=0.5)
        raise ModelError(
            "unknown-class",
            "the data set has no such class",
            value=name,
            remedy=f"did you mean {close[0]!r}?" if close else f"one of {', '.join(label.classes)}",
        )
    return label.classes.index(wanted)


def require_class(mask: Mask, label: Field, index: int, asked: str) -> None:
    """See that the class is in the mask; ModelError ``class-not-in-mask`` with those that are."""
    if not (mask == label.codes[index]).any():
        there = [name for name, code in zip(label.classes, label.codes, strict=True) if (mask == code).any()]
        raise ModelError(
            "class-not-in-mask",
            f"{asked}: the mask has no pixel of it",
            value=label.classes[index],
            remedy=f"take one of {', '.join(there)}" if there else "take another chip",
        )


def replaced(mask: Mask, label: Field, pairs: Mapping[str, str]) -> Mask:
    """`mask` with classes exchanged, all at once: with water=trees and trees=water they change places.

    Raises
    ------
    ModelError : ``unknown-class``, ``class-not-in-mask``.
    """
    changed = mask.copy()
    for old, new in pairs.items():
        before, after = class_index(label, old), class_index(label, new)
        require_class(mask, label, before, "replace")
        changed[mask == label.codes[before]] = label.codes[after]
    return changed


def read_mask(path: str | Path, label: Field, like: Mask, unknown: int) -> Mask:
    """A mask from a PNG or a TIFF, in the type of `like`.

    Parameters
    ----------
    like : a mask of the size that it must have.
    unknown : code in the store of pixels whose class is not known.

    Raises
    ------
    ModelError : ``not-a-mask``, ``mask-size``, ``unknown-codes``.
    """
    path = Path(path)
    codes = _read_tiff(path) if path.suffix.lower() in _TIFF else _read_picture(path)
    if codes.shape != like.shape:
        raise ModelError(
            "mask-size",
            f"the mask must be as large as the chip, {like.shape[1]} × {like.shape[0]} pixels",
            value=f"{path.name}: {codes.shape[1]} × {codes.shape[0]}",
            remedy="begin with mask.tif of an edit, or with `rsprep export` of the chip",
        )
    strange = sorted(set(np.unique(codes).tolist()) - {*label.codes, unknown})
    if strange:
        known = ", ".join(f"{code} {name}" for name, code in zip(label.classes, label.codes, strict=True))
        raise ModelError(
            "unknown-codes",
            "the mask has numbers that stand for no class",
            value=f"{path.name}: {', '.join(f'{code:g}' for code in strange[:8])}",
            remedy=f"paint with the codes of the data set: {known}, {unknown} unknown",
        )
    return codes.astype(like.dtype)


def region_of(before: Mask, after: Mask, label: Field, redrawn: Sequence[int]) -> NDArray[np.bool_]:
    """(y, x) True where an edit was asked for: another class than before, or one whose noise is drawn anew."""
    return np.asarray(before != after) | np.isin(after, [label.codes[index] for index in redrawn])


def _read_tiff(path: Path) -> NDArray[Any]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)  # a picture lies nowhere
            with rasterio.open(path, driver="GTiff") as file:
                if file.count == 1:
                    return np.asarray(file.read(1))
                what = f"{file.count} bands"
    except RasterioIOError as error:
        raise _no_mask(path, str(error)) from None
    raise _no_mask(path, what)


def _read_picture(path: Path) -> NDArray[Any]:
    try:
        with Image.open(path) as file:
            if file.mode in _PLAIN:
                return np.array(file).astype(np.int64)
            what = f"colours ({file.mode})"
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise _no_mask(path, type(error).__name__ if path.exists() else "no such file") from None
    raise _no_mask(path, what)


def _no_mask(path: Path, what: str) -> ModelError:
    return ModelError(
        "not-a-mask",
        "this is no picture with one code a pixel",
        value=f"{path}: {what}",
        remedy="give a PNG in grey or with a palette, or a TIFF of one band",
    )
