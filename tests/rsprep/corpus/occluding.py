"""Small images, masks and clouds to make occlusion pairs of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rsprep.corpus.plan import Batch, CorpusChip, CorpusPlan, MadeChip
from rsprep.corpus.run import run_corpus
from rsprep.corpus.settings import CorpusSettings
from rsprep.settings import make_settings
from rsprep.store.schema import Column, Schema, Variable

SIDE = 64


def save(path: Path, values: NDArray[np.uint8], **more: Any) -> Path:
    """Write (bands, y, x) or (y, x) as a picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.moveaxis(values, 0, 2) if values.ndim == 3 else values).save(path, **more)
    return path


def ground(seed: int, shape: tuple[int, ...] = (3, SIDE, SIDE)) -> NDArray[np.uint8]:
    """A picture with values from 60 to 150."""
    return np.random.default_rng(seed).integers(60, 151, shape, np.uint8)


def shape_of(seed: int, share: float, side: int = SIDE) -> NDArray[np.uint8]:
    """A round mask that covers about `share` of a square, with a notch of its own."""
    y, x = np.indices((side, side)) + 0.5
    radius = side * np.sqrt(share / np.pi)
    mask: NDArray[np.uint8] = np.asarray(np.hypot(y - side / 2, x - side / 2) < radius, np.uint8)
    row, column = divmod(seed % 100, 10)
    mask[side // 2 - 5 + row, side // 2 - 5 + column] = 0
    return mask


def write_images(root: Path, counts: Mapping[str, int]) -> Path:
    """Pictures in folders such as ``train/field``."""
    number = 0
    for folder, count in counts.items():
        for i in range(count):
            save(root / folder / f"{i:02d}.png", ground(number))
            number += 1
    return root


def write_masks(root: Path, count: int = 12, *, low: float = 0.2, high: float = 0.5, side: int = SIDE) -> Path:
    """Masks of as many sizes, 0 and 255."""
    for i, share in enumerate(np.linspace(low, high, count)):
        save(root / f"mask{i:02d}.png", shape_of(i, float(share), side) * np.uint8(255))
    return root


class MaskSettings(CorpusSettings):
    """Settings of a data set of masks."""


def _make(batch: Batch) -> Iterable[MadeChip]:
    for chip in batch.chips:
        mask = shape_of(chip.payload["number"], chip.payload["share"])
        yield MadeChip(arrays={"mask": mask}, values={"seed_id": chip.payload["seed"], "area_ratio": mask.mean()})


def write_mask_dataset(out: Path, splits: Iterable[str], *, seeds: int = 6) -> Path:
    """A data set of masks as `rsprep maskmix` writes one: one mask a split that is named, of a few seeds."""
    schema = Schema(
        variables=(Variable(name="mask", bands=None, band_dim=None, dtype="uint8", fill=0),),
        chip_px=SIDE,
        resolution=1.0,
        slots_per_shard=8,
        columns=(
            Column(name="seed_id", kind="string", meaning="seed"),
            Column(name="area_ratio", kind="float32", meaning="area"),
        ),
    )
    chips = [
        CorpusChip(
            chip_id=f"m{i:03d}",
            split=split,
            payload={"number": i, "share": 0.2 + 0.01 * (i % 30), "seed": f"s{i % seeds}"},
        )
        for i, split in enumerate(splits)
    ]
    settings = make_settings(MaskSettings, {"out": str(out), "catalog": str(out.parent / "catalog")})
    plan = CorpusPlan(kind="masks", title="Masks", settings=settings, inputs={}, schema=schema, chips=chips, make=_make)
    return run_corpus(plan).dataset
