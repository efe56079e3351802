"""How well colours are met, and how many there are: accuracy within levels, and colourfulness."""

from __future__ import annotations

import torch
from torch import Tensor

from rsmodels.errors import ModelError

LEVELS = 255
WITHIN = (2, 5)
"""Levels of 8 bits that a pixel may be off in every channel (Wang et al., Eq. 12)."""


@torch.no_grad()
def colour_scores(pred: Tensor, target: Tensor, valid: Tensor) -> dict[str, Tensor]:
    """Each image's ``acc@2``, ``acc@5``, and ``colourfulness`` of `pred`.

    acc@ε is the share of valid pixels of which no channel is more than ε of 255 levels off, both images rounded to
    levels first (Wang et al., Eq. 12). Colourfulness is that of Hasler and Süsstrunk (2003): of rg = R - G and yb =
    (R + G) / 2 - B, the root of both variances' sum and .3 times the root of both squared means' sum, on 0 to 255.

    Parameters
    ----------
    pred, target : (B, 3, y, x) red, green and blue of 0 to 1.
    valid : (B, 1, y, x) bool.

    Returns
    -------
    (B,) float64 each, on the CPU; NaN for an image without a valid pixel.

    Raises
    ------
    ModelError : ``model/not-rgb``.
    """
    if pred.shape[1] != 3 or pred.shape != target.shape:
        raise ModelError(
            "not-rgb",
            "accuracy of colours is that of red, green and blue",
            value=f"{tuple(pred.shape)} and {tuple(target.shape)}",
            remedy="name these three bands",
        )
    made, real = ((one.double() * LEVELS).round() for one in (pred, target))
    ok = valid[:, 0].bool()
    apart = (made - real).abs().amax(dim=1)
    scores = {f"acc@{within}": _mean((apart <= within).double(), ok).cpu() for within in WITHIN}
    return scores | {"colourfulness": colourfulness(pred, valid)}


@torch.no_grad()
def colourfulness(images: Tensor, valid: Tensor) -> Tensor:
    """That of :func:`colour_scores`, of images (B, 3, y, x) of 0 to 1: (B,) float64, on the CPU."""
    image, ok = (images.double() * LEVELS).round(), valid[:, 0].bool()
    red, green, blue = image.unbind(dim=1)
    spread, mean = torch.zeros(2, len(image), dtype=image.dtype, device=image.device)
    for opponent in (red - green, (red + green) / 2 - blue):
        middle = _mean(opponent, ok)
        spread = spread + _mean((opponent - middle[:, None, None]) ** 2, ok)
        mean = mean + middle**2
    found: Tensor = spread.sqrt() + 0.3 * mean.sqrt()
    return found.cpu()


def _mean(values: Tensor, ok: Tensor) -> Tensor:
    """(B, y, x) → (B,)."""
    return values.where(ok, 0.0).sum(dim=(1, 2)) / ok.sum(dim=(1, 2))
