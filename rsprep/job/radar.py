"""The radar layer of a block: Sentinel-1 granules to mean power, then to dB."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from rsprep.config import Sentinel1
from rsprep.granule import Granule
from rsprep.job.made import Contribution, Made, PassMosaic
from rsprep.job.reader import Reader, facts_of, nearest_crs_first
from rsprep.products.acquisitions import by_date
from rsprep.products.sentinel1 import PowerMean, decibel, erode_border, to_power
from rsprep.reading.control import ControlCache, pixel_lengths
from rsprep.reading.warp import warp
from rsprep.reading.windows import Window, read_window
from rsprep.sources.definition import Sentinel1Product

KERNEL_PX = 4
"""Source pixels that resampling may need beyond the block."""


def radar(granules: Sequence[Granule], product: Sentinel1Product, settings: Sentinel1, reader: Reader) -> Made:
    """Mean backscatter over the passes, in dB.

    Power is what is resampled and averaged. A pass is one look, however many granules it is cut into.
    """
    shape = reader.shape
    mean = PowerMean(len(settings.polarisations), shape)
    contributions: list[Contribution] = []
    for _, group in by_date(granules):
        one = PassMosaic(np.zeros((len(settings.polarisations), *shape), np.float32))
        for granule in nearest_crs_first(group, reader.block):
            if one.full:
                break
            found = _granule_power(granule, product, settings, reader)
            if found is not None:
                contributions.append(_contribution(granule, product, one.take(*found)))
        mean.add(one.values, one.seen)
    measured = mean.count > 0
    return Made(arrays={"s1": decibel(mean.mean, measured)}, covered=measured, contributions=tuple(contributions))


def _granule_power(
    granule: Granule, product: Sentinel1Product, settings: Sentinel1, reader: Reader
) -> tuple[NDArray[np.float32], NDArray[np.bool_]] | None:
    """Power (bands, y, x) of one granule on the block and its mask, dead borders taken off; None without pixels."""
    return reader.guarded(
        granule,
        settings.polarisations[0],
        reader.everything,
        lambda: _read_power(granule, product, settings, reader),
    )


def _read_power(
    granule: Granule, product: Sentinel1Product, settings: Sentinel1, reader: Reader
) -> tuple[NDArray[np.float32], NDArray[np.bool_]] | None:
    windows = _windows(granule, product, settings, reader)
    if windows is None:
        return None
    # Both polarisations share one mask, eroded where the pixels are still the scene's own.
    powers, masks = zip(
        *(to_power(window.values, product.units, nodata=product.nodata) for window in windows), strict=True
    )
    valid = erode_border(np.logical_and.reduce(masks), settings.border_px)
    control = reader.controls(reader.everything).get(windows[0].file_grid)
    warped = warp(
        np.stack(powers),
        windows[0].grid,
        reader.block,
        resampling=windows[0].resampling,
        nodata=None,
        valid=valid,
        control=control,
    )
    return (warped.values, warped.valid) if warped.valid.any() else None


def _windows(granule: Granule, product: Sentinel1Product, settings: Sentinel1, reader: Reader) -> list[Window] | None:
    """The source pixels of every polarisation, wide enough that a border just outside the block is seen."""
    first = granule.assets[settings.polarisations[0]].grid
    pad = _margin(first, reader.block, settings.border_px)
    wide = reader.block.pad(pad)
    controls = ControlCache(wide)

    def read(polarisation: str) -> Window | None:
        return read_window(
            granule.assets[polarisation],
            wide,
            nodata=product.nodata,
            dtype=product.dtype,
            resampling=product.resampling,
            controls=controls,
            sign=reader.signer.sign,
            policy=reader.policy,
        )

    found = list(reader.pool.map(read, settings.polarisations))
    windows = [window for window in found if window is not None]
    if len(windows) < len(found):
        return None
    reader.decoded += sum(window.values.nbytes for window in windows)
    return windows


def _margin(source: GeoBox | None, block: GeoBox, border_px: int) -> int:
    """Target pixels around the block that cover the erosion and the kernel, counted in source pixels."""
    if source is None:
        return border_px + KERNEL_PX
    ratio = max(pixel_lengths(source)) / min(pixel_lengths(block)) if source.crs == block.crs else 1.0
    return math.ceil((border_px + KERNEL_PX) * max(1.0, ratio))


def _contribution(granule: Granule, product: Sentinel1Product, mask: NDArray[np.bool_]) -> Contribution:
    facts = facts_of(granule, {"orbit": product.orbit, "platform": "platform"})
    return Contribution(product="sentinel1", granule_id=granule.id, moment=granule.datetime, mask=mask, facts=facts)
