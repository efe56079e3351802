"""MaskMix on real clouds: ten thousand masks at the paper's bounds."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import rasterio
from scipy import ndimage

from rsprep.masks.maskmix import MaskMix, Mixed, MixSettings, Seeds, prepare
from tests.support import real_data

COUNT, PART, SIZE = 10_000, 1_000, 256


@pytest.fixture(scope="module")
def seeds() -> Seeds:
    """Thick clouds of a real scene that fit into 256 pixels, 1,500 pixels and more, in the middle of their frames."""
    with rasterio.open(real_data("clouds") / "19GBQ-cloud-mask.tif") as file:
        thick = file.read(1, window=((0, 10980), (0, 6000))) == 1
    labels, _ = ndimage.label(thick, np.ones((3, 3)))
    frames = []
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        height, width = (side.stop - side.start for side in box)
        shape = labels[box] == number
        if max(height, width) <= SIZE and shape.sum() >= 1500:
            frame = np.zeros((SIZE, SIZE), np.uint8)
            top, left = (SIZE - height) // 2, (SIZE - width) // 2
            frame[top : top + height, left : left + width] = ndimage.binary_fill_holes(shape)
            frames.append(frame)
    assert len(frames) > 28
    return prepare(frames[:28])


def mean_iou(packed: np.ndarray, pairs: int = 20_000) -> float:
    """Mean over random pairs of different masks; `packed` is (mask, bytes of eight pixels)."""
    rng = np.random.default_rng(0)
    one, other = rng.integers(len(packed), size=(2, pairs))
    one, other = one[one != other], other[one != other]
    total = 0.0
    for start in range(0, len(one), 1000):
        a, b = packed[one[start : start + 1000]], packed[other[start : start + 1000]]
        both, either = (np.bitwise_count(bits).sum(1, dtype=np.int64) for bits in (a & b, a | b))
        total += float((both / either).sum())
    return total / len(one)


def many(settings: MixSettings, seeds: Seeds, count: int) -> tuple[list[Mixed], np.ndarray]:
    mixer = MaskMix(settings)
    parts = [mixer.batch(seeds, range(at, at + PART), seed=1, size=SIZE) for at in range(0, count, PART)]
    return parts, np.concatenate([np.packbits(part.masks.reshape(PART, -1), axis=1) for part in parts])


@pytest.mark.slow
def test_ten_thousand_masks(seeds: Seeds) -> None:
    parts, packed = many(MixSettings(), seeds, COUNT)
    for part in parts:
        assert part.reached.all()
        assert part.masks.max() == 1
        share = part.masks.mean((1, 2))
        assert share.min() >= 0.15
        assert share.max() <= 0.60
    assert len({hashlib.sha256(mask).digest() for mask in packed}) == COUNT
    acceptance = COUNT / sum(int(part.attempts.sum()) for part in parts)
    print(f"acceptance {acceptance:.3f}")
    assert acceptance > 0.5
    # The paper's test masks: rotated, shifted and resized, within the same ranges and bounds, but not mixed.
    for turn in (30, 180):
        mixed = packed if turn == 180 else many(MixSettings(turn=turn), seeds, COUNT)[1]
        plain = many(MixSettings(branches=0, turn=turn), seeds, COUNT)[1]
        ours, theirs = mean_iou(mixed), mean_iou(plain)
        print(f"turn {turn}: mean IoU of pairs {ours:.3f}, of rotating and shifting alone {theirs:.3f}")
        assert ours < theirs - 0.005
