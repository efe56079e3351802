"""Planted places as a chip corpus: the panorama from the middle of each, and the view from above."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from rsprep.corpus.partition import by_hash
from rsprep.corpus.plan import Batch, CorpusChip, CorpusPlan, MadeChip, Place
from rsprep.corpus.run import run_corpus
from rsprep.corpus.views.landscape import plant
from rsprep.corpus.views.settings import ViewsSettings
from rsprep.corpus.views.sight import from_above, panorama
from rsprep.finish import Outcome
from rsprep.job.progress import Progress, Silent
from rsprep.report.data import SourceRow
from rsprep.settings import make_settings
from rsprep.store.schema import Column, Schema, Variable

EPSG, EAST, NORTH = 32633, 500_000.0, 5_300_000.0
"""Where the first place lies; nothing there looks like it."""
IN_A_ROW = 200
SLOTS = 64


def simulate_views(
    settings: ViewsSettings | Mapping[str, Any], *, progress: Progress | None = None, retry_failed: bool = False
) -> Outcome:
    """Plant places and look at them, or go on with it: the same call resumes.

    Place number k depends on the seed and on k alone. Places are twice as far apart as one sees from above, so no
    ground is in two of them, and none in two splits.

    Parameters
    ----------
    settings : checked settings, or a mapping with their keys.
    progress : who watches; nobody by default.
    retry_failed : try quarantined chips again.
    """
    checked = make_settings(ViewsSettings, settings)
    return run_corpus(plan_views(checked), progress=progress or Silent(), retry_failed=retry_failed)


def plan_views(settings: ViewsSettings) -> CorpusPlan:
    """The plan of the corpus; reads nothing."""
    return CorpusPlan(
        kind="views",
        title="Ground and satellite views of planted places",
        subtitle=f"{settings.n:,} places, {settings.reach:g} m to all sides from above, eyes at {settings.eye:g} m",
        settings=settings,
        inputs={},
        schema=views_schema(settings),
        chips=_places(settings),
        make=make_views,
        sources=(SourceRow(product="views", collection="planted", granules=settings.n, note="nothing of it is real"),),
    )


def views_schema(settings: ViewsSettings) -> Schema:
    """Schema of the store: what is seen from the ground, and from above."""

    def picture(name: str, meaning: str) -> Variable:
        bands = ("red", "green", "blue")
        attrs = {"long_name": meaning, "units": "1", "picture": "rgb", "rgb_bands": list(bands)}
        return Variable(name=name, bands=bands, band_dim="band", dtype="uint8", fill=0, attrs=attrs)

    return Schema(
        variables=(
            picture("ground", "panorama from the middle of the place, all around from left to right"),
            picture("satellite", "the place from above, north up"),
        ),
        chip_px=settings.size,
        resolution=2 * settings.reach / settings.size,
        slots_per_shard=SLOTS,
        columns=(
            Column(name="heading", kind="float32", meaning="direction in the panorama's middle, degrees from north"),
        ),
    )


def _places(settings: ViewsSettings) -> Iterator[CorpusChip]:
    apart = 4 * settings.reach
    for number in range(settings.n):
        row, column = divmod(number, IN_A_ROW)
        name = f"place-{number:06d}"
        x, y = EAST + column * apart, NORTH - row * apart
        yield CorpusChip(
            chip_id=name,
            split=by_hash(name, settings.ratio, settings.seed),
            payload={"number": number},
            place=Place.at_corner(EPSG, x, y, 2 * settings.reach),
        )


def make_views(batch: Batch) -> Iterator[MadeChip]:
    """Both views of each place, in order; see :class:`rsprep.corpus.plan.CorpusPlan`."""
    settings = batch.settings
    if not isinstance(settings, ViewsSettings):
        raise TypeError(f"not a batch of views: {type(settings)}")
    for chip in batch.chips:
        rng = np.random.default_rng((settings.seed, chip.payload["number"]))
        land = plant(rng, settings.reach)
        heading = float(rng.uniform(-1, 1) * settings.heading)
        yield MadeChip(
            arrays={
                "ground": panorama(land, settings.size, settings.eye, heading, rng),
                "satellite": from_above(land, settings.size, settings.reach, rng),
            },
            values={"heading": heading},
            stats={"valid_fraction": 1.0, "lineage": "planted: drawn by rsprep simulate-views, no place is like it"},
        )
