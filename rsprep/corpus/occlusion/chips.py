"""Make occlusion pairs: read an image, draw a mask for it, hide what is under it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsprep.corpus.occlusion.clouds import Cloud, paste
from rsprep.corpus.occlusion.masks import MaskReader, open_group
from rsprep.corpus.occlusion.settings import OccludeSettings
from rsprep.corpus.pictures import picture_size, read_picture
from rsprep.corpus.plan import Batch, CorpusChip, MadeChip
from rsprep.errors import InputError, RsprepError
from rsprep.masks.enlarge import fit
from rsprep.masks.occlusion import area_ratio, missing_pixels, occlude, place
from rsprep.store.strict import read_slots

LINEAGE = "clean: the source image as it is; occluded: the same with what the mask hides replaced, by rsprep occlude"


@dataclass
class ImageReader:
    """Reads images and pieces of them; small enough to travel with every task."""

    root: Path
    variable: str
    """Of a data set; empty for a folder."""
    nodata: float | None
    _last: tuple[Any, NDArray[Any]] | None = field(default=None, init=False, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_last": None}

    def read(self, payload: Mapping[str, Any], size: int) -> NDArray[Any]:
        """(bands, size, size): the piece of an image that a chip's payload tells of.

        Floats without data are NaN, whatever the file has for it.
        """
        key, scaled, shape = payload["image"], payload["scaled"], tuple(payload["shape"])
        rows, columns = (slice(first, first + size) for first in payload["at"])
        if payload["windowed"]:
            info = picture_size(self.root / str(key))
            if (info.height, info.width) != shape:
                raise _changed(info.path)
            return self._clean(read_picture(info.path, window=(rows, columns), colours=True))
        if self._last is None or self._last[0] != (key, scaled):
            whole = self._whole(key)
            if whole.shape[1:] != shape:
                raise _changed(self.root / str(key))
            if scaled is not None:
                whole = fit(whole, tuple(scaled), missing_pixels(whole, self.nodata), self.nodata)
            self._last = (key, scaled), whole
        return np.ascontiguousarray(self._last[1][:, rows, columns])

    def beside(self, variable: str, payload: Mapping[str, Any], size: int) -> NDArray[Any]:
        """([bands], size, size): the same piece of another variable of the data set, bit for bit."""
        rows, columns = (slice(first, first + size) for first in payload["at"])
        values = read_slots(open_group(self.root), variable, int(payload["image"]), 1)[0]
        return np.ascontiguousarray(values[..., rows, columns])

    def _whole(self, key: Any) -> NDArray[Any]:
        if not self.variable:
            return self._clean(read_picture(self.root / str(key), colours=True))
        values = np.asarray(read_slots(open_group(self.root), self.variable, int(key), 1)[0])
        return self._clean(values if values.ndim == 3 else values[None])

    def _clean(self, values: NDArray[Any]) -> NDArray[Any]:
        if values.dtype.kind == "f" and self.nodata is not None and not math.isnan(self.nodata):
            return np.where(values == self.nodata, values.dtype.type(np.nan), values)
        return values


@dataclass(frozen=True, kw_only=True)
class OcclusionWork:
    """What every task needs to know."""

    images: ImageReader
    kind: tuple[int, str]
    """Bands and dtype of all images."""
    masks: MaskReader
    as_is: bool
    fill: tuple[float, ...]
    """One number, or one a band; empty where clouds are pasted."""
    clouds: Mapping[str, tuple[Cloud, ...]]
    carried: Mapping[str, str] = field(default_factory=dict)
    """Variable of the data set to the one of the corpus that holds the same pixels."""


@dataclass(frozen=True, kw_only=True)
class _Draw:
    """A mask that suits, and what is seen in its place."""

    mask: NDArray[np.uint8]
    mask_id: str
    fill: Any
    cloud_id: str
    count: int
    """Draws that it took."""


def make_occluded(batch: Batch) -> Iterator[MadeChip]:
    """One pair a chip, in order; see :class:`rsprep.corpus.plan.CorpusPlan`."""
    settings, work = batch.settings, batch.shared
    if not isinstance(settings, OccludeSettings) or not isinstance(work, OcclusionWork):
        raise TypeError(f"not a batch of occlusion pairs: {type(settings)}, {type(work)}")
    for chip in batch.chips:
        try:
            yield _pair(chip, settings, work, batch.schema.chip_px)
        except RsprepError as error:
            yield MadeChip(quarantined=str(error).split("\n  fix:")[0].replace("\n  got:", ":"))


def _pair(chip: CorpusChip, settings: OccludeSettings, work: OcclusionWork, size: int) -> MadeChip:
    payload = chip.payload
    clean = work.images.read(payload, size)
    if (len(clean), str(clean.dtype)) != work.kind:
        raise _changed(payload["source"])
    missing = missing_pixels(clean, work.images.nodata)
    if missing.all():
        return MadeChip(rejected="no pixel of the image has data")
    drawn = _draw(chip, settings, work, clean, missing)
    if drawn is None:
        low, high = (f"{100 * share:g}" for share in settings.area)
        sky = " and lies on cloud alone" if work.clouds else ""
        return MadeChip(rejected=f"no mask in {settings.tries} draws hides {low} to {high} % of what has data{sky}")
    ratio = area_ratio(drawn.mask, missing)
    values: dict[str, float | int | str | bool] = {
        "source": payload["source"],
        "mask_id": drawn.mask_id,
        "area_ratio": ratio,
        "label": payload["label"],
        "draws": drawn.count,
    }
    stats = {
        "valid_fraction": 1 - float(missing.mean()),
        "sources": {"image": [payload["source"]], "mask": [drawn.mask_id]},
        "lineage": LINEAGE,
    }
    if work.clouds:
        values["cloud_id"] = drawn.cloud_id
        stats["sources"] |= {"cloud": [drawn.cloud_id]}  # type: ignore[operator]  # a dict
    if payload["moments"]:
        stats["datetime_start"], stats["datetime_end"] = payload["moments"]
    arrays = {"occluded": occlude(clean, drawn.mask, drawn.fill), "mask": drawn.mask, "clean": clean}
    for name, stored in work.carried.items():
        arrays[stored] = work.images.beside(name, payload, size)
    return MadeChip(arrays=arrays, values=values, stats=stats)


def _draw(
    chip: CorpusChip, settings: OccludeSettings, work: OcclusionWork, clean: NDArray[Any], missing: NDArray[np.bool_]
) -> _Draw | None:
    """Masks, their places and clouds are drawn until all suits; None where that does not come about."""
    rng = np.random.default_rng(stable_seed(settings.seed, chip.chip_id, "draw"))
    candidates = chip.payload["masks"]
    clouds = work.clouds.get(chip.split, ())
    for count in range(1, settings.tries + 1):
        key, mask_id = candidates[(count - 1) % len(candidates)]
        mask = work.masks.read(key)
        if not mask.any() or (work.as_is and mask.shape != missing.shape):
            raise _changed(mask_id)
        if not work.as_is:
            mask = place(mask, missing.shape, rng, settings.bounds, settings.placing)
        mask = np.where(missing, 0, mask).astype(np.uint8)
        if not mask.any() or not settings.bounds.hold(area_ratio(mask, missing)):
            continue
        if not work.clouds:
            return _Draw(mask=mask, mask_id=mask_id, fill=work.fill, cloud_id="", count=count)
        cloud = clouds[int(rng.integers(len(clouds)))]
        patch = paste(cloud, mask, clean, work.images.nodata, rng)
        if patch is not None:
            return _Draw(mask=mask, mask_id=mask_id, fill=patch, cloud_id=cloud.cloud_id, count=count)
    return None


def _changed(what: object) -> InputError:
    return InputError(
        "changed-input",
        "an image or a mask is not what it was when the corpus was planned",
        value=str(what),
        remedy="leave the inputs alone while it is made; begin anew in another folder",
    )


def stable_seed(*parts: object) -> int:
    """A seed from names: the same wherever and in whatever order chips are made."""
    digest = hashlib.blake2b("/".join(map(str, parts)).encode(), digest_size=16).digest()
    return int.from_bytes(digest, "big")
