"""Masks made larger: what tells clouds misses their rims, and a filler would take these for the ground."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def grown(mask: NDArray[np.bool_], by: int) -> NDArray[np.bool_]:
    """(y, x) True within `by` pixels of where `mask` is: of a disc, centre to centre."""
    if not by or not mask.any():
        return mask
    y, x = np.mgrid[-by : by + 1, -by : by + 1]
    disc = (y**2 + x**2 <= by**2).astype(np.uint8)
    return np.asarray(cv2.dilate(mask.astype(np.uint8), disc, borderType=cv2.BORDER_CONSTANT, borderValue=0) > 0)
