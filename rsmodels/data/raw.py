"""Whole chips as they are stored, field by field."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsmodels.data.fields import Field
from rsmodels.data.places import place_indices
from rsmodels.data.scenes import scene_indices
from rsmodels.data.shards import ChipReader
from rsmodels.data.source import ChipSource
from rsmodels.errors import ModelError

Chip = tuple[dict[str, NDArray[Any]], dict[str, NDArray[np.uint8]]]
"""Field to raw values ([bands], y, x), the bands in the field's order, and field to its mask of clear pixels (y, x).

The value of a scene or place is its index, an array without axes.
"""


class ChipFields:
    """Reads the fields of single chips of one data set, from several threads at once."""

    def __init__(self, source: ChipSource, fields: Sequence[Field]) -> None:
        self.source = source
        self.fields = tuple(fields)
        self._layers = {one.name: source.layer(one) for one in fields}
        self._scenes = {one.name: _scenes(source, one) for one in fields if one.kind in ("scene", "place")}
        needed = {layer.variable.name for name, layer in self._layers.items() if name not in self._scenes}
        needed |= {layer.clear for layer in self._layers.values() if layer.clear}
        self._readers = {name: ChipReader(source.path, source.schema, name) for name in sorted(needed)}
        self._scratch = threading.local()

    def light(self, name: str) -> tuple[float, float]:
        """Light of the hillshade of terrain field `name`: azimuth and altitude, degrees."""
        return self._layers[name].light

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of a chip of field `name`: ([bands], y, x), () of a scene."""
        if name in self._scenes:
            return ()
        layer = self._layers[name]
        size = self.source.schema.chip_px
        return (*(() if layer.positions is None else (len(layer.positions),)), size, size)

    def read(self, slot: int) -> Chip:
        """The chip in `slot`, in memory that the next read of this thread uses again."""
        raw = {name: self._into(slot, name, self._memory(name)) for name in self._layers}
        clear = {name: self._clear(slot, layer.clear) for name, layer in self._layers.items() if layer.clear}
        return raw, clear

    def read_into(self, slot: int, name: str, out: NDArray[Any]) -> None:
        """Field `name` of the chip in `slot` into `out` ([bands], y, x), contiguous."""
        self._into(slot, name, out)

    def _into(self, slot: int, name: str, out: NDArray[Any]) -> NDArray[Any]:
        if name in self._scenes:
            out[...] = self._scenes[name][slot]
            return out
        layer = self._layers[name]
        self._readers[layer.variable.name].read(slot, out, None if layer.all_bands else layer.positions)
        return out

    def _clear(self, slot: int, variable: str) -> NDArray[np.uint8]:
        out = self._kept((variable, "clear"), (self.source.schema.chip_px,) * 2, "uint8")
        self._readers[variable].read(slot, out)
        return out

    def _memory(self, name: str) -> NDArray[Any]:
        return self._kept((name, "raw"), self.shape(name), self._layers[name].variable.dtype)

    def _kept(self, key: tuple[str, str], shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
        """An array of this thread's own."""
        if not hasattr(self._scratch, "arrays"):
            self._scratch.arrays = {}
        arrays: dict[tuple[str, str], NDArray[Any]] = self._scratch.arrays
        if key not in arrays:
            arrays[key] = np.empty(shape, dtype)
        return arrays[key]


def _scenes(source: ChipSource, field: Field) -> dict[int, int]:
    """Slot to class index of a scene, or to the index of a place."""
    indices = (place_indices if field.kind == "place" else scene_indices)(source.column(field.variable), field.classes)
    return dict(zip(source.chips.slot.tolist(), indices.tolist(), strict=True))


def no_chips(where: str, split: str) -> ModelError:
    """There is nothing to read."""
    return ModelError("no-chips", f"there is no {split} chip", value=where, remedy="give a data set that has some")
