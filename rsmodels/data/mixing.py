"""What inpainting varies while it trains: masks by MaskMix, or, to compare, images by AugMix."""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from rsmodels.data.augment import AugMix
from rsprep.masks.maskmix import MaskMix, Seeds, prepare

_MASKS, _IMAGES = 3, 4
OPS: Final = ("translate", "shear", "rotate")


def mixed_mask(mixer: MaskMix, mask: NDArray[np.uint8], seed: int, position: int) -> NDArray[np.uint8]:
    """A mask (y, x) of Eq. 7 whose seed mask is `mask`; what it becomes depends on seed and position alone.

    A mask of a chip that nothing hides has nothing to mix, and stays.

    Raises
    ------
    ConfigError : ``area-unreachable`` where no draw meets the bounds of area.
    """
    if not mask.any():
        return mask
    drawn = np.random.default_rng((seed, _MASKS)).integers(2**62)
    seeds: Seeds = prepare([mask])
    mixed = mixer.batch(seeds, [position], seed=int(drawn), size=mask.shape)
    mixer.check(mixed)
    return np.asarray(mixed.masks[0])


def mixed_image(how: AugMix, image: NDArray[np.float32], seed: int, position: int) -> NDArray[np.float32]:
    """(C, y, x): m·x + (1 − m)·Σ wᵢ·chainᵢ(x), m from Beta(1, 1), w from Dirichlet(1, ...), as AugMix draws them.

    Chains have one to `depth` operations, composed into one bilinear warp with borders reflected. Unlike MaskMix it
    moves what the image shows, so that places and classes of pixels no longer hold.
    """
    rng = np.random.default_rng((seed, _IMAGES, position))
    weights, keep = rng.dirichlet(np.ones(how.branches)), rng.beta(1.0, 1.0)
    lines = np.ascontiguousarray(np.moveaxis(image, 0, -1))
    height, width = lines.shape[:2]
    total = np.zeros_like(lines)
    for weight in weights:
        chain = np.eye(3)
        for _ in range(int(rng.integers(1, how.depth + 1))):
            chain = _operation(how, rng, height, width) @ chain
        moved = cv2.warpAffine(lines, chain[:2], (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        total += np.float32(weight) * moved.reshape(lines.shape)
    out: NDArray[np.float32] = np.float32(keep) * lines + np.float32(1 - keep) * total
    return np.moveaxis(out, -1, 0)


def _operation(how: AugMix, rng: np.random.Generator, height: int, width: int) -> NDArray[np.float64]:
    """3 x 3 matrix of one operation about the image's middle, in pixels."""
    op, strength, along = OPS[int(rng.integers(len(OPS)))], rng.uniform(-1, 1), int(rng.integers(2))
    move = np.eye(3)
    if op == "translate":
        move[along, 2] = strength * how.shift * (width, height)[along]
        return move
    if op == "shear":
        move[along, 1 - along] = strength * how.shear
    else:
        angle = math.radians(strength * how.rotate)
        move[:2, :2] = [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    move[:2, 2] = middle - move[:2, :2] @ middle
    return move
