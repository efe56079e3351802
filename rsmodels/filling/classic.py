"""Two fillers that learn nothing, by OpenCV: what a network must be better than.

OpenCV fills one band of whole numbers at a time. Each band of each image is brought from the range of its known pixels
to 16 bit first: of the steps of Telea's method in OpenCV two are in units of one grey level (a term added to every
pixel, and rounding), so that 8 bit drift by several levels across a hole, and floats between −1 and 1 by their whole
range. With 16 bit it is 0.01 % of the range. What lies under the mask is never looked at.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rsmodels.errors import ModelError

RADIUS = 3.0
"""Pixels around a hidden one that are looked at; usual for both."""
_TOP = 65535.0


def telea(images: Tensor, mask: Tensor) -> Tensor:
    """Fill by fast marching: from the rim inward, each pixel from the known ones around it.

    Source: Telea 2004, doi:10.1080/10867651.2004.10487596.

    Parameters
    ----------
    images : (B, C, y, x) on any scale.
    mask : (B, 1, y, x), above 0.5 where hidden.

    Returns
    -------
    (B, C, y, x) float32 on the CPU: `images` bit for bit where not hidden; 0 where an image has no known pixel at all.

    Raises
    ------
    ModelError : ``mask-shape`` where the two do not belong together.
    """
    return _filled(images, mask, cv2.INPAINT_TELEA)


def navier_stokes(images: Tensor, mask: Tensor) -> Tensor:
    """Fill by carrying lines of equal brightness on into the hole, as a fluid flows.

    Source: Bertalmio, Bertozzi and Sapiro 2001, doi:10.1109/CVPR.2001.990497. Parameters, result and errors are those
    of :func:`telea`.
    """
    return _filled(images, mask, cv2.INPAINT_NS)


def _filled(images: Tensor, mask: Tensor, method: int) -> Tensor:
    if images.ndim != 4 or mask.shape != (len(images), 1, *images.shape[2:]):
        raise ModelError(
            "mask-shape",
            "a mask is (B, 1, y, x) for images (B, C, y, x)",
            value=f"images {tuple(images.shape)}, mask {tuple(mask.shape)}",
            remedy="give one mask an image, of its size",
        )
    out = np.array(images.detach().cpu().numpy(), np.float32)
    hidden = mask.detach().cpu().numpy()[:, 0] > 0.5
    for image, hole in zip(out, hidden, strict=True):
        if hole.any():
            for band in image:
                _fill_band(band, hole, method)
    return torch.from_numpy(out)


def _fill_band(band: NDArray[np.float32], hole: NDArray[np.bool_], method: int) -> None:
    """Fill `hole` of one band (y, x), in place."""
    known = band[~hole]
    if not known.size:
        band[:] = 0
        return
    low, high = float(known.min()), float(known.max())
    scale = (high - low) / _TOP or 1.0
    levels = np.zeros(band.shape, np.uint16)
    levels[~hole] = np.rint((known.astype(np.float64) - low) / scale)
    filled = cv2.inpaint(levels, hole.astype(np.uint8), RADIUS, method)
    band[hole] = filled[hole] * scale + low
