"""Shapes compared apart from place, size and direction; a planted collection gives one of each kind."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from rsprep.masks.descriptors import describe
from rsprep.masks.diverse import ShapeSpace, diverse_subset, find_duplicates, signature, signatures, similarity


def blob(number: int, side: int = 256, ragged: float = 0.35) -> NDArray[np.uint8]:
    """A cloud-like blob in the middle: the largest part of a noisy hill."""
    rng = np.random.default_rng(number)
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    noise = sum(ndimage.gaussian_filter(rng.normal(size=(side, side)), scale) * scale for scale in (6, 12, 24))
    hill = 0.8 - np.hypot(x, y) / (0.3 * side) + ragged * np.asarray(noise)
    labels, _ = ndimage.label(hill > 0)
    areas = np.bincount(labels.ravel())
    areas[0] = 0
    return np.asarray(labels == areas.argmax(), np.uint8)


def moved(mask: NDArray[np.uint8], *, angle: float, zoom: float, mirror: bool, shift: int = 0) -> NDArray[np.uint8]:
    wide = np.pad(mask, mask.shape[0])
    turn = np.radians(angle)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) / zoom
    if mirror:
        matrix = matrix @ np.diag([1, -1])
    middle = (np.array(wide.shape) - 1) / 2
    out = ndimage.affine_transform(wide, matrix, middle - matrix @ (middle + shift), order=0)
    return np.asarray(out, np.uint8)


BLOBS = [blob(number) for number in range(24)]


def test_a_shape_is_like_itself_moved_turned_mirrored_and_resized() -> None:
    rng = np.random.default_rng(0)
    for mask in BLOBS:
        copy = moved(
            mask, angle=rng.uniform(0, 360), zoom=rng.uniform(0.6, 1.3), mirror=rng.random() < 0.5, shift=17
        )  # fmt: skip
        assert similarity(signature(mask), signature(copy)) > 0.9
        assert similarity(signature(mask), signature(mask)) == 1


def test_other_shapes_are_less_alike() -> None:
    shapes = signatures(BLOBS)
    alike = [similarity(shapes[i], shapes[j]) for i in range(len(shapes)) for j in range(i)]
    assert max(alike) < 0.9
    assert similarity(shapes[0], shapes[1]) == similarity(shapes[1], shapes[0])


def test_turns_of_half_a_step_are_exact() -> None:
    """Quarter turns and mirror images land on whole steps of the angles, whatever the shape."""
    for mask in BLOBS[:6]:
        for copy in (np.rot90(mask), mask[::-1], np.rot90(mask, 2)[:, ::-1]):
            assert similarity(signature(mask), signature(np.ascontiguousarray(copy))) > 0.98


def test_planted_copies_are_found_and_nothing_else() -> None:
    copies = [moved(BLOBS[k], angle=37 * k, zoom=0.8, mirror=k % 2 == 0) for k in (2, 5, 11)]
    shapes = signatures([*BLOBS, *copies])
    found = find_duplicates(shapes, 0.9)
    assert found[: len(BLOBS)].tolist() == [-1] * len(BLOBS)
    assert found[len(BLOBS) :].tolist() == [2, 5, 11]
    assert (find_duplicates(shapes, 1.01) == -1).all()


def test_the_bound_never_hides_a_duplicate() -> None:
    """Ring sums are compared first; the answer is that of comparing every pair."""
    shapes = signatures([*BLOBS[:12], *(moved(mask, angle=50, zoom=1, mirror=False) for mask in BLOBS[:4])])
    for threshold in (0.6, 0.75, 0.9):
        wanted: list[int] = []
        for shape in range(len(shapes)):
            same = (k for k in range(shape) if wanted[k] < 0 and similarity(shapes[shape], shapes[k]) >= threshold)
            wanted.append(next(same, -1))
        assert find_duplicates(shapes, threshold).tolist() == wanted


# -- the diverse subset ----------------------------------------------------------------------------


def features(masks: list[NDArray[np.uint8]]) -> NDArray[np.float64]:
    found = [describe(mask) for mask in masks]
    return np.array([[one.area_ratio, one.compactness, one.eccentricity, one.solidity] for one in found])


def test_planted_kinds_give_one_of_each() -> None:
    rng = np.random.default_rng(3)
    side = 128
    y, x = np.mgrid[:side, :side] - 63.5
    kinds: list[NDArray[np.bool_]] = [
        np.hypot(x, y) < 40,
        (abs(x) < 55) & (abs(y) < 8),
        (np.hypot(x, y) < 45) & (np.hypot(x, y) > 30),
        ((abs(x) < 12) & (abs(y) < 50)) | ((abs(y) < 12) & (abs(x) < 50)),
        np.hypot(x, y) < 18,
    ]
    masks, labels = [], []
    for kind, base in enumerate(kinds):
        for _ in range(12):
            rough = moved(base.astype(np.uint8), angle=rng.uniform(0, 360), zoom=rng.uniform(0.95, 1.05), mirror=False)
            masks.append(rough[side : 2 * side, side : 2 * side])
            labels.append(kind)
    chosen = diverse_subset(signatures(masks), features(masks), len(kinds))
    assert sorted(labels[k] for k in chosen) == list(range(len(kinds)))


def test_beats_random_subsets() -> None:
    masks = [blob(number, side=96) for number in range(100, 180)]
    shapes, numbers = signatures(masks), features(masks)
    space = ShapeSpace(shapes, numbers)
    far = np.stack([space.to(k) for k in range(len(masks))])
    assert np.allclose(far, far.T)
    assert (np.diag(far) == 0).all()

    shortened = far[3].copy()
    for k in (5, 9, 40):
        space.shorten(shortened, k)
    assert np.allclose(shortened, far[[3, 5, 9, 40]].min(axis=0))

    def least(subset: NDArray[np.int64]) -> float:
        pairs = far[np.ix_(subset, subset)]
        return float(pairs[~np.eye(len(subset), dtype=bool)].min())

    chosen = diverse_subset(shapes, numbers, 12)
    rng = np.random.default_rng(0)
    assert least(chosen) > max(least(rng.choice(len(masks), 12, replace=False)) for _ in range(200))


def test_the_choice_for_fewer_comes_first_and_repeats() -> None:
    shapes, numbers = signatures(BLOBS), features(BLOBS)
    chosen = diverse_subset(shapes, numbers, 10)
    assert len(set(chosen.tolist())) == 10
    assert diverse_subset(shapes, numbers, 4).tolist() == chosen[:4].tolist()
    assert sorted(diverse_subset(shapes, numbers, 99).tolist()) == list(range(len(BLOBS)))
    assert diverse_subset(shapes, numbers, 0).tolist() == []
    assert diverse_subset(shapes[:0], numbers[:0], 5).tolist() == []
    assert diverse_subset(shapes[:1], numbers[:1], 5).tolist() == [0]


def test_alike_shapes_are_chosen_once_each() -> None:
    shapes, numbers = np.repeat(signatures(BLOBS[:2]), 3, axis=0), np.zeros((6, 2))
    assert sorted(diverse_subset(shapes, numbers, 6).tolist()) == list(range(6))


def test_an_empty_mask_has_no_signature() -> None:
    with pytest.raises(ValueError, match="no shape"):
        signature(np.zeros((4, 4)))
