"""The corpus of MaskMix masks: as many as are asked for, each from its own number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from rsprep.corpus.mixing.seeds import SeedInput, SeedPool, find_seeds
from rsprep.corpus.mixing.settings import MaskMixSettings
from rsprep.corpus.plan import Batch, CorpusChip, CorpusPlan, Histogram, MadeChip
from rsprep.corpus.png_masks import write_png_masks
from rsprep.corpus.run import run_corpus
from rsprep.finish import Outcome
from rsprep.job.desk import Desk
from rsprep.job.journal_view import JournalView
from rsprep.job.progress import Progress
from rsprep.masks.maskmix import MaskMix
from rsprep.report.data import SourceRow, Table
from rsprep.settings import make_settings
from rsprep.store.schema import Column, Schema, Variable

SHARD_BYTES = 32 * 2**20
TRIAL = 8
"""Masks made of each pool before the work begins: bounds that no mask can meet show then."""
CLOUD_COLOURS = "#1b2a41 #ffffff"


def maskmix(
    settings: MaskMixSettings | Mapping[str, Any], *, progress: Progress | None = None, retry_failed: bool = False
) -> Outcome:
    """Make a corpus of MaskMix masks, or go on with it: the same call resumes.

    Parameters
    ----------
    settings : checked settings, or a mapping with their keys.
    progress : who watches; nobody by default.
    retry_failed : try quarantined masks again.

    Raises
    ------
    InputError : something that was given cannot be used; nothing is written then.
    """
    checked = make_settings(MaskMixSettings, settings)
    return run_corpus(plan_maskmix(checked), progress=progress, retry_failed=retry_failed)


def plan_maskmix(settings: MaskMixSettings) -> CorpusPlan:
    """Read the seeds, share the masks out among their splits, and try a few.

    Raises
    ------
    InputError : as :func:`find_seeds`.
    ConfigError : ``area-unreachable``.
    """
    seeds = find_seeds(settings.seeds, all_seeds=settings.all_seeds)
    pools = _pools(settings, seeds)
    mixer = MaskMix(settings.mix)
    for pool in pools.values():
        mixer.check(mixer.batch(pool.load(), range(TRIAL), seed=settings.seed, size=settings.size))
    return CorpusPlan(
        kind="maskmix",
        title="MaskMix masks",
        subtitle=_subtitle(settings, seeds),
        settings=settings,
        inputs={"seeds": seeds.fingerprint},
        schema=mask_schema(settings),
        chips=_chips(settings.n, pools),
        make=make_masks,
        shared=dict(pools),
        sources=(
            SourceRow(
                product="seed masks",
                collection=Path(settings.seeds).name,
                granules=seeds.used,
                note=f"{seeds.read - seeds.used:,} more are all clear or all masked" if seeds.read > seeds.used else "",
            ),
        ),
        histograms=(
            Histogram(column="area_ratio", title="Area", note="share of a mask that is masked", low=0, high=1),
            Histogram(column="attempts", title="Tries", note="draws until the area was within bounds", low=0, high=20),
        ),
        finish=partial(_finish, settings=settings),
    )


def mask_schema(settings: MaskMixSettings) -> Schema:
    """Schema of the store: one binary mask a chip."""
    attrs = {
        "long_name": "occlusion mask made by MaskMix",
        "units": "1",
        "flag_values": [0, 1],
        "flag_meanings": "clear masked",
        "flag_colors": CLOUD_COLOURS,
    }
    return Schema(
        variables=(Variable(name="mask", bands=None, band_dim=None, dtype="uint8", fill=0, attrs=attrs),),
        chip_px=settings.size,
        resolution=1.0,
        slots_per_shard=int(np.clip(SHARD_BYTES // settings.size**2, 16, 1024)),
        columns=(
            Column(name="area_ratio", kind="float32", meaning="share of the mask that is masked"),
            Column(name="seed_id", kind="string", meaning="seed mask that it was made from"),
            Column(name="attempts", kind="int32", meaning="draws until its area was within the bounds"),
        ),
    )


def _pools(settings: MaskMixSettings, seeds: SeedInput) -> dict[str, SeedPool]:
    """Split of the masks to the seeds that they are made from."""
    inherit = settings.split == "inherit" or (settings.split == "auto" and len(seeds.pools) > 1)
    if inherit:
        return dict(seeds.pools)
    return {"train" if settings.split == "auto" else settings.split: seeds.everything}


def _chips(n: int, pools: Mapping[str, SeedPool]) -> Iterator[CorpusChip]:
    """Splits in proportion to their seeds, dealt out one after another: more masks change the split of none."""
    total = sum(len(pool) for pool in pools.values())
    made = dict.fromkeys(pools, 0)
    for index in range(n):
        # Whole numbers, so that no rounding decides: the split that lags furthest behind its share.
        split = max(pools, key=lambda name: len(pools[name]) * (index + 1) - made[name] * total)
        made[split] += 1
        yield CorpusChip(chip_id=f"mix-{index:07d}", split=split, payload={"index": index})


def make_masks(batch: Batch) -> Iterator[MadeChip]:
    """The masks of one shard; each is the same whatever others are made with it."""
    settings = batch.settings
    if not isinstance(settings, MaskMixSettings):
        raise TypeError("a batch of another corpus")
    made: dict[str, Iterator[MadeChip]] = {}
    for split in {chip.split for chip in batch.chips}:
        indices = [int(chip.payload["index"]) for chip in batch.chips if chip.split == split]
        made[split] = _of_pool(batch.shared[split], indices, settings)
    for chip in batch.chips:
        yield next(made[chip.split])


def _of_pool(pool: SeedPool, indices: list[int], settings: MaskMixSettings) -> Iterator[MadeChip]:
    mixed = MaskMix(settings.mix).batch(pool.load(), indices, seed=settings.seed, size=settings.size)
    for i in range(len(indices)):
        if not mixed.reached[i]:
            yield MadeChip(rejected=f"no area within the bounds in {settings.mix.tries:,} tries")
            continue
        name = pool.names[int(mixed.seeds[i])]
        values: dict[str, float | int | str | bool] = {
            "area_ratio": float(mixed.area_ratio[i]),
            "seed_id": name,
            "attempts": int(mixed.attempts[i]),
        }
        stats = {"sources": {"seed": [name]}, "lineage": "made from a seed mask by MaskMix (Eq. 7)"}
        yield MadeChip(arrays={"mask": mixed.masks[i]}, values=values, stats=stats)


# -- report ---------------------------------------------------------------------------------------


def _subtitle(settings: MaskMixSettings, seeds: SeedInput) -> str:
    area = settings.mix.area
    bounds = "any area" if area is None else f"{100 * area[0]:g} to {100 * area[1]:g} % masked"
    return f"{settings.n:,} masks of {settings.size} × {settings.size} pixels from {seeds.used:,} seeds, {bounds}"


def _finish(desk: Desk, settings: MaskMixSettings) -> tuple[Table, ...]:
    """PNGs where they are wanted, and how the drawing went."""
    if settings.png:
        write_png_masks(desk)
    digests, seeds, attempts = set(), set(), 0
    with JournalView.open(desk.folder) as journal:
        for chip in journal.chips("committed"):
            digests.add(chip.digest)
            attempts += int(chip.stats["values"]["attempts"])
            seeds.add(chip.stats["values"]["seed_id"])
        counts = journal.counts()
    attempts += counts.rejected * settings.mix.tries
    rate = counts.committed / attempts
    rows = (
        ("acceptance rate", f"{rate:.1%}"),
        ("tries", f"{attempts:,}"),
        ("distinct masks", f"{len(digests):,} of {counts.committed:,}"),
        ("seeds that were used", f"{len(seeds):,}"),
    )
    note = "a try is kept where its area is within the bounds and it is not the seed unchanged"
    return (Table(title="Drawing", header=("what", "figure"), rows=rows, note=note),)
