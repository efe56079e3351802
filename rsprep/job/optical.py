"""The optical layer of a block: Sentinel-2 granules to one composite and its mask of clear observations."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsprep.config import Sentinel2
from rsprep.granule import Granule
from rsprep.job.ahead import begun_ahead
from rsprep.job.made import Contribution, Made
from rsprep.job.passes import Blank, Observation, Pass, box_of, lay
from rsprep.job.reader import Reader, blank_mask, facts_of, nearest_crs_first
from rsprep.job.sky import sky_band
from rsprep.products.acquisitions import by_date
from rsprep.products.composites import BestDate, median, rank_dates
from rsprep.products.sentinel2 import NODATA, clear_mask, dn_offset, reflectance
from rsprep.reading.layer import Layer
from rsprep.reading.mosaic import Box
from rsprep.reading.spec import BandSpec
from rsprep.sources.definition import Sentinel2Product

STACK_BYTES = 512 * 2**20
"""Most memory for the dates of a median; a block with more is made in strips of chips."""


class Optical:
    """Makes the optical layer of one block."""

    def __init__(
        self, granules: Sequence[Granule], product: Sentinel2Product, settings: Sentinel2, reader: Reader, chip_px: int
    ) -> None:
        self.product = product
        self.settings = settings
        self.reader = reader
        self.chip_px = chip_px
        self.passes = [nearest_crs_first(group, reader.block) for _, group in by_date(granules)]
        self._bands = BandSpec(dtype=product.dtype, nodata=product.nodata, resampling=product.resampling)
        self.sky = sky_band(product, settings)

    def make(self) -> Made:
        """Read what the composite needs and make it."""
        if self.settings.composite == "median":
            return self._median()
        return self._best()

    # -- best date ----------------------------------------------------------------------------

    def _best(self) -> Made:
        """Each pixel from the least cloudy date of its chip that is clear there.

        Where the source tells the sky the ranks are known before a band is read, and a date is read
        only where it would still change a pixel.
        """
        shape = self.reader.shape
        # One small band a pass: read side by side, since over a network each costs a round trip or two.
        skies = list(self.reader.pool.map(self._sky, self.passes)) if self.sky is not None else []
        observed = blank_mask(shape)
        if skies:
            ranks = rank_dates(np.stack([sky.clear for sky in skies]), self.chip_px)
            for sky in skies:
                observed |= sky.observed
        else:
            ranks = self._ranks_by_scene()
        best = BestDate(len(self.settings.bands), ranks, self.chip_px)
        origins: dict[int, tuple[tuple[Granule, NDArray[np.bool_]], ...]] = {}
        for date in np.argsort(ranks.sum(axis=(1, 2), dtype=np.int64), kind="stable").tolist():
            box = self._useful_box(best, date, skies[date].clear if skies else None)
            if box is None:
                continue
            look = self.look(self.passes[date], box)
            observed[box] |= look.observed
            values, clear_here = _onto(shape, look, box)
            best.add(values, clear_here, date)
            origins[date] = tuple((granule, _mask_onto(shape, mask, box)) for granule, mask in look.origins)
        contributions = [
            self._contribution(granule, mask & (best.date_index == date))
            for date, granules in sorted(origins.items())
            for granule, mask in granules
        ]
        return _made(best.values, best.clear, observed, contributions)

    def _useful_box(self, best: BestDate, date: int, sky: NDArray[np.bool_] | None) -> Box | None:
        """The chips in which `date` can still change a pixel, as one box; None where there is none."""
        if not best.needs(date):
            return None
        if sky is None:
            return self.reader.everything
        useful = best.improved_by(date, sky)
        return box_of(useful, self.chip_px)

    def _ranks_by_scene(self) -> NDArray[np.int16]:
        """Without a scene classification: passes by the cloud cover that their items tell, then by date."""
        rows, columns = (side // self.chip_px for side in self.reader.shape)
        clouds = [
            max((float(granule.properties.get("eo:cloud_cover") or 0.0) for granule in group), default=0.0)
            for group in self.passes
        ]
        ranks = np.empty((len(self.passes), rows, columns), np.int16)
        for rank, date in enumerate(np.argsort(clouds, kind="stable").tolist()):
            ranks[date] = rank
        return ranks

    def _sky(self, group: Sequence[Granule]) -> Pass:
        """One pass by what tells its sky alone, over the whole block."""

        def observe(granule: Granule, box: Box) -> Observation | None:
            sky = self._read_sky(granule, box)
            if sky is None:
                return None
            return Observation(values=sky.values, valid=sky.valid, clear=self._clear(sky))

        spec = self._sky_spec()
        blank = Blank(bands=1, dtype=spec.dtype, nodata=spec.nodata or 0.0)
        return lay(group, self.reader.everything, blank, self.reader, observe)

    def _sky_spec(self) -> BandSpec:
        if self.sky == "score" and self.product.score is not None:
            band = self.product.score.as_band()
            return BandSpec(dtype=band.dtype, nodata=band.nodata, resampling="bilinear")
        return BandSpec(dtype="uint8", nodata=0, resampling="nearest", categorical=True)

    def _read_sky(self, granule: Granule, box: Box) -> Layer | None:
        return self.reader.layer(granule, (str(self.sky),), self._sky_spec(), box)

    def _clear(self, sky: Layer) -> NDArray[np.bool_]:
        if self.sky == "score":
            return np.asarray(sky.values[0] >= self.settings.min_clear_score)
        return clear_mask(sky.values[0], mask_snow=self.settings.mask_snow)

    # -- median -------------------------------------------------------------------------------

    def _median(self) -> Made:
        """Median over the clear dates, strip by strip so that the stack of dates stays in bounds."""
        rows, columns = self.reader.shape
        values = np.full((len(self.settings.bands), rows, columns), NODATA, np.int16)
        clear, observed = blank_mask((rows, columns)), blank_mask((rows, columns))
        masks: dict[str, tuple[Granule, NDArray[np.bool_]]] = {}
        for strip in self._strips():
            shape = (strip[0].stop - strip[0].start, strip[1].stop - strip[1].start)
            stack = np.empty((len(self.passes), len(self.settings.bands), *shape), np.int16)
            seen = np.empty((len(self.passes), *shape), np.bool_)
            looks = begun_ahead(partial(self.look, box=strip), self.passes, self.reader.at_a_time)
            for date, look in enumerate(looks):
                stack[date], seen[date] = look.values, look.clear
                observed[strip] |= look.observed
                for granule, mask in look.origins:
                    _, whole = masks.setdefault(granule.id, (granule, blank_mask((rows, columns))))
                    whole[strip] |= mask & look.clear
            composite, count = median(stack, seen)
            values[:, strip[0], strip[1]] = composite
            clear[strip] = count > 0
        contributions = [self._contribution(granule, mask) for granule, mask in masks.values()]
        return _made(values, clear, observed, contributions)

    def _strips(self) -> list[Box]:
        rows, columns = self.reader.shape
        row_bytes = len(self.passes) * len(self.settings.bands) * columns * 2
        chips = max(1, STACK_BYTES // max(1, row_bytes * self.chip_px))
        step = min(rows, int(chips) * self.chip_px)
        return [(slice(top, min(rows, top + step)), slice(0, columns)) for top in range(0, rows, step)]

    # -- one pass -----------------------------------------------------------------------------

    def look(self, group: Sequence[Granule], box: Box) -> Pass:
        """All bands of one pass on a box, reflectance × 10⁴ with nodata −32768."""
        blank = Blank(bands=len(self.settings.bands), dtype="int16", nodata=NODATA)
        return lay(group, box, blank, self.reader, self._observe)

    def _observe(self, granule: Granule, box: Box) -> Observation | None:
        """Reflectance of one granule with one mask for all bands and the sky, and where it is clear."""
        # One small band in another thread, not after the others: over a network each takes a round trip or two.
        coming = None if self.sky is None else self.reader.pool.submit(self._read_sky, granule, box)
        layer = self.reader.layer(granule, self.settings.bands, self._bands, box)
        sky = None if coming is None else coming.result()
        if layer is None or (self.sky is not None and sky is None):
            return None
        # In place where that fits: a block of twelve bands is hundreds of megabytes.
        out = layer.values.view(np.int16) if layer.values.itemsize == 2 else None
        signed = reflectance(layer.values, self._offset(granule), nodata=int(self.product.nodata), out=out)
        if sky is None:
            return Observation(values=signed, valid=layer.valid)
        return Observation(values=signed, valid=layer.valid & sky.valid, clear=self._clear(sky))

    def _offset(self, granule: Granule) -> int:
        return dn_offset(granule.properties, baseline_key=self.product.baseline, applied=self.product.offset_applied)

    def _contribution(self, granule: Granule, mask: NDArray[np.bool_]) -> Contribution:
        facts: dict[str, Any] = facts_of(granule, {"baseline": self.product.baseline, "platform": "platform"})
        return Contribution(
            product="sentinel2",
            granule_id=granule.id,
            moment=granule.datetime,
            mask=mask,
            facts={**facts, "offset": self._offset(granule)},
        )


def _made(
    values: NDArray[np.int16],
    clear: NDArray[np.bool_],
    observed: NDArray[np.bool_],
    contributions: Sequence[Contribution],
) -> Made:
    return Made(
        arrays={"s2": values, "s2_valid": clear.astype(np.uint8)},
        covered=observed,
        shares={"valid_fraction": clear, "s2_cloud_fraction": observed & ~clear},
        contributions=tuple(contributions),
    )


def _onto(shape: tuple[int, int], look: Pass, box: Box) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
    """A look at a box as arrays of the whole block."""
    if look.clear.shape == shape:
        return look.values, look.clear
    values = np.full((len(look.values), *shape), NODATA, np.int16)
    values[:, box[0], box[1]] = look.values
    return values, _mask_onto(shape, look.clear, box)


def _mask_onto(shape: tuple[int, int], mask: NDArray[np.bool_], box: Box) -> NDArray[np.bool_]:
    if mask.shape == shape:
        return mask
    whole = blank_mask(shape)
    whole[box] = mask
    return whole
