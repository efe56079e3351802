"""What a synthetic store holds: what was generated, and what it was generated from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from rsmodels.data.fields import Field
from rsmodels.data.source import ChipSource
from rsprep.store.schema import Column, Schema, Variable

SHARD_BYTES = 32 * 2**20
MAX_SLOTS = 64
NATURAL = ("B04", "B03", "B02")
COLUMNS = (
    Column(name="parent_id", kind="string", meaning="chip whose conditions it was made from"),
    Column(name="parent_digest", kind="string", meaning="fingerprint of that chip's pixels"),
    Column(name="checkpoint", kind="string", meaning="hash of the generator's checkpoint"),
    Column(name="variation", kind="string", meaning="how the parent's conditions were varied"),
    Column(name="noise_seed", kind="int32", meaning="number from which the randomness of the variation follows"),
    Column(name="nearest_distance", kind="float32", meaning="how far the image is from the nearest train chip, 0 to 1"),
    Column(name="nearest_id", kind="string", meaning="that train chip; empty where none compares"),
)


def clear_of(source: ChipSource, fields: Sequence[Field]) -> str | None:
    """The variable that tells where the image is clear, where the data set has one: ``s2_valid``."""
    return next((layer.clear for field in fields if (layer := source.layer(field)).clear), None)


def synthetic_schema(source: ChipSource, fields: Sequence[Field], count: int, more: Sequence[Column] = ()) -> Schema:
    """The parents' variables, in their order, types and attributes, with the bands that the generator knows.

    Parameters
    ----------
    fields : of the generator: the image, and after it its conditions.
    count : chips that there will be.
    more : columns besides those of all synthetic chips.
    """
    bands = {field.variable: field.bands for field in fields}
    clear = clear_of(source, fields)
    image = fields[0].variable
    variables = tuple(
        _in_colour(_with_bands(variable, bands.get(variable.name)), variable.name == image)
        for variable in source.schema.variables
        if variable.name in bands or variable.name == clear
    )
    size = source.schema.chip_px
    chip_bytes = sum(int(np.prod(v.chip_shape(size))) * np.dtype(v.dtype).itemsize for v in variables)
    slots = int(np.clip(SHARD_BYTES // chip_bytes, 4, MAX_SLOTS))
    return Schema(
        variables=variables,
        chip_px=size,
        resolution=source.schema.resolution,
        slots_per_shard=min(slots, count),
        columns=(*COLUMNS, *more),
    )


def _with_bands(variable: Variable, bands: tuple[str, ...] | None) -> Variable:
    if bands is None or bands == variable.bands:
        return variable
    there = variable.bands or ()
    attrs: dict[str, Any] = dict(variable.attrs)
    if "band_units" in attrs:
        attrs["band_units"] = [attrs["band_units"][there.index(band)] for band in bands]
    if not set(attrs.get("rgb_bands", ())) <= set(bands):  # for pictures: the first three will do
        del attrs["rgb_bands"]
    return replace(variable, bands=bands, attrs=attrs)


def _in_colour(variable: Variable, is_image: bool) -> Variable:
    """The image as reports show it: in natural colours where it has them."""
    if not is_image or "picture" in variable.attrs or not set(NATURAL) <= set(variable.bands or ()):
        return variable
    return replace(variable, attrs={**variable.attrs, "picture": "rgb", "rgb_bands": list(NATURAL)})
