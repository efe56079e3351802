"""Where the images of a blind test come from: folders of pictures, or models and a data set."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from rsmodels.blind.settings import BlindSettings
from rsmodels.data.batch import ChipBatch
from rsmodels.data.loader import sweep
from rsmodels.data.source import ChipSource
from rsmodels.downstream.settings import refuse_same
from rsmodels.errors import ModelError
from rsmodels.evaluation.lineage import seen_before
from rsmodels.evaluation.settings import EvaluateSettings
from rsmodels.report.pictures import paint
from rsmodels.training.load import Trained, load
from rsprep.report.data import Rgb
from rsprep.settings import make_settings

IMAGE, BATCH = "image", 8
ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")
MODES = ("L", "RGB", "RGBA", "P")
"""What Pillow calls pictures of 8 bits."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Supply:
    """Images that there are, by name; they are made or read when they are asked for."""

    names: Sequence[str]
    read: Callable[[Sequence[str]], list[Rgb]]
    origin: Mapping[str, Any] = field(default_factory=dict)
    """Told in the key: what made them."""


def supplies(settings: BlindSettings) -> tuple[Supply, dict[str, Supply], list[str]]:
    """Real images, those of each system by its name, and warnings.

    Raises
    ------
    ModelError : ``no-pictures``, ``not-a-picture``, ``same-name``, ``makes-no-images``, ``saw-held-out``,
        ``no-checkpoint``, ``no-such-field``.
    StoreError : the data set cannot be read.
    """
    if settings.folders:
        first, *others = settings.folders
        named = [_named(one) for one in others]
        refuse_same([name for name, _ in named])
        return _folder(Path(first)), {name: _folder(Path(path)) for name, path in named}, []
    return _of_models(settings)


def _named(text: str) -> tuple[str, str]:
    """``NAME=PATH``, or a path, named by its last part."""
    name, equals, path = text.partition("=")
    if equals and name and not Path(text).exists():
        return name, path
    return Path(text).absolute().name, text


def _folder(folder: Path) -> Supply:
    """The pictures of a folder and of those below it."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS) if folder.is_dir() else []
    if not files:
        raise ModelError(
            "no-pictures",
            "there is no picture in this folder",
            value=str(folder),
            remedy=f"give a folder with pictures that end in {', '.join(ENDINGS)}",
        )
    of = {str(path.relative_to(folder).with_suffix("")): path for path in files}
    return Supply(
        names=tuple(of), read=lambda names: [_picture(of[name]) for name in names], origin={"folder": folder.name}
    )


def _picture(path: Path) -> Rgb:
    try:
        with Image.open(path) as image:
            if image.mode in MODES:
                return np.asarray(image.convert("RGB"), dtype=np.uint8)
            told = f"{path}: mode {image.mode}"
    except (UnidentifiedImageError, OSError) as error:
        told = f"{path}: {error}"
    raise ModelError(
        "not-a-picture",
        "a file cannot be read as a picture of 8 bits, grey or in colours",
        value=told,
        remedy="convert it to PNG, or name the models and the data set instead",
    )


def _of_models(settings: BlindSettings) -> tuple[Supply, dict[str, Supply], list[str]]:
    source = ChipSource.open(str(settings.data))
    named = [_named(one) for one in settings.checkpoint]
    refuse_same([name for name, _ in named])
    models = {name: load(path, device=settings.device) for name, path in named}
    warnings = []
    for name, path in named:
        how = {"checkpoint": path, "data": settings.data, "split": settings.split, "allow_seen": settings.allow_seen}
        warnings += seen_before(models[name], source, make_settings(EvaluateSettings, how), who=name)
        if models[name].kind not in ("colorization", "generator"):
            raise ModelError(
                "makes-no-images",
                "only colorizers and generators make images of chips alone",
                value=f"{path}: {models[name].settings.model}",
                remedy="leave it out, or give folders of its images and of the real ones",
            )
    wanted = set(source.of_split(settings.split).tolist())
    slots = {
        str(name): int(slot)
        for slot, name in zip(source.chips.slot.tolist(), source.chips.chip_id.tolist(), strict=True)
        if slot in wanted
    }
    first = next(iter(models.values()))
    origin = {"data": source.name, "identity": source.identity, "split": settings.split}
    real = Supply(names=tuple(slots), read=_reader(first, source, slots, real=True), origin=origin)
    made = {
        name: Supply(
            names=tuple(slots),
            read=_reader(trained, source, slots, real=False),
            origin={"model": trained.settings.model, "checkpoint": trained.manifest_hash},
        )
        for name, trained in models.items()
    }
    return real, made, warnings


def _reader(
    trained: Trained, source: ChipSource, slots: Mapping[str, int], *, real: bool
) -> Callable[[Sequence[str]], list[Rgb]]:
    """Pictures of chips: as they are, or as a model makes them; both by the same stretch, hatched where no data is."""
    image = trained.normaliser.field(IMAGE)
    make = trained.colorize if trained.kind == "colorization" else trained.generate

    def shown(batch: ChipBatch) -> list[Rgb]:
        values = batch.values[IMAGE] if real else make(batch)
        return paint(image, values, trained.normaliser, valid=batch.valid[IMAGE])

    def read(names: Sequence[str]) -> list[Rgb]:
        chosen = [slots[name] for name in names]
        found: list[Rgb] = []
        how: dict[str, Any] = {"batch": BATCH, "threads": 0}
        with closing(sweep(source, chosen, trained.fields, trained.normaliser, **how)) as batches:
            for batch in batches:
                assert [key.slot for key in batch.chips] == chosen[len(found) : len(found) + len(batch)]  # noqa: S101
                found += shown(batch)
        return found

    return read
