"""The land-cover layer of a block: labels or probabilities of many dates to one label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsprep.config import LandCover
from rsprep.granule import Granule
from rsprep.job.made import Contribution, Made
from rsprep.job.reader import Reader, blank_mask, facts_of, nearest_crs_first
from rsprep.products.acquisitions import by_date
from rsprep.products.crosswalk import load_crosswalk
from rsprep.products.landcover import CLASSES, NODATA, LabelVotes, ProbabilityMean
from rsprep.reading.mosaic import BandSpec
from rsprep.sources.definition import LandCoverProduct


def landcover(granules: Sequence[Granule], product: LandCoverProduct, settings: LandCover, reader: Reader) -> Made:
    """Mode of the labels, or argmax of the mean probability, in Dynamic World numbering."""
    by_probability = settings.method == "probability"
    running = ProbabilityMean(reader.shape) if by_probability else LabelVotes(reader.shape)
    contributions: list[Contribution] = []
    for _, group in by_date(granules):
        seen = blank_mask(reader.shape)
        date: NDArray[Any] = (
            np.full((len(CLASSES), *reader.shape), np.nan, np.float32)
            if by_probability
            else np.full(reader.shape, NODATA, np.uint8)
        )
        for granule in nearest_crs_first(group, reader.block):
            if seen.all():
                break
            found = _probabilities(granule, product, reader) if by_probability else _labels(granule, product, reader)
            if found is None:
                continue
            values, valid = found
            new = valid & ~seen
            np.copyto(date, values, where=new)
            seen |= new
            facts = facts_of(granule, {"platform": "platform"})
            contributions.append(
                Contribution(product="landcover", granule_id=granule.id, moment=granule.datetime, mask=new, facts=facts)
            )
        running.add(date)
    labels, _ = running.result(min_observations=settings.min_observations)
    # Clouds leave gaps in land cover on every date: a gap is counted as unlabelled, not as the end of the data.
    return Made(arrays={"lulc": labels}, covered=None, contributions=tuple(contributions))


def _labels(
    granule: Granule, product: LandCoverProduct, reader: Reader
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]] | None:
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


def _probabilities(
    granule: Granule, product: LandCoverProduct, reader: Reader
) -> tuple[NDArray[np.float32], NDArray[np.bool_]] | None:
    """Class probabilities (9, y, x) of one granule, and where it has any."""
    spec = BandSpec(dtype=product.probabilities_dtype, nodata=product.probabilities_nodata, resampling="bilinear")
    bands = tuple(f"p{index}" for index in range(len(CLASSES)))
    layer = reader.layer(granule, bands, spec, reader.everything)
    return None if layer is None else (layer.values.astype(np.float32, copy=False), layer.valid)
