"""Masks and images that are mixed while training: by position alone, and each leaves the other as it is."""

from __future__ import annotations

import numpy as np
import pytest

from rsmodels.data.augment import Augment, AugMix
from rsmodels.data.loader import Loader, sweep
from rsmodels.data.mixing import mixed_image, mixed_mask
from rsmodels.data.normalise import Normaliser
from rsmodels.data.order import Stream
from rsmodels.data.source import ChipSource, field
from rsmodels.errors import ModelError
from rsprep.masks.maskmix import MaskMix, MixSettings
from tests.rsmodels.pairs import Pairs

MIX = MixSettings()


def seed_mask() -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    y, x = np.mgrid[:48, :48]
    return (((y - 20) ** 2 + (x - 26) ** 2) < 150).astype(np.uint8)


def test_a_mask_is_its_seeds_and_positions_alone() -> None:
    mixer, mask = MaskMix(MIX), seed_mask()
    many = [mixed_mask(mixer, mask, 3, position) for position in range(40)]
    assert all(np.array_equal(one, mixed_mask(mixer, mask, 3, at)) for at, one in enumerate(many))
    assert len({one.tobytes() for one in many}) == len(many)
    assert not np.array_equal(many[0], mixed_mask(mixer, mask, 4, 0))
    assert all(0.15 <= one.mean() <= 0.60 and set(np.unique(one)) <= {0, 1} for one in many)
    assert not mixed_mask(mixer, np.zeros_like(mask), 3, 0).any()


def test_augmix_mixes_moved_copies() -> None:
    rng = np.random.default_rng(0)
    image = rng.uniform(-1, 1, (3, 48, 48)).astype(np.float32)
    many = [mixed_image(AugMix(), image, 3, position) for position in range(20)]
    assert all(np.array_equal(one, mixed_image(AugMix(), image, 3, at)) for at, one in enumerate(many))
    assert all(one.shape == image.shape and np.abs(one).max() <= 1 + 1e-6 for one in many)
    flat = np.full_like(image, 0.25)  # a convex mixture of what is the same everywhere
    np.testing.assert_allclose(mixed_image(AugMix(), flat, 3, 0), flat, atol=1e-6)
    still = AugMix(rotate=0, shift=0, shear=0)
    np.testing.assert_allclose(mixed_image(still, image, 3, 0), image, atol=1e-6)


@pytest.mark.parametrize("threads", [0, 3])
def test_training_mixes_masks_and_testing_does_not(pairs: Pairs, threads: int) -> None:
    source = ChipSource.open(pairs.folder)
    fields = (field(source, "image", "clean"), field(source, "mask", "mask"))
    normaliser = Normaliser.fit([source], fields)
    stream = Stream.of([source], (1,), 0)

    def first(augment: Augment) -> Loader:
        return Loader(stream, [source], fields, normaliser, batch=8, seed=5, augment=augment, threads=threads)

    bare, mixed, moved = (
        next(first(how).batches())
        for how in (Augment(turn=False), Augment(turn=False, maskmix=MIX), Augment(turn=False, augmix=AugMix()))
    )
    assert mixed.chips == bare.chips == moved.chips
    assert np.array_equal(mixed.values["image"], bare.values["image"])
    assert np.array_equal(moved.values["mask"], bare.values["mask"])
    assert not np.array_equal(moved.values["image"], bare.values["image"])
    changed = (mixed.values["mask"] != bare.values["mask"]).flatten(1).any(1)
    assert int(changed.sum()) == len(bare)
    again = first(Augment(turn=False, maskmix=MIX)).make(0)
    assert np.array_equal(again.values["mask"], mixed.values["mask"])
    slots = [key.slot for key in bare.chips]
    as_stored = next(iter(sweep(source, slots, fields, normaliser, batch=8)))
    assert np.array_equal(as_stored.values["mask"], bare.values["mask"])


def test_mixing_needs_masks(pairs: Pairs) -> None:
    source = ChipSource.open(pairs.folder)
    fields = (field(source, "image", "clean"),)
    stream = Stream.of([source], (1,), 0)
    for how in (Augment(turn=False, maskmix=MIX), Augment(turn=False, augmix=AugMix())):
        with pytest.raises(ModelError, match="no-masks"):
            Loader(stream, [source], fields, Normaliser.fit([source], fields), batch=4, augment=how)
