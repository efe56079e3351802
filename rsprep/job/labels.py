"""The land-cover layer of a block: labels or probabilities of many dates to one label."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rsprep.config import LandCover
from rsprep.dynamic_world import CLASSES, NODATA
from rsprep.granule import Granule
from rsprep.job.made import Contribution, Made
from rsprep.job.passes import Blank, Observation, Pass, box_of, lay
from rsprep.job.reader import Reader, blank_mask, facts_of, nearest_crs_first
from rsprep.products.acquisitions import by_date
from rsprep.products.crosswalk import load_crosswalk
from rsprep.products.landcover import LabelVotes, ProbabilityMean, check_probabilities
from rsprep.reading.mosaic import Box
from rsprep.reading.spec import BandSpec
from rsprep.sources.definition import LandCoverProduct


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What one source has of the land cover of a block."""

    rules: LandCoverProduct
    granules: tuple[Granule, ...]


def landcover(offers: Sequence[Offer], settings: LandCover, reader: Reader, chip_px: int) -> Made:
    """Mode of the labels, or argmax of the mean probability, in Dynamic World numbering.

    A chip in which the preferred source has not one label is taken, as a whole, from the next that has: two codings
    never meet in a chip, and each chip records its source. A source that could not be read is no such case: its chips
    are quarantined.

    Parameters
    ----------
    offers : the preferred source first.
    chip_px : pixels along a chip's side; the block is made of whole chips.
    """
    labels = np.full(reader.shape, NODATA, np.uint8)
    contributions: list[Contribution] = []
    for offer in offers:
        taken = _empty_chips(labels, chip_px)
        box = box_of(taken, chip_px)
        if box is None:
            break
        found, given = _of_one(offer, settings, reader, box)
        np.copyto(labels[box], found, where=taken[box])
        for granule, mask in given:
            where = blank_mask(reader.shape)
            where[box] = mask & taken[box]
            contributions.append(_contribution(granule, offer.rules, where))
    # Clouds leave gaps in land cover on every date.
    return Made(arrays={"lulc": labels}, covered=labels != NODATA, patchy=True, contributions=tuple(contributions))


def _empty_chips(labels: NDArray[np.uint8], chip_px: int) -> NDArray[np.bool_]:
    """Pixels (y, x) of the chips that have no label yet."""
    rows, columns = (side // chip_px for side in labels.shape)
    empty = (labels == NODATA).reshape(rows, chip_px, columns, chip_px).all(axis=(1, 3))
    return np.kron(empty, np.ones((chip_px, chip_px), np.bool_))


Given = list[tuple[Granule, NDArray[np.bool_]]]
"""Granules and the pixels (y, x) that they gave."""


def _of_one(offer: Offer, settings: LandCover, reader: Reader, box: Box) -> tuple[NDArray[np.uint8], Given]:
    """Labels of one source on a box of the block, and what gave them."""
    passes = [nearest_crs_first(group, reader.block) for _, group in by_date(offer.granules)]
    shape = (box[0].stop - box[0].start, box[1].stop - box[1].start)
    given: Given = []
    running: ProbabilityMean | LabelVotes
    looks: Iterator[Pass]
    if settings.method == "probability":
        running = ProbabilityMean(shape)
        looks = (probabilities_of_pass(group, offer.rules, reader, box) for group in passes)
    else:
        running = LabelVotes(shape)
        # One small band a pass: read side by side. Nine bands are read side by side already.
        looks = reader.pool.map(lambda group: labels_of_pass(group, offer.rules, reader, box), passes)
    for look in looks:
        running.add(look.values if settings.method == "probability" else look.values[0])
        given += look.origins
    labels, _ = running.result(min_observations=settings.min_observations)
    return labels, given


def labels_of_pass(group: Sequence[Granule], product: LandCoverProduct, reader: Reader, box: Box) -> Pass:
    """Labels of one pass on a box of the block, one band in Dynamic World numbering."""
    spec = BandSpec(dtype=product.dtype, nodata=product.nodata, resampling="nearest", categorical=True)
    crosswalk = load_crosswalk(product.crosswalk)

    def observe(granule: Granule, box: Box) -> Observation | None:
        layer = reader.layer(granule, ("label",), spec, box)
        if layer is None:
            return None
        found = reader.guarded(granule, box, lambda: crosswalk.to_dynamic_world(layer.values[0], layer.valid))
        return None if found is None else Observation(values=found[None], valid=layer.valid & (found != NODATA))

    return lay(group, box, Blank(bands=1, dtype="uint8", nodata=NODATA), reader, observe)


def probabilities_of_pass(group: Sequence[Granule], product: LandCoverProduct, reader: Reader, box: Box) -> Pass:
    """Class probabilities of one pass on a box of the block, nine bands."""
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

    return lay(group, box, Blank(bands=len(bands), dtype="float32", nodata=np.nan), reader, observe)


def _contribution(granule: Granule, rules: LandCoverProduct, given: NDArray[np.bool_]) -> Contribution:
    facts = facts_of(granule, {"platform": "platform"}) | {"source": granule.source, "collection": granule.collection}
    of_a_year = rules.epoch == "nearest"
    if of_a_year:
        facts["epoch"] = granule.datetime.year
    moment = None if of_a_year else granule.datetime
    return Contribution(product="landcover", granule_id=granule.id, moment=moment, mask=given, facts=facts)
