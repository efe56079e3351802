"""CIE Lab and sRGB as tensors, scaled for networks; gradients run through both ways.

White is D65 as sRGB has it (IEC 61966-2-1). Lightness goes from 0 to 100 and becomes -1 to 1; the opponent colours a
and b, which sRGB takes to at most 108 either way, are divided by 110.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from torch import Tensor

OPPONENT: Final = 110.0
"""a and b that become 1."""
Matrix = tuple[tuple[float, ...], ...]
_XYZ: Final = np.array([(0.412453, 0.357580, 0.180423), (0.212671, 0.715160, 0.072169), (0.019334, 0.119193, 0.950227)])
_WHITE: Final = np.array([0.95047, 1.0, 1.08883])
_SHARES: Final[Matrix] = tuple(map(tuple, (_XYZ / _WHITE[:, None]).tolist()))
"""From linear red, green and blue to X, Y and Z as shares of white."""
_BACK: Final[Matrix] = tuple(map(tuple, np.linalg.inv(_XYZ / _WHITE[:, None]).tolist()))
_EDGE: Final = 6 / 29
"""Cube root of the share of white below which lightness is linear."""
_KNEE, _SLOPE, _GAIN, _GAMMA = 0.04045, 12.92, 0.055, 2.4


def to_lab(rgb: Tensor) -> Tensor:
    """Lab of -1 to 1 from sRGB (B, 3, y, x) of 0 to 1, float32."""
    rgb = rgb.float()
    linear = torch.where(rgb > _KNEE, ((rgb.clamp_min(_KNEE) + _GAIN) / (1 + _GAIN)) ** _GAMMA, rgb / _SLOPE)
    x, y, z = _rooted(_mixed(linear, _SHARES)).unbind(dim=1)
    lightness, a, b = 116 * y - 16, 500 * (x - y), 200 * (y - z)
    return torch.stack([lightness / 50 - 1, a / OPPONENT, b / OPPONENT], dim=1)


def to_rgb(lab: Tensor) -> Tensor:
    """Lab (B, 3, y, x) of -1 to 1 as sRGB, cut off at 0 and 1 where a screen has no such colour, float32."""
    lightness, a, b = lab.float().unbind(dim=1)
    y = ((lightness + 1) * 50 + 16) / 116
    rooted = torch.stack([y + a * OPPONENT / 500, y, y - b * OPPONENT / 200], dim=1)
    shares = torch.where(rooted > _EDGE, rooted**3, 3 * _EDGE**2 * (rooted - 4 / 29))
    linear = _mixed(shares, _BACK)
    bent = (1 + _GAIN) * linear.clamp_min(_KNEE / _SLOPE) ** (1 / _GAMMA) - _GAIN
    return torch.where(linear > _KNEE / _SLOPE, bent, linear * _SLOPE).clamp(0.0, 1.0)


def _rooted(shares: Tensor) -> Tensor:
    """Cube root, linear near black."""
    return torch.where(shares > _EDGE**3, shares.clamp_min(_EDGE**3) ** (1 / 3), shares / (3 * _EDGE**2) + 4 / 29)


def _mixed(planes: Tensor, matrix: Matrix) -> Tensor:
    # Plane by plane: a library's product of matrices sums differently with what it finds in memory, so that the same
    # image got other last digits in another run, and under autocast it has the 8 bits of bfloat16.
    first, second, third = planes.unbind(dim=1)
    return torch.stack([r * first + g * second + b * third for r, g, b in matrix], dim=1)
