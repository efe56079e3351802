"""Evaluates expressions as Earth Engine does: the graph that is sent is what makes the pixels, not its intention.

Known are the functions that a client may sensibly send to this server; whatever else comes is an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from tests.fakes.earthengine_assets import FakeBand, FakeImage


class GraphError(Exception):
    """An expression that cannot be evaluated, with the status that answers it."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, kw_only=True)
class Sampled:
    """A band on the pixels that are asked for."""

    values: NDArray[Any]
    mask: NDArray[np.bool_]
    inside: NDArray[np.bool_]
    """Within the footprint of the image that the band came from."""


@dataclass(frozen=True, kw_only=True)
class Node:
    """An image in the making: band names, and how to sample one."""

    bands: tuple[str, ...]
    sample: Callable[[str, GeoBox], Sampled]


def evaluate(expression: Mapping[str, Any], images: Mapping[str, FakeImage]) -> Node:
    """The image that an expression stands for; raises GraphError."""
    values = expression.get("values")
    if set(expression) != {"result", "values"} or not isinstance(values, dict):
        raise GraphError("Expression must have a result and values.")
    found = _Evaluation(values, images).of(values[expression["result"]])
    if not isinstance(found, Node):
        raise GraphError("Expression does not evaluate to an image.")
    return found


class _Evaluation:
    def __init__(self, values: Mapping[str, Any], images: Mapping[str, FakeImage]) -> None:
        self.values = values
        self.images = images

    def of(self, word: Mapping[str, Any]) -> Any:
        """What a node of the graph stands for."""
        ((kind, content),) = word.items()
        if kind == "constantValue":
            return content
        if kind == "valueReference":
            return self.of(self.values[content])
        if kind == "arrayValue":
            return [self.of(part) for part in content["values"]]
        if kind != "functionInvocationValue":
            raise GraphError(f"Unknown kind of value: {kind}")
        name = content["functionName"]
        arguments = {key: self.of(value) for key, value in content["arguments"].items()}
        if name in _CASTS:
            return _cast(_CASTS[name], **arguments)
        if name == "Image.load":
            return self._load(**arguments)
        if name not in _FUNCTIONS:
            raise GraphError(f"{name}: this server knows no such function.")
        try:
            return _FUNCTIONS[name](**arguments)
        except TypeError as error:
            raise GraphError(f"{name}: {error}") from None

    def _load(self, id: str) -> Node:  # noqa: A002 - the name that is sent
        image = self.images.get(id)
        if image is None:
            raise GraphError(
                f"Image.load: Image asset '{id}' not found (does not exist or caller does not have access).", 404
            )
        return Node(bands=tuple(image.bands), sample=lambda band, grid: sample_nearest(image.bands[band], grid))


def _select(input: Node, bandSelectors: Sequence[str | int]) -> Node:  # noqa: A002
    chosen: list[str] = []
    for selector in bandSelectors:
        matches = (
            [input.bands[selector]]
            if isinstance(selector, int)
            else [band for band in input.bands if re.fullmatch(selector, band)]
        )
        if not matches:
            raise GraphError(f"Image.select: Band pattern '{selector}' did not match any bands.")
        chosen += matches
    if len(set(chosen)) < len(chosen):
        raise GraphError("Image.select: a band is selected twice.")
    return Node(bands=tuple(chosen), sample=input.sample)


def _constant(value: float) -> Node:
    def sample(band: str, grid: GeoBox) -> Sampled:
        everywhere = np.ones(grid.shape, np.bool_)
        return Sampled(values=np.full(grid.shape, value), mask=everywhere, inside=everywhere)

    return Node(bands=("constant",), sample=sample)


def _unmask(input: Node, value: Node | None = None, sameFootprint: bool = True) -> Node:  # noqa: A002
    other = _constant(0) if value is None else value
    if len(other.bands) not in (1, len(input.bands)):
        raise GraphError("Image.unmask: the images differ in their bands.")

    def sample(band: str, grid: GeoBox) -> Sampled:
        one = input.sample(band, grid)
        number = input.bands.index(band) if len(other.bands) > 1 else 0
        fill = other.sample(other.bands[number], grid)
        reached = one.inside if sameFootprint else np.ones(grid.shape, np.bool_)
        values = np.where(one.mask, one.values, fill.values)
        return Sampled(values=values, mask=one.mask | (fill.mask & reached), inside=one.inside | ~sameFootprint)

    return Node(bands=input.bands, sample=sample)


def _update_mask(image: Node, mask: Node) -> Node:
    def sample(band: str, grid: GeoBox) -> Sampled:
        one, over = image.sample(band, grid), mask.sample(mask.bands[0], grid)
        return Sampled(values=one.values, mask=one.mask & over.mask & (over.values != 0), inside=one.inside)

    return Node(bands=image.bands, sample=sample)


def _cast(dtype: str, value: Node) -> Node:
    def sample(band: str, grid: GeoBox) -> Sampled:
        one = value.sample(band, grid)
        values = one.values
        if np.dtype(dtype).kind in "iu":
            limits = np.iinfo(dtype)
            values = np.clip(np.trunc(np.nan_to_num(values.astype(np.float64))), limits.min, limits.max)
        return Sampled(values=values.astype(dtype), mask=one.mask, inside=one.inside)

    return Node(bands=value.bands, sample=sample)


_CASTS = {
    "Image.toUint8": "uint8", "Image.toInt8": "int8", "Image.toUint16": "uint16", "Image.toInt16": "int16",
    "Image.toUint32": "uint32", "Image.toInt32": "int32", "Image.toFloat": "float32", "Image.toDouble": "float64",
}  # fmt: skip
_FUNCTIONS: dict[str, Callable[..., Node]] = {
    "Image.select": _select,
    "Image.constant": _constant,
    "Image.unmask": _unmask,
    "Image.updateMask": _update_mask,
}


def sample_nearest(band: FakeBand, grid: GeoBox) -> Sampled:
    """The pixels of `band` nearest to the centres of those of `grid`, whatever coordinate system that has."""
    rows, columns = np.mgrid[0 : grid.shape[0], 0 : grid.shape[1]]
    x, y = grid.affine * (columns + 0.5, rows + 0.5)
    if grid.crs != band.lattice.crs:
        x, y = Transformer.from_crs(str(grid.crs), str(band.lattice.crs), always_xy=True).transform(x, y)
    across, down = ~band.lattice.affine * (x, y)
    column, row = np.floor(across).astype(np.int64), np.floor(down).astype(np.int64)
    height, width = band.lattice.shape
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    if not inside.any():
        return Sampled(values=np.zeros(grid.shape), mask=inside, inside=inside)
    top, left = int(row[inside].min()), int(column[inside].min())
    values, mask = band.read(slice(top, int(row[inside].max()) + 1), slice(left, int(column[inside].max()) + 1))
    place = (np.where(inside, row - top, 0), np.where(inside, column - left, 0))
    return Sampled(values=values[place], mask=mask[place] & inside, inside=inside)
