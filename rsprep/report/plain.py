"""Pictures of any variable, by what its attributes say: classes, colours or grey."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsprep.report import colours
from rsprep.report.data import LandClass, Rgb
from rsprep.store.schema import Variable

STRETCH = (0.5, 99.5)
"""Percentiles that black and white stand for."""


def paint(variable: Variable, chips: Sequence[NDArray[Any]]) -> list[Rgb]:
    """The same variable of several chips, with one stretch for all of them.

    Parameters
    ----------
    variable : with ``flag_values`` and ``flag_colors`` it is painted in these; with ``picture: rgb`` and
        three bands or more, in the bands that ``rgb_bands`` names (the first three by default); otherwise
        its first band in grey. 8-bit pictures that use their range are shown as they are. Pixels of nothing but
        the numbers in ``stretch_without`` do not count for the stretch.
    chips : ([bands], y, x) each.
    """
    if "flag_colors" in variable.attrs:
        return [_classes(variable, chip) for chip in chips]
    planes = [_shown(variable, chip) for chip in chips]
    valid = [_valid(variable, plane) for plane in planes]
    low, high = _range(
        variable, [plane[:, ok & _counted(variable, plane)] for plane, ok in zip(planes, valid, strict=True)]
    )
    pictures = []
    for plane, ok in zip(planes, valid, strict=True):
        channels = [colours.to_uint8(band, low, high) for band in plane]
        picture = np.stack(channels * 3 if len(channels) == 1 else channels, axis=-1)
        pictures.append(np.where(ok[..., None], picture, colours.hatch(ok.shape)).astype(np.uint8))
    return pictures


def classes_of(variable: Variable) -> tuple[LandClass, ...]:
    """Names and colours of a class variable, in the order of its codes; empty for any other."""
    if "flag_colors" not in variable.attrs:
        return ()
    names, tints = variable.attrs["flag_meanings"].split(), variable.attrs["flag_colors"].split()
    return tuple(LandClass(name=name, colour=tint) for name, tint in zip(names, tints, strict=True))


def _classes(variable: Variable, chip: NDArray[Any]) -> Rgb:
    table = colours.hatch((1, 1)).repeat(256, axis=0)[:, 0]
    known = np.zeros(256, np.bool_)
    for code, one in zip(variable.attrs["flag_values"], classes_of(variable), strict=True):
        table[code], known[code] = colours.rgb(one.colour), True
    codes = chip if chip.ndim == 2 else chip[0]
    return np.where(known[codes][..., None], table[codes], colours.hatch(codes.shape)).astype(np.uint8)


def _shown(variable: Variable, chip: NDArray[Any]) -> NDArray[Any]:
    """(1 or 3, y, x): the bands to show."""
    if chip.ndim == 2:
        return chip[None]
    bands = variable.bands or ()
    if variable.attrs.get("picture") != "rgb" or len(chip) < 3:
        return chip[:1]
    return chip[[bands.index(name) for name in variable.attrs.get("rgb_bands", bands[:3])]]


def _valid(variable: Variable, plane: NDArray[Any]) -> NDArray[np.bool_]:
    if plane.dtype.kind == "f":
        return np.asarray(np.isfinite(plane).all(axis=0))
    if variable.has_nodata:
        return np.asarray((plane != variable.fill).all(axis=0))
    return np.ones(plane.shape[1:], np.bool_)


def _counted(variable: Variable, plane: NDArray[Any]) -> NDArray[np.bool_]:
    if "stretch_without" not in variable.attrs:
        return np.ones(plane.shape[1:], np.bool_)
    return np.asarray(~np.isin(plane, variable.attrs["stretch_without"]).all(axis=0))


def _range(variable: Variable, pixels: Sequence[NDArray[Any]]) -> tuple[float, float]:
    values = np.concatenate([one.ravel() for one in pixels]) if pixels else np.empty(0)
    if not values.size:
        return 0.0, 1.0
    low, high = np.percentile(values, STRETCH)
    if variable.dtype == "uint8" and high > 150:
        return 0.0, 255.0
    return float(low), float(max(high, low + 1e-6))
