"""The land-cover layer of a block: labels or probabilities of many dates to one label."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from rsprep.config import LandCover
from rsprep.dynamic_world import CLASSES, NODATA
from rsprep.granule import Granule
from rsprep.job.made import Contribution, Made
from rsprep.job.passes import Blank, Observation, Pass, lay
from rsprep.job.reader import Reader, facts_of, nearest_crs_first
from rsprep.products.acquisitions import by_date
from rsprep.products.crosswalk import load_crosswalk
from rsprep.products.landcover import LabelVotes, ProbabilityMean, check_probabilities
from rsprep.reading.bands import BandSpec
from rsprep.reading.mosaic import Box
from rsprep.sources.definition import LandCoverProduct


def landcover(granules: Sequence[Granule], product: LandCoverProduct, settings: LandCover, reader: Reader) -> Made:
    """Mode of the labels, or argmax of the mean probability, in Dynamic World numbering."""
    passes = [nearest_crs_first(group, reader.block) for _, group in by_date(granules)]
    contributions: list[Contribution] = []
    running: ProbabilityMean | LabelVotes
    looks: Iterator[Pass]
    if settings.method == "probability":
        running = ProbabilityMean(reader.shape)
        looks = (probabilities_of_pass(group, product, reader) for group in passes)
    else:
        running = LabelVotes(reader.shape)
        # One small band a pass: read side by side. Nine bands are read side by side already.
        looks = reader.pool.map(lambda group: labels_of_pass(group, product, reader), passes)
    for look in looks:
        running.add(look.values if settings.method == "probability" else look.values[0])
        contributions += [_contribution(granule, given) for granule, given in look.origins]
    labels, _ = running.result(min_observations=settings.min_observations)
    # Clouds leave gaps in land cover on every date.
    return Made(arrays={"lulc": labels}, covered=labels != NODATA, patchy=True, contributions=tuple(contributions))


def labels_of_pass(group: Sequence[Granule], product: LandCoverProduct, reader: Reader) -> Pass:
    """Labels of one pass on the block, one band in Dynamic World numbering."""
    spec = BandSpec(dtype=product.dtype, nodata=product.nodata, resampling="nearest", categorical=True)
    crosswalk = load_crosswalk(product.crosswalk)

    def observe(granule: Granule, box: Box) -> Observation | None:
        layer = reader.layer(granule, ("label",), spec, box)
        if layer is None:
            return None
        found = reader.guarded(granule, box, lambda: crosswalk.to_dynamic_world(layer.values[0], layer.valid))
        return None if found is None else Observation(values=found[None], valid=layer.valid & (found != NODATA))

    return lay(group, reader.everything, Blank(bands=1, dtype="uint8", nodata=NODATA), reader, observe)


def probabilities_of_pass(group: Sequence[Granule], product: LandCoverProduct, reader: Reader) -> Pass:
    """Class probabilities of one pass on the block, nine bands."""
    spec = BandSpec(dtype=product.probabilities_dtype, nodata=product.probabilities_nodata, resampling="bilinear")
    bands = tuple(f"p{index}" for index in range(len(CLASSES)))

    def observe(granule: Granule, box: Box) -> Observation | None:
        layer = reader.layer(granule, bands, spec, box)
        if layer is None:
            return None

        def checked() -> Observation:
            # Checked granule by granule: a wrong one costs the chips that it touches, not the whole shard.
            check_probabilities(layer.values, layer.valid)
            return Observation(values=layer.values.astype(np.float32, copy=False), valid=layer.valid)

        return reader.guarded(granule, box, checked)

    return lay(group, reader.everything, Blank(bands=len(bands), dtype="float32", nodata=np.nan), reader, observe)


def _contribution(granule: Granule, given: NDArray[np.bool_]) -> Contribution:
    facts = facts_of(granule, {"platform": "platform"})
    return Contribution(product="landcover", granule_id=granule.id, moment=granule.datetime, mask=given, facts=facts)
