"""Pictures of what a stochastic generator draws: several images of a mask, and one class of it drawn anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rsmodels.data.batch import ChipBatch
from rsmodels.data.fields import Field
from rsmodels.evaluation.diversity import Draws, generated
from rsmodels.evaluation.judges import IMAGE, Colours
from rsmodels.report.pictures import error_map, paint
from rsmodels.training.load import Trained
from rsprep.report import colours as palette
from rsprep.report.data import Rgb

SHOWN = 4
"""Images of one mask side by side."""
MARK = "#d7263d"
"""Outline of the class that is drawn anew."""
PALE = 0.75
"""How far the other classes fade where one is marked."""
LARGE = 0.6
"""A class that covers more of a mask is not the one that is drawn anew, where there is another."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Sheets:
    """Rows of pictures of some masks."""

    samples: list[list[Rgb]]
    """Mask, real image, images with other noise (CSEBGAN, Fig. 6)."""
    anew: list[tuple[int, str, list[Rgb]]]
    """Number of the mask, class that is drawn anew, and: mask with it marked, two images, their difference (Fig. 7)."""


def sample_columns(condition: Field, count: int) -> tuple[str, ...]:
    """Names of the pictures of a row of samples."""
    return (condition.name, "real", *(f"image {number}" for number in range(1, count + 1)))


ANEW_COLUMNS = ("drawn anew", "image 1", "image 2", "difference")


def sheets(
    trained: Trained, chips: Sequence[ChipBatch], condition: Field, colours: Colours, draws: Draws, batch: int
) -> Sheets:
    """Pictures of chips, each alone in its batch, with the noise of the first samples that are measured."""
    found = Sheets(samples=[], anew=[])
    form = trained.noise
    assert form is not None  # nothing to draw otherwise  # noqa: S101
    image = trained.normaliser.field(IMAGE)
    for row, chip in enumerate(chips):
        noise = form.seeded(draws.noise_seeds(chip.chips[0].slot)[:SHOWN])
        mask = chip.values[condition.name]
        made = generated(trained, chip, noise, batch)
        (label,) = paint(condition, mask, trained.normaliser, colours=colours)
        (real,) = paint(image, chip.values[IMAGE], trained.normaliser, valid=chip.valid[IMAGE])
        found.samples.append([label, real, *paint(image, made, trained.normaliser)])
        index = target(mask[0], len(condition.classes))
        if index is None or len(noise) < 2:
            continue
        other = form.redrawn(noise[:1], noise[1:2], [index])
        pair = torch.cat([made[:1], generated(trained, chip, other, batch)])
        unit = trained.normaliser.unit(IMAGE, pair)
        pictures = paint(image, pair, trained.normaliser)
        region = (mask[0] == index).cpu().numpy()
        difference = error_map(unit[1], unit[0], torch.ones_like(unit[0][:1], dtype=torch.bool))
        marked = [_outlined(one, region) for one in (_faded(label, region), *pictures, difference)]
        found.anew.append((row, condition.classes[index].replace("_", " "), marked))
    return found


def target(mask: Tensor, classes: int) -> int | None:
    """The class to draw anew; None where no class is known.

    The largest that covers at most `LARGE` of the mask (y, x), else the largest.
    """
    present, pixels = torch.unique(mask[mask < classes], return_counts=True)
    if not len(present):
        return None
    fitting = pixels <= LARGE * mask.numel()
    order = torch.where(fitting, pixels, -pixels) if bool(fitting.any()) else pixels
    return int(present[order.argmax()])


def _faded(image: Rgb, region: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Rgb:
    pale = image + (255.0 - image) * PALE
    return np.where(region[..., None], image, pale).astype(np.uint8)


def _outlined(image: Rgb, region: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Rgb:
    """The pixels just outside `region`, coloured: what is within stays to be seen."""
    padded = np.pad(region, 1)
    around = padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]
    edge = around & ~region
    return np.where(edge[..., None], np.array(palette.rgb(MARK), np.uint8), image).astype(np.uint8)
