"""A data set of small pictures, each of one scene: stripes of a direction and a colour that go with its label."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsprep.config import Engine
from rsprep.corpus.plan import Batch, CorpusChip, CorpusPlan, MadeChip
from rsprep.corpus.run import run_corpus
from rsprep.corpus.settings import CorpusSettings
from rsprep.settings import make_settings
from rsprep.store.schema import Column, Schema, Variable

LABELS = ("aGrass", "bField", "cLake")
SPLITS = ("train", "train", "train", "val", "test")


class SceneSettings(CorpusSettings):
    """Settings of such a data set."""

    seed: int = 0
    side: int = 32
    labels: tuple[str, ...] = LABELS
    """An empty one for chips without a label."""


def picture(number: int, settings: SceneSettings) -> NDArray[np.uint8]:
    """(3, y, x)"""
    kind = number % len(settings.labels)
    rng = np.random.default_rng((settings.seed, number))
    y, x = np.mgrid[: settings.side, : settings.side]
    waves = np.sin((x + y if kind == 1 else x * (1 + kind)) * 0.9 + rng.uniform(0, 6))
    bands = 120 + 50 * waves * np.eye(3)[kind % 3][:, None, None] + rng.normal(0, 8, (3, settings.side, settings.side))
    return np.clip(bands, 0, 255).astype(np.uint8)


def _make(batch: Batch) -> Iterable[MadeChip]:
    settings = batch.settings
    assert isinstance(settings, SceneSettings)
    for chip in batch.chips:
        number = chip.payload["number"]
        clean = picture(number, settings)
        mask = np.zeros((settings.side, settings.side), np.uint8)
        mask[4 : settings.side // 2, 4 : settings.side // 2] = 1
        arrays = {"occluded": np.where(mask, np.uint8(255), clean), "mask": mask, "clean": clean}
        yield MadeChip(arrays=arrays, values={"label": settings.labels[number % len(settings.labels)]})


def build_scenes(out: Path, *, chips: int = 30, **changes: Any) -> Path:
    """Make such a data set in `out`, laid out as an occlusion corpus is; returns its folder."""
    values = {"out": str(out), "catalog": str(out.parent / "catalog"), "engine": Engine(workers=1), **changes}
    settings = make_settings(SceneSettings, values)
    rgb = {"bands": ("red", "green", "blue"), "band_dim": "band", "dtype": "uint8", "fill": 0.0}
    flags = {"flag_values": [0, 1], "flag_meanings": "clear occluded", "flag_colors": "#1b2a41 #ffffff"}
    schema = Schema(
        variables=(
            Variable(name="occluded", **rgb),
            Variable(name="mask", bands=None, band_dim=None, dtype="uint8", fill=0, attrs=flags),
            Variable(name="clean", **rgb),
        ),
        chip_px=settings.side,
        resolution=1.0,
        slots_per_shard=8,
        columns=(Column(name="label", kind="string", meaning="folder of the picture"),),
    )

    def planned() -> Iterator[CorpusChip]:
        for number in range(chips):
            split = SPLITS[number // len(settings.labels) % len(SPLITS)]
            yield CorpusChip(chip_id=f"scene-{number:03d}", split=split, payload={"number": number}, place=None)

    plan = CorpusPlan(
        kind="scenes",
        title="Scenes",
        settings=settings,
        inputs={"seed": str(settings.seed)},
        schema=schema,
        chips=planned(),
        make=_make,
    )
    return run_corpus(plan).dataset
