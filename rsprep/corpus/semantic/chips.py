"""The chips of a semantic corpus, made on a worker: image and mask, cut from the files of their scene."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsprep.corpus.files import bands_of, read_strips
from rsprep.corpus.pictures import PictureInfo, picture_size
from rsprep.corpus.plan import Batch, CorpusChip, MadeChip
from rsprep.corpus.semantic.classes import Coding
from rsprep.corpus.semantic.settings import SemanticSettings
from rsprep.corpus.semantic.survey import code_strips
from rsprep.errors import InputError
from rsprep.masks.scenes import recode
from rsprep.store.schema import Schema


def make_semantic(batch: Batch) -> Iterator[MadeChip]:
    """Chips of a batch; neighbours in a row of one scene are read together."""
    for _, group in itertools.groupby(batch.chips, key=lambda chip: str(chip.payload["scene"])):
        yield from _make_scene(tuple(group), batch)


def _make_scene(chips: tuple[CorpusChip, ...], batch: Batch) -> Iterator[MadeChip]:
    """Chips of one scene, in row order; each of its files is read once."""
    settings, coding = batch.settings, batch.shared
    if not isinstance(settings, SemanticSettings) or not isinstance(coding, Coding):
        raise TypeError("a batch of another corpus")
    size, payload = settings.size, chips[0].payload
    rows = [(row, tuple(group)) for row, group in itertools.groupby(chips, key=lambda chip: int(chip.payload["row"]))]
    done = 0
    try:
        image = picture_size(settings.image_folder / str(payload["image"]))
        mask = picture_size(settings.mask_folder / str(payload["mask"]))
        if not _as_planned(image, mask, chips, batch.schema):
            raise _changed(chips[0])
        strips = [slice(row * size, min((row + 1) * size, image.height)) for row, _ in rows]
        pictures = read_strips(image, strips)
        codes = code_strips(mask, strips, coding, settings.mask_palette)
        for (_, group), picture, (strip, beyond, strange) in zip(rows, pictures, codes, strict=True):
            if beyond or strange:
                raise _changed(chips[0])
            stored = recode(strip, coding.table)
            for chip in group:
                made = _cut(chip, picture, stored, batch.schema, coding)
                done += 1
                yield made
    except InputError as error:
        reason = " ".join(str(error).split("\n")[0].split())
        yield from itertools.repeat(MadeChip(quarantined=f"{payload['scene']}: {reason}"), len(chips) - done)


def _as_planned(image: PictureInfo, mask: PictureInfo, chips: tuple[CorpusChip, ...], schema: Schema) -> bool:
    """Whether the files can be those that the plan has seen: of one size, with the store's bands, under all chips."""
    size, variable = schema.chip_px, schema["image"]
    below = max(int(chip.payload["row"]) for chip in chips) * size
    right = max(int(chip.payload["column"]) for chip in chips) * size
    return (
        (image.height, image.width) == (mask.height, mask.width)
        and (bands_of(image), image.dtype) == (len(variable.bands or ()), variable.dtype)
        and below < image.height
        and right < image.width
    )


def _changed(chip: CorpusChip) -> InputError:
    return InputError(
        "scene-changed",
        "the image or the mask is not the one that was planned with",
        value=str(chip.payload["scene"]),
        remedy="put the files back that were there, or start again with another OUT",
    )


def _cut(chip: CorpusChip, picture: NDArray[Any], codes: NDArray[np.uint8], schema: Schema, coding: Coding) -> MadeChip:
    """One chip of a strip of rows; beyond the scene the mask is unknown and the image its fill."""
    size, column = schema.chip_px, int(chip.payload["column"])
    here = slice(column * size, (column + 1) * size)
    image, mask = schema["image"].blank(1, size)[0], schema["mask"].blank(1, size)[0]
    part = picture[:, :, here]
    image[:, : part.shape[1], : part.shape[2]] = part
    mask[: part.shape[1], : part.shape[2]] = codes[:, here]
    counts = np.bincount(mask.ravel(), minlength=256)[list(coding.codes)]
    unknown = float(counts[-1] / mask.size)
    largest = int(counts[:-1].argmax())
    values: dict[str, float | int | str | bool] = {
        "scene": str(chip.payload["scene"]),
        "row": int(chip.payload["row"]),
        "col": column,
        "unknown_fraction": unknown,
        "dominant_class": coding.names[largest] if counts[largest] else "",
        "dominant_share": float(counts[largest] / mask.size),
    }
    stats = {"class_counts": coding.counted(counts), "valid_fraction": 1.0 - unknown}
    return MadeChip(arrays={"image": image, "mask": mask}, values=values, stats=stats)
