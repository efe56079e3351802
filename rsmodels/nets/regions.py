"""Instances of a label map: connected regions of one class, numbered within their class."""

from __future__ import annotations

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def numbered(labels: Tensor, classes: int) -> Tensor:
    """Number of the region that each pixel belongs to, among those of its class: 0, 1, ... in reading order.

    Pixels that share an edge and the class are of one region. Regions are found on the CPU.

    Parameters
    ----------
    labels : (B, y, x) int64 in 0..classes-1.
    classes : how many there are, unknown among them.

    Returns
    -------
    (B, y, x) int64 on the device of `labels`.
    """
    given = labels.detach().cpu().contiguous().numpy()
    found = np.full(given.shape, -1, np.int64)
    for image, numbers in zip(given, found, strict=True):
        _flood(image, classes, numbers)
    return torch.from_numpy(found).to(labels.device)


@numba.njit(cache=True, nogil=True)
def _flood(labels: NDArray[np.int64], classes: int, numbers: NDArray[np.int64]) -> None:
    """Fill `numbers` (y, x), given as -1, region by region from its first pixel on."""
    height, width = labels.shape
    seen = np.zeros(classes, np.int64)
    # A pixel is put on the stack when it gets its number, so that none is there twice.
    stack = np.empty(height * width, np.int64)
    for first in range(height * width):
        if numbers[first // width, first % width] >= 0:
            continue
        label = labels[first // width, first % width]
        number = seen[label]
        seen[label] += 1
        numbers[first // width, first % width] = number
        stack[0], top = first, 1
        while top:
            top -= 1
            y, x = stack[top] // width, stack[top] % width
            for down, right in ((-1, 0), (0, -1), (0, 1), (1, 0)):
                v, u = y + down, x + right
                inside = 0 <= v < height and 0 <= u < width
                if inside and numbers[v, u] < 0 and labels[v, u] == label:
                    numbers[v, u] = number
                    stack[top] = v * width + u
                    top += 1
