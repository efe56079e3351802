"""Statistics of train chips, in one pass or two and in little memory."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field as Setting

from rsmodels.data.fields import IGNORE, Field
from rsmodels.data.kernels import count_codes, known
from rsmodels.data.raw import ChipFields, no_chips
from rsmodels.data.source import ChipSource
from rsmodels.errors import ModelError
from rsprep.settings import Section

Curve = Literal["root", "linear"]
_BINS = 65536


class Normalise(Section):
    """How optical fields are scaled."""

    curve: Curve = Setting(
        "root", description="root: dark land gets more of the range than snow and clouds; linear: as reflectance is"
    )
    low: float = Setting(0.1, ge=0, lt=50, description="percentile of a band's train pixels that becomes -1")
    high: float = Setting(99.9, gt=50, le=100, description="percentile that becomes 1")
    together: bool = Setting(False, description="one range for all bands of an image, so that its colours stay")
    whole: bool = Setting(False, description="8-bit images run from 0 to 255, whatever is in them")


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """How one field's stored numbers become a network's."""

    field: Field
    dtype: str
    """numpy name of the stored type."""
    fill: float
    """What the store holds where there is nothing."""
    nodata: float | None
    """The same where it means no-data, None where every number is one; NaN is no-data always."""
    scale: float = 1.0
    """Physical unit of one stored unit: reflectance = stored · scale."""
    low: tuple[float, ...] = ()
    """Stored value that becomes −1 a band (optical); the mean (radar, elevation, slope)."""
    high: tuple[float, ...] = ()
    """Stored value that becomes 1 a band (optical); mean plus standard deviation."""
    curve: Curve = "linear"
    """How an optical band runs from low to high."""
    counts: tuple[int, ...] = ()
    """Pixels, or scenes, of each class in the chips that were read."""

    @functools.cached_property
    def affine(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Gain and bias a band: value = stored · gain + bias, before the root is taken of it if one is."""
        low, high = np.array(self.low), np.array(self.high)
        if self.field.kind == "mask":
            return np.ones(1, np.float32), np.zeros(1, np.float32)
        width, start = (2.0, -1.0) if self.field.kind == "optical" and self.curve == "linear" else (1.0, 0.0)
        gain = width / (high - low)
        return gain.astype(np.float32), (start - low * gain).astype(np.float32)

    @functools.cached_property
    def table(self) -> NDArray[np.int64]:
        """Class index of each code, ``IGNORE`` where it is in no class."""
        table = np.full(max(256, *(code + 1 for code in self.field.codes)), IGNORE, np.int64)
        table[list(self.field.codes)] = np.arange(len(self.field.codes))
        return table

    def to_json(self) -> dict[str, Any]:
        return {
            "field": self.field.to_json(),
            "dtype": self.dtype,
            "fill": "NaN" if math.isnan(self.fill) else self.fill,
            "nodata": self.nodata,
            "scale": self.scale,
            "low": list(self.low),
            "high": list(self.high),
            "curve": self.curve,
            "counts": list(self.counts),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            field=Field.from_json(record["field"]),
            dtype=record["dtype"],
            fill=math.nan if record["fill"] == "NaN" else record["fill"],
            nodata=record["nodata"],
            scale=record["scale"],
            low=tuple(record["low"]),
            high=tuple(record["high"]),
            curve=record["curve"],
            counts=tuple(record["counts"]),
        )


def fit_scaling(
    sources: Sequence[ChipSource], fields: Sequence[Field], how: Normalise, *, split: str, most: int, seed: int
) -> dict[str, Scaling]:
    """Scaling of every field from chips of `split`; of more than `most`, a choice by `seed`."""
    chosen = _choice([source.of_split(split) for source in sources], most, seed)
    if not sum(len(slots) for slots in chosen):
        raise no_chips(", ".join(source.name for source in sources), split)
    meters = {one.name: _meter(one, sources[0], how) for one in fields}
    waiting = [name for name, meter in meters.items() if meter.passes]
    passed = 0
    while waiting:
        some = [one for one in fields if one.name in waiting]
        for raw, clear in _chips(sources, chosen, some):
            for name in waiting:
                meters[name].add(raw[name], clear.get(name), passed)
        passed += 1
        waiting = [name for name in waiting if meters[name].passes > passed]
    return {one.name: _scaling(one, sources[0], how, meters[one.name]) for one in fields}


def _choice(slots: Sequence[NDArray[np.int64]], most: int, seed: int) -> list[NDArray[np.int64]]:
    """At most `most` slots of all data sets together, ascending in each."""
    total = sum(len(one) for one in slots)
    if total <= most:
        return list(slots)
    taken = np.zeros(total, np.bool_)
    taken[np.random.default_rng(seed).choice(total, most, replace=False)] = True
    parts = np.split(taken, np.cumsum([len(one) for one in slots])[:-1])
    return [one[part] for one, part in zip(slots, parts, strict=True)]


def _chips(
    sources: Sequence[ChipSource], chosen: Sequence[NDArray[np.int64]], fields: Sequence[Field]
) -> Iterator[tuple[dict[str, NDArray[Any]], dict[str, NDArray[np.uint8]]]]:
    for source, slots in zip(sources, chosen, strict=True):
        reader = ChipFields(source, fields)
        for slot in slots.tolist():
            yield reader.read(slot)


class _Meter:
    """Nothing to measure: masks."""

    passes = 0

    def add(self, raw: NDArray[Any], clear: NDArray[np.uint8] | None, passed: int) -> None:
        raise NotImplementedError

    def range(self, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(low, high) a band of :class:`Scaling`."""
        return np.empty(0), np.empty(0)


class _Classes(_Meter):
    """Pixels of each class; of scenes, chips."""

    passes = 1

    def __init__(self, codes: tuple[int, ...]) -> None:
        self.codes = codes
        self.counts = np.zeros(len(codes), np.int64)

    def add(self, raw: NDArray[Any], clear: NDArray[np.uint8] | None, passed: int) -> None:
        found, counts = np.unique(raw, return_counts=True)
        for code, count in zip(found.tolist(), counts.tolist(), strict=True):
            if code in self.codes:
                self.counts[self.codes.index(code)] += count


class _Moments(_Meter):
    """Mean and standard deviation a band, merged chip by chip (Chan, Golub, LeVeque 1979)."""

    passes = 1

    def __init__(self, bands: int) -> None:
        self.count = np.zeros(bands)
        self.mean = np.zeros(bands)
        self.squares = np.zeros(bands)

    def add(self, raw: NDArray[Any], clear: NDArray[np.uint8] | None, passed: int) -> None:
        for band in range(len(self.count)):
            values = raw[band][np.isfinite(raw[band])].astype(np.float64)
            if not values.size:
                continue
            mean, total = values.mean(), self.count[band] + values.size
            apart = mean - self.mean[band]
            self.squares[band] += ((values - mean) ** 2).sum() + apart**2 * self.count[band] * values.size / total
            self.mean[band] += apart * values.size / total
            self.count[band] = total

    def range(self, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        _require_pixels(name, self.count)
        spread = np.sqrt(self.squares / self.count)
        return self.mean, self.mean + np.where(spread > 0, spread, 1.0)


class _Percentiles(_Meter):
    """Percentiles a band, from counts of every integer; of floats, from 65 536 bins between their extremes."""

    def __init__(self, bands: int, dtype: np.dtype[Any], nodata: float | None, how: Normalise) -> None:
        self.floats = dtype.kind == "f"
        self.nodata = nodata
        self.shares = (how.low / 100, how.high / 100)
        self.together = how.together
        if dtype.itemsize > 2 and not self.floats:
            raise ModelError(
                "wide-integers",
                "optical bands are uint8, int16, uint16 or floats",
                value=str(dtype),
                remedy="cast them",
            )
        self.passes = 2 if self.floats else 1
        self.lowest = 0 if self.floats else int(np.iinfo(dtype).min)
        bins = _BINS if self.floats else int(np.iinfo(dtype).max) - self.lowest + 1
        self.counts = np.zeros((bands, bins), np.int64)
        self.least, self.greatest = np.full(bands, np.inf), np.full(bands, -np.inf)

    def add(self, raw: NDArray[Any], clear: NDArray[np.uint8] | None, passed: int) -> None:
        valid = np.empty(raw.shape[1:], np.bool_)
        fill = raw.dtype.type(self.nodata or 0)
        mask = clear if clear is not None else np.empty(raw.shape[1:], np.uint8)
        known(raw, self.nodata is not None, fill, clear is not None, mask, valid)
        if not self.floats:
            count_codes(raw, self.lowest, valid, self.counts)
        elif not valid.any():
            return
        elif passed == 0:
            self.least = np.minimum(self.least, raw[:, valid].min(axis=1))
            self.greatest = np.maximum(self.greatest, raw[:, valid].max(axis=1))
        else:
            width = np.where(self.greatest > self.least, self.greatest - self.least, 1.0)[:, None, None]
            places = (raw.astype(np.float64) - self.least[:, None, None]) / width * (_BINS - 1)
            bins = np.where(valid, places, 0).astype(np.int64)
            count_codes(bins, 0, valid, self.counts)

    def range(self, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        total = self.counts.sum(axis=1)
        _require_pixels(name, total)
        reached = np.cumsum(self.counts, axis=1)
        places = [[int(np.searchsorted(row, share * row[-1])) for row in reached] for share in self.shares]
        low, high = (np.array(one, np.float64) + self.lowest for one in places)
        if self.floats:
            step = (self.greatest - self.least) / (_BINS - 1)
            low, high = self.least + low * step, self.least + high * step
        if self.together:
            low, high = np.full_like(low, low.min()), np.full_like(high, high.max())
        return low, np.where(high > low, high, low + 1.0)


class _Whole(_Meter):
    """All that 8 bits hold, in every band; nothing has to be read for it."""

    def __init__(self, bands: int) -> None:
        self.bands = bands

    def range(self, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return np.zeros(self.bands), np.full(self.bands, float(np.iinfo(np.uint8).max))


def _require_pixels(name: str, counts: NDArray[Any]) -> None:
    if (counts == 0).any():
        raise ModelError(
            "no-valid-pixels",
            "a band has no valid pixel in any train chip",
            value=f"{name}, band {int(np.flatnonzero(counts == 0)[0])}",
            remedy="leave the band out, or train on chips that have it",
        )


def _meter(field: Field, source: ChipSource, how: Normalise) -> _Meter:
    bands = len(field.bands or (0,))
    if field.kind == "optical":
        bare = bare_scaling(field, source)
        if how.whole and bare.dtype == "uint8":
            return _Whole(bands)
        return _Percentiles(bands, np.dtype(bare.dtype), bare.nodata, how)
    if field.kind in ("classes", "scene"):
        return _Classes(field.codes)
    return _Moments({"radar": bands, "terrain": 2}[field.kind]) if field.kind in ("radar", "terrain") else _Meter()


def bare_scaling(field: Field, source: ChipSource) -> Scaling:
    """What a store tells of a field, before any pixel is read."""
    variable = source.layer(field).variable
    missing = math.isnan(variable.fill)
    return Scaling(
        field=field,
        dtype=variable.dtype,
        # The one NaN of the math module: two scalings are then equal although NaN is not.
        fill=math.nan if missing else variable.fill,
        nodata=variable.fill if variable.has_nodata and not missing else None,
        scale=float(variable.attrs.get("scale", 1.0)) if field.kind == "optical" else 1.0,
    )


def _scaling(field: Field, source: ChipSource, how: Normalise, meter: _Meter) -> Scaling:
    low, high = meter.range(field.name)
    counts = meter.counts.tolist() if isinstance(meter, _Classes) else ()
    return replace(
        bare_scaling(field, source),
        low=tuple(low.tolist()),
        high=tuple(high.tolist()),
        curve=how.curve if field.kind == "optical" else "linear",
        counts=tuple(counts),
    )
