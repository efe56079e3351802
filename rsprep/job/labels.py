"""The land-cover layer of a block: labels or probabilities of many dates to one label."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsprep.config import LandCover
from rsprep.dynamic_world import CLASSES, NODATA
from rsprep.granule import Granule
from rsprep.job.made import Contribution, Made, PassMosaic
from rsprep.job.reader import Reader, facts_of, nearest_crs_first
from rsprep.products.acquisitions import by_date
from rsprep.products.crosswalk import load_crosswalk
from rsprep.products.landcover import LabelVotes, ProbabilityMean, check_probabilities
from rsprep.reading.mosaic import BandSpec
from rsprep.sources.definition import LandCoverProduct

Observation = tuple[NDArray[Any], NDArray[np.bool_]]
"""Labels (y, x) or probabilities (9, y, x) of one granule, and where it has any."""


def landcover(granules: Sequence[Granule], product: LandCoverProduct, settings: LandCover, reader: Reader) -> Made:
    """Mode of the labels, or argmax of the mean probability, in Dynamic World numbering."""
    passes = [nearest_crs_first(group, reader.block) for _, group in by_date(granules)]
    contributions: list[Contribution] = []
    running: ProbabilityMean | LabelVotes
    looks: Iterator[tuple[NDArray[Any], list[Contribution]]]
    if settings.method == "probability":
        running = ProbabilityMean(reader.shape)
        blank = np.full((len(CLASSES), *reader.shape), np.nan, np.float32)
        looks = (_mosaic(group, blank, lambda granule: _probabilities(granule, product, reader)) for group in passes)
    else:
        running = LabelVotes(reader.shape)
        empty = np.full(reader.shape, NODATA, np.uint8)
        # One small band a pass: read side by side. Nine bands are read side by side already.
        looks = reader.pool.map(
            lambda group: _mosaic(group, empty, lambda granule: _labels(granule, product, reader)), passes
        )
    for date, given in looks:
        running.add(date)
        contributions += given
    labels, _ = running.result(min_observations=settings.min_observations)
    # Clouds leave gaps in land cover on every date.
    return Made(arrays={"lulc": labels}, covered=labels != NODATA, patchy=True, contributions=tuple(contributions))


def _mosaic(
    group: Sequence[Granule], blank: NDArray[Any], observe: Callable[[Granule], Observation | None]
) -> tuple[NDArray[Any], list[Contribution]]:
    """One pass: the first granule that has a pixel gives it."""
    date = PassMosaic(blank)
    contributions: list[Contribution] = []
    for granule in group:
        if date.full:
            break
        found = observe(granule)
        if found is None:
            continue
        given = date.take(*found)
        facts = facts_of(granule, {"platform": "platform"})
        contributions.append(
            Contribution(product="landcover", granule_id=granule.id, moment=granule.datetime, mask=given, facts=facts)
        )
    return date.values, contributions


def _labels(granule: Granule, product: LandCoverProduct, reader: Reader) -> Observation | None:
    """Labels (y, x) of one granule in Dynamic World numbering, and where it has any."""
    spec = BandSpec(dtype=product.dtype, nodata=product.nodata, resampling="nearest", categorical=True)
    layer = reader.layer(granule, ("label",), spec, reader.everything)
    if layer is None:
        return None

    def translate() -> NDArray[np.uint8]:
        return load_crosswalk(product.crosswalk).to_dynamic_world(layer.values[0], layer.valid)

    labels = reader.guarded(granule, "label", reader.everything, translate)
    if labels is None:
        return None
    return labels, layer.valid & (labels != NODATA)


def _probabilities(granule: Granule, product: LandCoverProduct, reader: Reader) -> Observation | None:
    """Class probabilities (9, y, x) of one granule, and where it has any."""
    spec = BandSpec(dtype=product.probabilities_dtype, nodata=product.probabilities_nodata, resampling="bilinear")
    bands = tuple(f"p{index}" for index in range(len(CLASSES)))
    layer = reader.layer(granule, bands, spec, reader.everything)
    if layer is None:
        return None
    # Checked granule by granule: a wrong one costs the chips that it touches, not the whole shard.
    checked = reader.guarded(
        granule, bands[0], reader.everything, lambda: check_probabilities(layer.values, layer.valid)
    )
    return None if checked is None else (layer.values.astype(np.float32, copy=False), layer.valid)
