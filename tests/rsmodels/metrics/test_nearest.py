from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from rsmodels.data.batch import ChipBatch
from rsmodels.data.loader import sweep
from rsmodels.data.normalise import Normaliser
from rsmodels.data.source import ChipSource, field
from rsmodels.errors import ModelError
from rsmodels.metrics.nearest import BLOCKS, NEXT, RECITED, Gallery, compared, recited, thumbnails


@pytest.fixture(scope="module")
def source(tiny_dataset: Path) -> ChipSource:
    return ChipSource.open(tiny_dataset)


@pytest.fixture(scope="module")
def normaliser(source: ChipSource) -> Normaliser:
    return Normaliser.fit([source], [field(source, "image")])


@pytest.fixture(scope="module")
def gallery(source: ChipSource, normaliser: Normaliser) -> Gallery:
    return Gallery.of(source, source.of_split("train"), normaliser.field("image"), normaliser, batch=4)


def chips(source: ChipSource, normaliser: Normaliser, split: str = "train") -> ChipBatch:
    (batch,) = sweep(source, split, normaliser.fields, normaliser, batch=100)
    return batch


def unit(batch: ChipBatch, normaliser: Normaliser) -> Tensor:
    return normaliser.unit("image", batch.values["image"])


def test_a_copy_is_found_though_it_was_noised(source: ChipSource, normaliser: Normaliser, gallery: Gallery) -> None:
    """Pitfall 50."""
    batch = chips(source, normaliser)
    images, valid = unit(batch, normaliser), batch.valid["image"]
    distances, ids, _ = gallery.nearest(images, valid)
    assert ids == list(gallery.ids)
    assert distances.tolist() == [0.0] * len(gallery)
    noise = 0.02 * torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    distances, ids, ratios = gallery.nearest(images + noise, valid)
    assert ids == list(gallery.ids)
    assert 0 < distances.max() < 0.02
    assert recited(ratios.tolist()) == 1.0


def test_an_image_that_is_equally_near_to_many_recites_none(
    source: ChipSource, normaliser: Normaliser, gallery: Gallery
) -> None:
    """A blur of all chips is nearer to each than they are to one another, and yet no copy."""
    mean = unit(chips(source, normaliser), normaliser).mean(dim=0, keepdim=True)
    found = gallery.nearest(mean)
    assert found.ratios[0] > RECITED
    assert recited(found.ratios.tolist()) == 0.0


def test_the_ratio_is_to_the_chip_of_the_fifth_rank(
    source: ChipSource, normaliser: Normaliser, gallery: Gallery
) -> None:
    batch = chips(source, normaliser, "test")
    images, valid = unit(batch, normaliser)[:1], batch.valid["image"][:1]
    ranked = []
    left = gallery
    for _ in range(NEXT):
        near = left.nearest(images, valid)
        ranked.append(float(near.distances[0]))
        keep = [number for number, name in enumerate(left.ids) if name != near.ids[0]]
        names = tuple(left.ids[number] for number in keep)
        left = replace(left, ids=names, slots=left.slots[keep], thumbs=left.thumbs[keep], known=left.known[keep])
    assert gallery.nearest(images, valid).ratios[0] == pytest.approx(ranked[0] / ranked[-1], rel=1e-6)
    few = replace(left, ids=left.ids[:2], slots=left.slots[:2], thumbs=left.thumbs[:2], known=left.known[:2])
    assert np.isnan(few.nearest(images, valid).ratios[0])


def test_distances_are_those_of_the_definition(source: ChipSource, normaliser: Normaliser, gallery: Gallery) -> None:
    images = unit(chips(source, normaliser, "test"), normaliser)
    distances, ids, _ = gallery.nearest(images)  # all pixels count on this side, valid ones on the other
    small = images.unfold(2, 2, 2).unfold(3, 2, 2).mean(dim=(4, 5)).double().numpy()
    for row, distance, name in zip(small, distances, ids, strict=True):
        known = gallery.known.numpy()[:, None]
        apart = ((gallery.thumbs.double().numpy() - row) ** 2 * known).sum(axis=(1, 2, 3))
        wanted = np.sqrt(apart / (4 * known.sum(axis=(1, 2, 3))))
        assert distance == pytest.approx(wanted.min(), rel=1e-6)
        assert name == gallery.ids[int(wanted.argmin())]


def test_ones_own_chip_can_be_left_out(source: ChipSource, normaliser: Normaliser, gallery: Gallery) -> None:
    batch = chips(source, normaliser)
    distances, ids, _ = gallery.nearest(
        unit(batch, normaliser), batch.valid["image"], without=[key.slot for key in batch.chips]
    )
    assert all(one != other for one, other in zip(ids, gallery.ids, strict=True))
    assert distances.min() > 0


def test_pixels_without_data_do_not_count() -> None:
    images = torch.rand(1, 2, 32, 32, generator=torch.Generator().manual_seed(0))
    valid = torch.ones(1, 1, 32, 32, dtype=torch.bool)
    valid[..., :3, :] = False
    spoilt = torch.where(valid, images, torch.nan)
    thumbs, known = thumbnails(spoilt, valid)
    assert known[0, 0].sum() == 0
    assert known[0, 1:].all()
    torch.testing.assert_close(thumbs[0, :, 1, 0], images[0, :, 3, :2].mean(dim=1))
    torch.testing.assert_close(thumbs[0, :, 2:], thumbnails(images)[0][0, :, 2:])
    assert thumbnails(images[..., :10, :12])[0].shape == (1, 2, 10, 10)


def test_images_without_enough_in_common_are_not_compared(gallery: Gallery) -> None:
    valid = torch.zeros(2, 1, 32, 32, dtype=torch.bool)
    valid[1] = True
    distances, ids, _ = gallery.nearest(torch.full((2, 4, 32, 32), 0.5), valid)
    assert np.isinf(distances[0])
    assert ids[0] == ""
    assert np.isfinite(distances[1])


def test_memory_is_bounded_and_it_says_so(source: ChipSource, normaliser: Normaliser) -> None:
    train = source.of_split("train")
    each = 4 * 5 * BLOCKS**2
    few = Gallery.of(source, train, normaliser.field("image"), normaliser, memory=5 * each)
    assert (len(few), few.of_chips) == (5, len(train))
    assert few.slots[0] == train[0]
    assert few.slots[-1] == train[-1]
    with pytest.raises(ModelError, match="no-chips"):
        Gallery.of(source, [], normaliser.field("image"), normaliser)


def test_comparison_with_real_chips() -> None:
    real = np.linspace(1.0, 2.0, 101)
    found = compared(np.array([0.5, 1.5, 3.0, np.inf]), real)
    assert found["closer"] == pytest.approx(1 / 3)
    assert found["real"] == pytest.approx({"images": 101, "median": 1.5, "lowest": 1.01})
    assert found["made"]["median"] == 1.5
    assert np.isnan(compared(np.array([]), real)["closer"])
