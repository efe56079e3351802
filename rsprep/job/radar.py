"""The radar layer of a block: Sentinel-1 granules to mean power, then to dB."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from rsprep.config import Sentinel1
from rsprep.granule import Granule
from rsprep.job.ahead import begun_ahead
from rsprep.job.made import Contribution, Made
from rsprep.job.passes import Blank, Observation, Pass, lay
from rsprep.job.reader import Reader, facts_of, nearest_crs_first
from rsprep.products.acquisitions import by_date
from rsprep.products.sentinel1 import PowerMean, decibel, erode_border, to_power
from rsprep.reading.bands import asset_of
from rsprep.reading.control import ControlCache, pixel_lengths
from rsprep.reading.mosaic import Box
from rsprep.reading.spec import BandSpec
from rsprep.reading.warp import fill_invalid, warp
from rsprep.reading.window import Window
from rsprep.sources.definition import Sentinel1Product

KERNEL_PX = 4
"""Source pixels that resampling may need beyond the block."""


def radar(granules: Sequence[Granule], product: Sentinel1Product, settings: Sentinel1, reader: Reader) -> Made:
    """Mean backscatter over the passes, in dB.

    Power is what is resampled and averaged. A pass is one look, however many granules it is cut into.
    """
    mean = PowerMean(len(settings.polarisations), reader.shape)
    contributions: list[Contribution] = []
    passes = [nearest_crs_first(group, reader.block) for _, group in by_date(granules)]
    for one in begun_ahead(lambda group: power_of_pass(group, product, settings, reader), passes, reader.at_a_time):
        contributions += [_contribution(granule, product, given) for granule, given in one.origins]
        mean.add(one.values, one.observed)
    measured = mean.count > 0
    return Made(arrays={"s1": decibel(mean.mean, measured)}, covered=measured, contributions=tuple(contributions))


def power_of_pass(group: Sequence[Granule], product: Sentinel1Product, settings: Sentinel1, reader: Reader) -> Pass:
    """Linear power of one pass on the block, dead borders taken off."""
    blank = Blank(bands=len(settings.polarisations), dtype="float32", nodata=0)

    def observe(granule: Granule, box: Box) -> Observation | None:
        return reader.guarded(granule, box, lambda: _read_power(granule, product, settings, reader, box))

    return lay(group, reader.everything, blank, reader, observe)


def _read_power(
    granule: Granule, product: Sentinel1Product, settings: Sentinel1, reader: Reader, box: Box
) -> Observation | None:
    """Power (bands, y, x) of one granule on a box of the block; None without pixels."""
    controls = reader.controls(box)
    windows = _windows(granule, product, settings, reader, controls.target)
    if windows is None:
        reader.check_shown(granule, None, controls.target)
        return None
    # Both polarisations share one mask, eroded where the pixels are still the scene's own.
    powers, masks = zip(
        *(to_power(window.values, product.units, nodata=product.nodata) for window in windows), strict=True
    )
    valid = erode_border(np.logical_and.reduce(masks), settings.border_px)
    first, control = windows[0], controls.get(windows[0].file_grid)
    values = np.empty((len(powers), *controls.target.shape), np.float32)
    observed = np.ones(controls.target.shape, np.bool_)

    def onto_grid(index: int) -> None:
        warp(
            powers[index], first.grid, controls.target, resampling=first.resampling, nodata=None,
            valid=valid, control=control, out=values[index], out_valid=observed,
        )  # fmt: skip

    list(reader.pool.map(onto_grid, range(len(powers))))
    reader.check_shown(granule, observed, controls.target)
    if not observed.any():
        return None
    fill_invalid(values, observed, 0)
    return Observation(values=values, valid=observed)


def _windows(
    granule: Granule, product: Sentinel1Product, settings: Sentinel1, reader: Reader, target: GeoBox
) -> list[Window] | None:
    """The source pixels of every polarisation, wide enough that a border just outside the target is seen."""
    assets = [asset_of(granule, polarisation) for polarisation in settings.polarisations]
    controls = ControlCache(target.pad(_margin(assets[0].grid, target, settings.border_px)))
    spec = BandSpec(dtype=product.dtype, nodata=product.nodata, resampling=product.resampling)
    found: dict[int, Window] = {}

    def keep(index: int, window: Window | None) -> None:
        if window is not None:
            found[index] = window

    reader.access(granule).read(assets, spec, controls, keep, pool=reader.pool)
    if len(found) < len(assets):
        return None
    reader.count(granule, settings.polarisations, spec, controls)
    return [found[index] for index in range(len(assets))]


def _margin(source: GeoBox | None, block: GeoBox, border_px: int) -> int:
    """Target pixels around the block that cover the erosion and the kernel, counted in source pixels."""
    if source is None:
        return border_px + KERNEL_PX
    ratio = max(pixel_lengths(source)) / min(pixel_lengths(block)) if source.crs == block.crs else 1.0
    return math.ceil((border_px + KERNEL_PX) * max(1.0, ratio))


def _contribution(granule: Granule, product: Sentinel1Product, mask: NDArray[np.bool_]) -> Contribution:
    facts = facts_of(granule, {"orbit": product.orbit, "platform": "platform"})
    return Contribution(product="sentinel1", granule_id=granule.id, moment=granule.datetime, mask=mask, facts=facts)
