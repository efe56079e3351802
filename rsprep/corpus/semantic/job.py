"""The semantic corpus: scenes with masks, cut into chips without overlap."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsprep.corpus.files import band_names, grid_of, metres_per_pixel, read_strips
from rsprep.corpus.inputs import fingerprint, slugs
from rsprep.corpus.plan import CorpusChip, CorpusPlan, Histogram, Place
from rsprep.corpus.run import run_corpus
from rsprep.corpus.semantic.chips import make_semantic
from rsprep.corpus.semantic.classes import Coding, load_coding
from rsprep.corpus.semantic.pairs import Scene, Side, check_scenes, find_scenes
from rsprep.corpus.semantic.settings import SemanticSettings
from rsprep.corpus.semantic.splits import assign_splits, split_name
from rsprep.corpus.semantic.statistics import write_statistics
from rsprep.corpus.semantic.survey import Surveyed, survey
from rsprep.finish import Outcome
from rsprep.job.progress import Progress, Silent
from rsprep.masks.scenes import Cut
from rsprep.report.data import SourceRow
from rsprep.settings import make_settings
from rsprep.store.schema import Column, Schema, Variable

SHARD_BYTES = 32 * 2**20
"""Most bytes of one shard, uncompressed."""
SLOTS = 16
"""Chips of a shard, as in a block of 1024 pixels; more where scenes are files that can only be decoded as a whole."""


def semantic_masks(
    settings: SemanticSettings | Mapping[str, Any], *, progress: Progress | None = None, retry_failed: bool = False
) -> Outcome:
    """Make a semantic corpus, or go on with it: the same call resumes.

    Parameters
    ----------
    settings : checked settings, or a mapping with their keys.
    progress : who watches; nobody by default.
    retry_failed : try quarantined chips again.

    Raises
    ------
    InputError : something that was given cannot be used; nothing is written then.
    """
    checked = make_settings(SemanticSettings, settings)
    watcher = progress or Silent()
    return run_corpus(plan_semantic(checked, watcher), progress=watcher, retry_failed=retry_failed)


def plan_semantic(settings: SemanticSettings, progress: Progress) -> CorpusPlan:
    """Find, pair and check the scenes, count the classes in every chip, and deal the chips out to splits.

    Raises
    ------
    InputError : as :func:`find_scenes`, :func:`check_scenes`, :func:`survey` and :func:`assign_splits`; CatalogError as
        :func:`load_coding`.
    """
    coding = load_coding(settings.classes, settings.to)
    images = Side(folder=settings.image_folder, suffix=settings.image_suffix, what="image")
    masks = Side(folder=settings.mask_folder, suffix=settings.mask_suffix, what="mask")
    scenes = find_scenes(images, masks)
    check_scenes(
        scenes,
        bands_given=len(settings.bands),
        has_palette=bool(coding.source.palette),
        by_palette=settings.mask_palette,
    )
    surveyed = survey(
        scenes,
        coding,
        size=settings.size,
        edge=settings.edge,
        by_palette=settings.mask_palette,
        progress=progress,
    )
    schema = semantic_schema(settings, scenes, coding)
    splits = _splits(settings, surveyed)
    return CorpusPlan(
        kind="semantic",
        title="Semantic masks",
        subtitle=_subtitle(settings, scenes, coding),
        settings=settings,
        inputs={
            "images": fingerprint((scene.image.path for scene in scenes), images.folder),
            "masks": fingerprint((scene.mask.path for scene in scenes), masks.folder),
            "classes": coding.fingerprint,
        },
        schema=schema,
        chips=_chips(settings, surveyed, splits),
        make=make_semantic,
        shared=coding,
        sources=(_source(settings, scenes, coding),),
        histograms=(
            Histogram(
                column="unknown_fraction", title="Unknown", note="share of a chip without a class", low=0, high=1
            ),
            Histogram(column="dominant_share", title="Largest class", note="its share of a chip", low=0, high=1),
        ),
        finish=partial(write_statistics, surveyed=surveyed, coding=coding, settings=settings),
    )


def semantic_schema(settings: SemanticSettings, scenes: Sequence[Scene], coding: Coding) -> Schema:
    """Schema of the store: the image as it is in the files, and its mask."""
    first = scenes[0].image
    bands = settings.bands or band_names(first)
    told = next((size for scene in scenes if (size := metres_per_pixel(scene.image)) is not None), None)
    resolution = told or settings.resolution
    image = {"long_name": "image, numbers as in the files", "units": "1", "picture": "rgb"}
    if len(bands) >= 3:
        image["rgb_bands"] = _rgb(bands)  # type: ignore[assignment]  # attributes are JSON
    if resolution is None:
        image["note"] = "the files do not tell the size of a pixel on the ground: 1 stands for one pixel"
    variables = (
        Variable(name="image", bands=bands, band_dim="band", dtype=first.dtype, fill=0, attrs=image),
        Variable(name="mask", bands=None, band_dim=None, dtype="uint8", fill=coding.unknown, attrs=coding.attrs),
    )
    return Schema(
        variables=variables,
        chip_px=settings.size,
        resolution=resolution or 1.0,
        slots_per_shard=_slots(settings, scenes, settings.size**2 * (len(bands) * np.dtype(first.dtype).itemsize + 1)),
        columns=(
            Column(name="scene", kind="string", meaning="scene that the chip was cut from"),
            Column(name="row", kind="int32", meaning="row of chips within the scene, from its upper edge"),
            Column(name="col", kind="int32", meaning="column of chips within the scene, from its left edge"),
            Column(name="unknown_fraction", kind="float32", meaning="share of the chip without a class"),
            Column(name="dominant_class", kind="string", meaning="largest class of the chip"),
            Column(name="dominant_share", kind="float32", meaning="share of the chip that it has"),
        ),
    )


def _slots(settings: SemanticSettings, scenes: Sequence[Scene], chip_bytes: int) -> int:
    """Chips of a shard: every task that has a part of a PNG must decode all of it, so few tasks share one."""
    whole = [
        Cut(height=scene.height, width=scene.width, size=settings.size, edge=settings.edge)
        for scene in scenes
        if not (scene.image.windowed and scene.mask.windowed)
    ]
    most = max((cut.rows * cut.columns for cut in whole), default=0)
    return max(1, min(max(SLOTS, most), SHARD_BYTES // chip_bytes))


def _rgb(bands: Sequence[str]) -> list[str]:
    """The three bands to show: those that are named so, else the first three."""
    lower = {name.lower(): name for name in bands}
    for names in (("red", "green", "blue"), ("r", "g", "b"), ("b04", "b03", "b02")):
        if all(name in lower for name in names):
            return [lower[name] for name in names]
    return list(bands[:3])


# -- plan -----------------------------------------------------------------------------------------


def _splits(settings: SemanticSettings, surveyed: Sequence[Surveyed]) -> dict[str, NDArray[np.int64]]:
    kept = {one.scene.name: one.unknown <= settings.max_unknown for one in surveyed}
    return assign_splits(
        surveyed, kept, by=settings.split, block_chips=settings.block, ratio=settings.ratio, seed=settings.seed
    )


def _chips(
    settings: SemanticSettings, surveyed: Sequence[Surveyed], splits: Mapping[str, NDArray[np.int64]]
) -> Iterator[CorpusChip]:
    """Chips scene by scene, row by row; each image is decoded once first, so that a damaged one is told at once."""
    named = slugs([one.scene.name for one in surveyed])
    for one in surveyed:
        scene, unknown = one.scene, one.unknown
        for _ in read_strips(scene.image, one.cut.strips):
            pass
        files = {
            "image": scene.image.path.relative_to(settings.image_folder).as_posix(),
            "mask": scene.mask.path.relative_to(settings.mask_folder).as_posix(),
        }
        for row, column in itertools.product(range(one.cut.rows), range(one.cut.columns)):
            share = float(unknown[row, column])
            yield CorpusChip(
                chip_id=f"{named[scene.name]}-r{row:03d}-c{column:03d}",
                split=split_name(int(splits[scene.name][row, column])),
                payload={"scene": scene.name, **files, "row": row, "column": column},
                place=_place(scene, row, column, settings.size),
                reject=_reject(share, settings.max_unknown),
            )


def _reject(share: float, most: float) -> str:
    """Why a chip is left out; one reason for all, so that the report counts them together."""
    return f"more than {100 * most:g} % unknown" if share > most else ""


def _place(scene: Scene, row: int, column: int, size: int) -> Place | None:
    grid = grid_of(scene.image)
    if grid is None:
        return None
    epsg, transform = grid
    x, y = transform.c + column * size * transform.a, transform.f + row * size * transform.e
    return Place.at_corner(epsg, x, y, size * transform.a)


def _subtitle(settings: SemanticSettings, scenes: Sequence[Scene], coding: Coding) -> str:
    ratio = ":".join(f"{share:g}" for share in settings.ratio)
    by = settings.split if settings.split == "scene" else f"block of {settings.block} × {settings.block} chips"
    return (
        f"{len(scenes):,} scenes, classes {coding.target.name}, chips of {settings.size} × {settings.size} pixels, "
        f"split {ratio} by {by}"
    )


def _source(settings: SemanticSettings, scenes: Sequence[Scene], coding: Coding) -> SourceRow:
    lost = f"; unknown since {coding.target.name} has no class for it: {', '.join(coding.lost)}" if coding.lost else ""
    return SourceRow(
        product="scenes with masks",
        collection=Path(settings.scenes).name,
        granules=len(scenes),
        licence=coding.source.licence,
        note=f"masks: {coding.source.title}{lost}",
    )
