"""Shapes that are the same but for place, size, direction and mirroring, and a few that differ as much as can be.

A shape's signature is its mask on a polar grid around its centre of mass, with lengths in units of
its own size. There a turn is a shift along the angles, so two shapes can be laid over each other in every
direction without resampling: a ring of 128 angles is two 64-bit words, the even angles and the odd ones,
and a turn rotates and swaps them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numba
import numpy as np
from numpy.typing import NDArray

ANGLES: Final = 128
RINGS: Final = 40
REACH: Final = 4.0
"""Radius of the outermost ring in radii of the disc with the shape's area; what lies beyond is not looked at."""
MEAN_PAIRS: Final = 4096
"""Pairs from which the mean distance in a collection is taken, at most."""


def signature(mask: NDArray[Any]) -> NDArray[np.uint64]:
    """The shape of a mask apart from its place, size and direction.

    Parameters
    ----------
    mask : (y, x); what is not 0 is set.

    Returns
    -------
    (RINGS, 2) words, a pair a ring from the centre outwards, one bit an angle: the even angles, then the odd ones.
    """
    rows, columns = np.nonzero(mask)
    if not len(rows):
        raise ValueError("an empty mask has no shape")
    unit = math.sqrt(len(rows) / math.pi)
    radius = (np.arange(RINGS) + 0.5) * (REACH / RINGS) * unit
    angle = (np.arange(ANGLES) + 0.5) * (2 * math.pi / ANGLES)
    y = np.rint(rows.mean() + radius[:, None] * np.sin(angle)).astype(np.int64)
    x = np.rint(columns.mean() + radius[:, None] * np.cos(angle)).astype(np.int64)
    inside = (y >= 0) & (y < mask.shape[0]) & (x >= 0) & (x < mask.shape[1])
    bits = inside & (mask[np.where(inside, y, 0), np.where(inside, x, 0)] != 0)
    return _words(np.stack([bits[:, ::2], bits[:, 1::2]], axis=1))


def signatures(masks: Sequence[NDArray[Any]]) -> NDArray[np.uint64]:
    """(masks, RINGS, 2) signatures of masks."""
    return np.stack([signature(mask) for mask in masks]) if masks else np.empty((0, RINGS, 2), np.uint64)


def similarity(one: NDArray[np.uint64], other: NDArray[np.uint64]) -> float:
    """Intersection over union of two shapes laid over each other as well as turning and mirroring allow, 0 to 1."""
    return float(_similarity(one, _mirrored(one[None])[0], other))


def find_duplicates(shapes: NDArray[np.uint64], threshold: float) -> NDArray[np.int64]:
    """For each shape the earlier one that it repeats; −1 for those that repeat none.

    Parameters
    ----------
    shapes : (n, RINGS, 2) signatures. A shape that repeats an earlier one is itself no model for later ones.
    threshold : similarity from which two shapes count as the same; above 1 none do.

    Notes
    -----
    Rings that are set on unlike numbers of angles bound the similarity from above, whatever the turn;
    most pairs need nothing but that.
    """
    out = np.empty(len(shapes), np.int64)
    _find_duplicates(shapes, _mirrored(shapes), _ring_areas(shapes), threshold, out)
    return out


def diverse_subset(shapes: NDArray[np.uint64], features: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """`count` shapes that are as unlike each other as can be, by farthest-point selection.

    Parameters
    ----------
    shapes : (n, RINGS, 2) signatures.
    features : (n, k) descriptors in any units; each is standardised.
    count : how many; all where there are fewer.

    Returns
    -------
    Their positions in the order of choice, so that the first m of them are the choice for m. The first is
    the most usual one: nearest to the mean descriptor.

    Notes
    -----
    The distance of two shapes is that of their descriptors plus that of their signatures (1 − similarity),
    each in units of its mean over pairs. Farthest-point selection (Gonzalez 1985, Theor. Comput. Sci. 38,
    293-306) is within a factor of two of the best cover. Nothing is random; ties go to the earlier shape.
    """
    if not len(shapes) or count <= 0:
        return np.empty(0, np.int64)
    space = ShapeSpace(shapes, features)
    chosen = [space.usual]
    least = space.to(chosen[0])
    while len(chosen) < min(count, len(shapes)):
        least[chosen[-1]] = -1.0
        chosen.append(int(least.argmax()))
        space.shorten(least, chosen[-1])
    return np.array(chosen, np.int64)


class ShapeSpace:
    """Distances between the shapes of a collection.

    Parameters
    ----------
    shapes : (n, RINGS, 2) signatures.
    features : (n, k) descriptors in any units.
    """

    def __init__(self, shapes: NDArray[np.uint64], features: NDArray[np.float64]) -> None:
        if len(shapes) != len(features):
            raise ValueError(f"{len(shapes)} shapes and {len(features)} rows of features")
        spread = features.std(axis=0)
        self._features = (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1)
        self._shapes, self._mirrored, self._rings = shapes, _mirrored(shapes), _ring_areas(shapes)
        self._scales = (1.0, 1.0)
        self._scales = self._mean_parts()

    @property
    def usual(self) -> int:
        """The shape nearest to the mean descriptor."""
        return int(np.square(self._features).sum(axis=1).argmin())

    def to(self, shape: int) -> NDArray[np.float64]:
        """(n,) distances of all shapes to one."""
        unlike = np.empty(len(self._shapes))
        _unlike(self._shapes[shape], self._mirrored[shape], self._shapes, unlike)
        far = np.sqrt(np.square(self._features - self._features[shape]).mean(axis=1))
        return np.asarray(far / self._scales[0] + unlike / self._scales[1])

    def shorten(self, least: NDArray[np.float64], shape: int) -> None:
        """Put the distance to a shape where it is less than what is in `least` (n,).

        As :meth:`to`, but two shapes are laid over each other only where a bound leaves it open.
        """
        far = np.sqrt(np.square(self._features - self._features[shape]).mean(axis=1)) / self._scales[0]
        _shorten(far, self._scales[1], shape, self._shapes, self._mirrored, self._rings, least)

    def _mean_parts(self) -> tuple[float, float]:
        """Mean distance of the descriptors and of the signatures, over pairs spread evenly over all there are."""
        count = len(self._shapes)
        if count < 2:
            return 1.0, 1.0
        draw = np.random.default_rng(0)
        one = draw.integers(count, size=MEAN_PAIRS)
        other = (one + draw.integers(1, count, size=MEAN_PAIRS)) % count
        far = np.sqrt(np.square(self._features[one] - self._features[other]).mean(axis=1))
        alike = [
            _similarity(self._shapes[i], self._mirrored[i], self._shapes[j]) for i, j in zip(one, other, strict=True)
        ]
        return float(far.mean()) or 1.0, float(1 - np.mean(alike)) or 1.0


def _words(bits: NDArray[Any]) -> NDArray[np.uint64]:
    """(…, 64) bits as words."""
    return np.packbits(bits, axis=-1, bitorder="little").view("<u8")[..., 0].astype(np.uint64)


def _mirrored(shapes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Signatures of the mirror images: the angles run the other way, so even ones become odd."""
    octets = np.ascontiguousarray(shapes).astype("<u8")[..., None].view(np.uint8)
    return _words(np.unpackbits(octets, axis=-1, bitorder="little")[..., ::-1, ::-1])


def _ring_areas(shapes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """(n, RINGS) angles that are set on each ring, times the ring's area."""
    return np.asarray(np.bitwise_count(shapes).sum(axis=-1, dtype=np.int64) * (2 * np.arange(RINGS) + 1))


@numba.njit(cache=True, nogil=True, inline="always")
def _count(word: Any) -> Any:
    """Bits that are set, counted in pairs, fours and bytes at once."""
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (word * np.uint64(0x0101010101010101)) >> np.uint64(56)


@numba.njit(cache=True, nogil=True, inline="always")
def _turned(word: Any, turn: Any) -> Any:
    return (word << np.uint64(turn)) | (word >> np.uint64(64 - turn)) if 0 < turn < 64 else word


@numba.njit(cache=True, nogil=True)
def _overlay(one: Any, other: Any) -> Any:
    """Largest intersection over union of two signatures over all turns."""
    best = 0.0
    for turn in range(ANGLES):
        both, either = np.uint64(0), np.uint64(0)
        for ring in range(RINGS):
            even, odd = one[ring, 0], one[ring, 1]
            if turn % 2:
                # By half a step: the even angles come to lie on the odd ones, the odd ones on the next even ones.
                even, odd = _turned(odd, turn // 2 + 1), _turned(even, turn // 2)
            else:
                even, odd = _turned(even, turn // 2), _turned(odd, turn // 2)
            weight = np.uint64(2 * ring + 1)
            both += weight * (_count(even & other[ring, 0]) + _count(odd & other[ring, 1]))
            either += weight * (_count(even | other[ring, 0]) + _count(odd | other[ring, 1]))
        if either > 0:
            best = max(best, both / either)
    return best


@numba.njit(cache=True, nogil=True)
def _similarity(one: Any, mirrored: Any, other: Any) -> Any:
    return max(_overlay(one, other), _overlay(mirrored, other))


@numba.njit(cache=True, nogil=True)
def _unlike(one: Any, mirrored: Any, shapes: Any, out: Any) -> None:
    for shape in range(len(shapes)):
        out[shape] = 1.0 - _similarity(one, mirrored, shapes[shape])


@numba.njit(cache=True, nogil=True)
def _shorten(far: Any, scale: Any, shape: Any, shapes: Any, mirrored: Any, rings: Any, least: Any) -> None:
    for other in range(len(shapes)):
        if far[other] + (1.0 - _bound(rings[shape], rings[other])) / scale < least[other]:
            alike = _similarity(shapes[shape], mirrored[shape], shapes[other])
            least[other] = min(least[other], far[other] + (1.0 - alike) / scale)


@numba.njit(cache=True, nogil=True)
def _bound(one: Any, other: Any) -> Any:
    """More than any turn can reach: rings as full as they are, laid over each other as if they nested."""
    both, either = 0, 0
    for ring in range(RINGS):
        both += min(one[ring], other[ring])
        either += max(one[ring], other[ring])
    return both / either if either else 0.0


@numba.njit(cache=True, nogil=True)
def _find_duplicates(shapes: Any, mirrored: Any, rings: Any, threshold: Any, out: Any) -> None:
    for shape in range(len(shapes)):
        out[shape] = -1
        for earlier in range(shape):
            if out[earlier] >= 0 or _bound(rings[shape], rings[earlier]) < threshold:
                continue
            if _similarity(shapes[shape], mirrored[shape], shapes[earlier]) >= threshold:
                out[shape] = earlier
                break
