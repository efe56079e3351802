"""Point spread: what a sensor of a given resolution can carry of the ground."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray


def reach(sigma_px: float) -> int:
    """Pixels beyond the edge that a blur of `sigma_px` needs."""
    return math.ceil(3.5 * sigma_px)


def blur(layers: NDArray[np.float32], sigma_px: float) -> NDArray[np.float32]:
    """Gaussian blur of (n, y, x) with `sigma_px` pixels; the result is smaller by `reach` on every side."""
    margin = reach(sigma_px)
    if margin == 0:
        return layers
    taps = np.exp(-0.5 * (np.arange(-margin, margin + 1) / sigma_px) ** 2)
    weights = (taps / taps.sum()).astype(np.float32)
    count, rows, columns = layers.shape
    out = np.empty((count, rows - 2 * margin, columns - 2 * margin), np.float32)
    _blur(layers, weights, np.empty((rows - 2 * margin, columns), np.float32), out)
    return out


@njit(cache=True, nogil=True)
def _blur(
    layers: NDArray[np.float32], weights: NDArray[np.float32], work: NDArray[np.float32], out: NDArray[np.float32]
) -> None:
    taps = weights.shape[0]
    for layer in range(layers.shape[0]):
        for row in range(work.shape[0]):
            work[row, :] = np.float32(0)
            for tap in range(taps):
                weight = weights[tap]
                for column in range(work.shape[1]):
                    work[row, column] += weight * layers[layer, row + tap, column]
        for row in range(out.shape[1]):
            out[layer, row, :] = np.float32(0)
            for tap in range(taps):
                weight = weights[tap]
                for column in range(out.shape[2]):
                    out[layer, row, column] += weight * work[row, column + tap]


def mean_blocks(layers: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """Area means of `factor` x `factor` pixels of (n, y, x), sizes divisible by `factor`."""
    if factor == 1:
        return layers
    count, rows, columns = layers.shape
    out = np.empty((count, rows // factor, columns // factor), np.float32)
    _mean_blocks(layers, factor, out)
    return out


@njit(cache=True, nogil=True)
def _mean_blocks(layers: NDArray[np.float32], factor: int, out: NDArray[np.float32]) -> None:
    for layer in range(out.shape[0]):
        for row in range(out.shape[1]):
            for column in range(out.shape[2]):
                total = 0.0
                for i in range(row * factor, (row + 1) * factor):
                    for j in range(column * factor, (column + 1) * factor):
                        total += layers[layer, i, j]
                out[layer, row, column] = total / (factor * factor)
