"""From the numbers of a store to those of a network, and back: fitted on train chips, stored with the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rsmodels.data.fields import IGNORE, Field
from rsmodels.data.fit import Normalise, Scaling, bare_scaling, fit_scaling
from rsmodels.data.kernels import affine
from rsmodels.data.source import ChipSource, check_alike
from rsmodels.errors import ModelError
from rsprep.products.terrain import aspect_components, aspect_from_components

TERRAIN_CHANNELS = ("elevation", "slope", "aspect_east", "aspect_north", "hillshade")
"""What a network sees of terrain: elevation and slope standardised, aspect as sine and cosine ((0, 0) where the
ground is flat), hillshade from −1 to 1."""
_GREY, _GREYS = np.float32(128), np.float32(127)
_SHADES = (1.0, 255.0)
_NO_MASK = np.empty((0, 0), np.uint8)


@dataclass(frozen=True, kw_only=True)
class Normaliser:
    """How each field is scaled.

    Optical bands run from the 0.1 and 99.9 percentile of their valid train pixels to −1 and 1, and beyond: nothing is
    cut off. With the curve ``root`` they run as the root of the share v of that range (2 sign(v) sqrt(abs(v)) − 1):
    snow and remnants of clouds are ten times as bright as land, which would fill a twentieth of the range. Radar is
    standardised a polarisation, in dB. Terrain becomes :data:`TERRAIN_CHANNELS`. Class codes become indices. A band
    that is the same everywhere keeps its unit.
    """

    scalings: Mapping[str, Scaling]
    """Field name to its numbers."""

    @classmethod
    def fit(
        cls,
        sources: Sequence[ChipSource],
        fields: Sequence[Field],
        *,
        split: str = "train",
        most: int = 2000,
        seed: int = 0,
        how: Normalise | None = None,
    ) -> Self:
        """Read chips of the train split, at most `most` of all data sets together, and take their statistics.

        Parameters
        ----------
        seed : which chips, where there are more.
        how : curve and percentiles of optical fields.

        Raises
        ------
        ModelError : ``fitted-on-held-out`` for another split, ``no-chips``, ``no-valid-pixels``,
            ``unlike-data-sets``.
        """
        if split != "train":
            raise ModelError(
                "fitted-on-held-out",
                "statistics are taken from train chips only: others are for testing",
                value=split,
                remedy='fit on "train"',
            )
        check_alike(sources, fields)
        return cls(scalings=fit_scaling(sources, fields, how or Normalise(), split=split, most=most, seed=seed))

    def __getitem__(self, name: str) -> Scaling:
        if name not in self.scalings:
            raise ModelError(
                "no-such-field",
                "the normaliser knows no such field",
                value=name,
                remedy=f"it was fitted for {', '.join(self.scalings)}",
            )
        return self.scalings[name]

    @property
    def fields(self) -> tuple[Field, ...]:
        """The fields, in the order of the fit."""
        return tuple(scaling.field for scaling in self.scalings.values())

    def field(self, name: str) -> Field:
        """The field `name`; ModelError ``no-such-field``."""
        return self[name].field

    def channels(self, name: str) -> int:
        """Channels of the field's tensor; of classes and scenes, how many there are."""
        field = self.field(name)
        classes = len(field.classes)
        counts = {"terrain": len(TERRAIN_CHANNELS), "classes": classes, "scene": classes, "place": classes, "mask": 1}
        return counts.get(field.kind, len(field.bands or (0,)))

    def class_counts(self, name: str) -> NDArray[np.int64]:
        """Pixels, or scenes, of each class in the chips that were read for the fit: (K,)."""
        return np.array(self[name].counts, np.int64)

    def to_json(self) -> dict[str, Any]:
        return {"version": 1, "fields": [scaling.to_json() for scaling in self.scalings.values()]}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """The normaliser that :meth:`to_json` told of; ModelError ``normaliser-version`` for a newer one."""
        if record.get("version") != 1:
            raise ModelError(
                "normaliser-version",
                "this release reads normalisers of version 1",
                value=record.get("version"),
                remedy="load it with the release that wrote it",
            )
        scalings = [Scaling.from_json(one) for one in record["fields"]]
        return cls(scalings={scaling.field.name: scaling for scaling in scalings})

    def check(self, field: Field, sources: Sequence[ChipSource]) -> None:
        """See that `field` of `sources` is what was fitted.

        Raises
        ------
        ModelError : ``no-such-field``; ``unlike-data-sets`` for other bands, classes, type, no-data or scale.
        """
        scaling = self[field.name]
        if field != scaling.field:
            raise _unlike(field.name, f"{field} for {scaling.field}")
        for source in sources:
            found = bare_scaling(field, source)
            told = (found.dtype, found.nodata, found.scale)
            if told != (scaling.dtype, scaling.nodata, scaling.scale):
                raise _unlike(field.name, f"{source.name}: (type, no-data, scale) = {told}")

    # To the network

    def blank(self, name: str, count: int, size: int) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Memory for `count` chips of `size` pixels: values and valid, as :meth:`encode` returns them."""
        if self.field(name).kind in ("scene", "place"):
            return np.empty(count, np.int64), np.empty((count, 1, 1, 1), np.bool_)
        valid = np.empty((count, 1, size, size), np.bool_)
        if self.field(name).kind == "classes":
            return np.empty((count, size, size), np.int64), valid
        return np.empty((count, self.channels(name), size, size), np.float32), valid

    def encode(
        self, name: str, raw: NDArray[Any], clear: NDArray[np.uint8] | None = None
    ) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Chips as they are stored, as a network sees them.

        Parameters
        ----------
        raw : (n, [bands], y, x), the field's bands in its order; class indices (n,) of scenes.
        clear : (n, y, x), 1 where an optical field was observed clearly.

        Returns
        -------
        values : (n, channels, y, x) float32, 0 where not valid; classes (n, y, x) and scenes (n,) int64, ``IGNORE``
            where unknown; places (n,) int64, ``ELSEWHERE``.
        valid : (n, 1, y, x); of scenes (n, 1, 1, 1).
        """
        values, valid = self.blank(name, len(raw), raw.shape[-1])
        for number in range(len(raw)):
            known = None if clear is None else clear[number]
            self.encode_into(name, raw[number, ...], known, values[number, ...], valid[number])
        return values, valid

    def encode_into(
        self,
        name: str,
        raw: NDArray[Any],
        clear: NDArray[np.uint8] | None,
        values: NDArray[Any],
        valid: NDArray[np.bool_],
    ) -> None:
        """One chip ([bands], y, x) into its place in a batch: `values` ([channels], y, x), `valid` (1, y, x).

        Of a scene or place `values` has no axes, and `valid` is (1, 1, 1).
        """
        scaling = self[name]
        kind = scaling.field.kind
        if kind in ("classes", "scene"):
            _encode_classes(scaling, raw, values, valid[0])
        elif kind == "place":
            values[...] = raw
            valid[...] = raw >= 0
        elif kind == "terrain":
            _encode_terrain(scaling, raw, values, valid[0])
        else:
            # A turned chip is a view; the loop is twenty times faster on what lies in order.
            bands = np.ascontiguousarray(raw if raw.ndim == 3 else raw[None])
            nodata = scaling.nodata
            fill = bands.dtype.type(0 if nodata is None else nodata)
            use_clear = clear is not None
            mask = _NO_MASK if clear is None else np.ascontiguousarray(clear)
            gain, bias = scaling.affine
            root = scaling.curve == "root"
            affine(bands, nodata is not None, fill, use_clear, mask, gain, bias, root, values, valid[0])

    # And back

    def unit(self, name: str, values: Tensor) -> Tensor:
        """An optical field's values of −1 to 1 as 0 to 1, cut off there; for metrics and pictures.

        The curve stays: with ``root``, 0.5 is a quarter of the band's range of reflectance.

        Raises
        ------
        ModelError : ``not-optical``.
        """
        if self.field(name).kind != "optical":
            raise ModelError(
                "not-optical", "only optical fields have a range of 0 to 1", value=name, remedy="take physical values"
            )
        return (values.float() * 0.5 + 0.5).clamp(0.0, 1.0)

    def stored(self, name: str, values: Tensor) -> Tensor:
        """Values in the unit of the store, not rounded: (B, bands, y, x) float32; of terrain its four bands.

        Raises
        ------
        ModelError : ``not-an-image`` for classes, masks and scenes.
        """
        scaling = self[name]
        if scaling.field.kind in ("classes", "mask", "scene", "place"):
            raise ModelError("not-an-image", "classes and masks have no unit", value=name, remedy="take another field")
        values = values.float()
        if scaling.field.kind == "terrain":
            return _decode_terrain(scaling, values)
        if scaling.curve == "root":
            share = (values + 1.0) / 2.0
            values = share * share.abs()
        gain, bias = (torch.from_numpy(one).to(values.device)[:, None, None] for one in scaling.affine)
        return (values - bias) / gain

    def physical(self, name: str, values: Tensor) -> Tensor:
        """Values in physical units: reflectance, dB; terrain as :meth:`stored`. Raises as that does."""
        return self.stored(name, values) * self[name].scale

    def to_store(self, name: str, values: Tensor, valid: Tensor | None = None) -> NDArray[Any]:
        """What a store would hold: (B, [bands], y, x) in its type.

        Numbers are rounded and held within the type, off its no-data value, before they are cast.

        Parameters
        ----------
        valid : (B, 1, y, x); no-data is put where it is False.
        """
        scaling = self[name]
        kind, dtype = scaling.field.kind, np.dtype(scaling.dtype)
        if kind == "classes":
            codes = np.full(IGNORE + 1, scaling.fill, dtype)
            codes[: len(scaling.field.codes)] = scaling.field.codes
            out: NDArray[Any] = codes[values.cpu().numpy()]
        elif kind == "mask":
            out = (values.float().cpu().numpy() > 0.5).astype(dtype)
        else:
            out = _cast(self.stored(name, values).detach().cpu().numpy(), dtype, scaling.nodata)
        if kind != "classes" and scaling.field.bands is None:
            out = out[:, 0]
        if valid is not None:
            known = valid.cpu().numpy()
            out = np.where(known if out.ndim == 4 else known[:, 0], out, dtype.type(scaling.fill))
        return out


def _unlike(name: str, value: str) -> ModelError:
    return ModelError(
        "unlike-data-sets",
        f"the normaliser was fitted for another kind of {name}",
        value=value,
        remedy="fit a normaliser for these fields, or read the fields that it was fitted for",
    )


def _encode_classes(scaling: Scaling, raw: NDArray[Any], values: NDArray[Any], valid: NDArray[np.bool_]) -> None:
    table = scaling.table
    if raw.dtype == np.uint8:
        np.take(table, raw, out=values, mode="clip")
    else:
        known = (raw >= 0) & (raw < len(table))
        values[...] = np.where(known, table[np.where(known, raw, 0)], IGNORE)
    np.not_equal(values, IGNORE, out=valid)


def _encode_terrain(scaling: Scaling, raw: NDArray[Any], values: NDArray[Any], valid: NDArray[np.bool_]) -> None:
    elevation, slope, aspect, shade = raw
    valid[...] = np.isfinite(elevation) & np.isfinite(slope) & np.isfinite(shade)
    gain, bias = scaling.affine
    values[0] = elevation * gain[0] + bias[0]
    values[1] = slope * gain[1] + bias[1]
    values[2:4] = aspect_components(aspect)
    values[4] = (shade - _GREY) / _GREYS
    if not valid.all():
        values[:, ~valid] = 0


def _decode_terrain(scaling: Scaling, values: Tensor) -> Tensor:
    gain, bias = (torch.from_numpy(one).to(values.device)[:, None, None] for one in scaling.affine)
    stored = (values[:, :2] - bias) / gain
    directions = values[:, 2:4].detach().cpu().numpy()
    aspect = torch.from_numpy(aspect_from_components(np.moveaxis(directions, 1, 0))).to(values.device)[:, None]
    shade = (values[:, 4:5] * float(_GREYS) + float(_GREY)).clamp(*_SHADES)
    return torch.cat([stored[:, :1], stored[:, 1:].clamp(0.0, 90.0), aspect, shade], dim=1)


def _cast(values: NDArray[np.float32], dtype: np.dtype[Any], nodata: float | None) -> NDArray[Any]:
    """Floats as `dtype`, clamped first: a cast of what does not fit wraps around without a word."""
    if dtype.kind == "f":
        return values.astype(dtype)
    low, high = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    if nodata is not None:
        low, high = low + (nodata == low), high - (nodata == high)
    whole = np.clip(np.rint(values.astype(np.float64)), low, high).astype(dtype)
    if nodata is not None and low < nodata < high:
        whole[whole == nodata] += 1
    return whole
