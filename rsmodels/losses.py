"""Losses, all in float32 and each a scalar.

A mean over valid pixels or labelled ones is over those of all processes: each process divides by the mean count, so
that the average of gradients over processes is the gradient of one process with the whole batch. That takes part
in ``torch.distributed`` where gradients are enabled only; without them a loss is that of its own batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.distributed as dist
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

GanKind = Literal["bce", "hinge", "lsgan"]
TINY = 1e-12


def gan_loss(logits: Tensor, real: bool, kind: GanKind = "bce", *, for_generator: bool = False) -> Tensor:
    """Adversarial loss of logits (any shape), which ought to say `real`.

    bce: binary cross-entropy (Goodfellow et al. 2014, the generator's non-saturating); lsgan: (D - 1)² or D² (Mao et
    al. 2017); hinge: max(0, 1 - D) or max(0, 1 + D), of the generator -D (Lim and Ye 2017).
    """
    if for_generator and not real:
        raise ValueError("a generator is rewarded for what looks real: real=True")
    logits = logits.float()
    target = torch.full_like(logits, float(real))
    if kind == "bce":
        return F.binary_cross_entropy_with_logits(logits, target)
    if kind == "lsgan":
        return F.mse_loss(logits, target)
    if for_generator:
        return -logits.mean()
    return F.relu(1 - logits if real else 1 + logits).mean()


def told_apart(logits: Tensor, kind: GanKind = "bce") -> tuple[Tensor, Tensor]:
    """A discriminator's losses of a batch of real images and, after them, as many generated ones."""
    real, fake = logits.chunk(2)
    return gan_loss(real, True, kind), gan_loss(fake, False, kind)


def masked_l1(pred: Tensor, target: Tensor, valid: Tensor | None = None) -> Tensor:
    """Mean |pred - target| of (B, C, y, x), over pixels with valid (B, 1, y, x); 0 where there are none."""
    return _over_valid((pred.float() - target.float()).abs(), valid)


def masked_l2(pred: Tensor, target: Tensor, valid: Tensor | None = None) -> Tensor:
    """Mean (pred - target)², as :func:`masked_l1`."""
    return _over_valid((pred.float() - target.float()).square(), valid)


def masked_huber(pred: Tensor, target: Tensor, valid: Tensor | None = None, *, delta: float = 1.0) -> Tensor:
    """Mean Huber loss, as :func:`masked_l1`: d²/2 where the difference d is below `delta`, else delta·d - delta²/2."""
    return _over_valid(F.huber_loss(pred.float(), target.float(), reduction="none", delta=delta), valid)


def feature_matching(fake: Sequence[Tensor], real: Sequence[Tensor]) -> Tensor:
    """Sum over layers of the mean |fake - real| (Wang et al. 2018).

    Takes what a discriminator gives for both and leaves out the last, the logits. No gradient goes through `real`.
    """
    if len(fake) != len(real) or len(fake) < 2:
        raise ValueError(f"features of the same layers, two or more: got {len(fake)} and {len(real)}")
    layers = [F.l1_loss(a.float(), b.detach().float()) for a, b in zip(fake[:-1], real[:-1], strict=True)]
    return torch.stack(layers).sum()


def sam_loss(pred: Tensor, target: Tensor, valid: Tensor | None = None) -> Tensor:
    """Mean spectral angle in radians between (B, C, y, x), over valid pixels whose spectra are not zero.

    By Kahan's 2·atan2(‖x̂ - ŷ‖, ‖x̂ + ŷ‖), exact near 0 and with a finite gradient there, where arccos has none.
    Takes reflectance-like numbers of which 0 is dark, not ones about 0.
    """
    pred, target = pred.float(), target.float()
    long = (pred.square().sum(1, keepdim=True), target.square().sum(1, keepdim=True))
    seen = (long[0] > TINY) & (long[1] > TINY)
    if valid is not None:
        seen = seen & valid.bool()
    one = pred / torch.where(seen, long[0], 1.0).sqrt()
    other = target / torch.where(seen, long[1], 1.0).sqrt()
    apart, together = ((vector.square().sum(1, keepdim=True) + TINY).sqrt() for vector in (one - other, one + other))
    angle = 2 * torch.atan2(apart, together)
    return _mean(torch.where(seen, angle, 0.0).sum(), seen.float().sum())


def cross_entropy(logits: Tensor, labels: Tensor, class_weights: Tensor | None = None, *, ignore: int = 255) -> Tensor:
    """Cross-entropy of logits (B, K, y, x) with labels (B, y, x), over pixels not labelled `ignore`.

    With `class_weights` (K,) the weighted mean, as in torch. Where all is ignored: 0, with a gradient of 0.
    """
    logits = logits.float()
    weights = None if class_weights is None else class_weights.float()
    total = F.cross_entropy(logits, labels, weights, ignore_index=ignore, reduction="sum")
    known = labels != ignore
    if weights is None:
        return _mean(total, known.float().sum())
    return _mean(total, torch.where(known, weights[torch.where(known, labels, 0)], 0.0).sum())


def perceptual(
    fake: Sequence[Tensor], real: Sequence[Tensor], layers: Literal["pyramid", "uniform"] = "pyramid"
) -> Tensor:
    """Mean |fake - real| of each map of features, weighted and summed (Johnson et al. 2016; Eq. 7 of CSEBGAN).

    pyramid: 1 for the last map and half as much for each before it, as in pix2pixHD; uniform: 1 for all, as the
    paper writes it. No gradient goes through `real`.
    """
    count = len(fake)
    weights = [2.0 ** (number + 1 - count) if layers == "pyramid" else 1.0 for number in range(count)]
    apart = [F.l1_loss(a.float(), b.detach().float()) for a, b in zip(fake, real, strict=True)]
    return torch.stack([weight * one for weight, one in zip(weights, apart, strict=True)]).sum()


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Kullback-Leibler divergence of normals (B, z) from the standard normal: sum over z, mean over the batch."""
    mean, log_variance = mean.float(), log_variance.float()
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(-1).mean()


def _over_valid(apart: Tensor, valid: Tensor | None) -> Tensor:
    """Mean of (B, C, y, x) over pixels with valid (B, 1, y, x); 0 where there are none."""
    if valid is None:
        return apart.mean()
    weight = valid.float()
    return _mean((apart * weight).sum(), weight.sum() * apart.shape[1])


def _mean(total: Tensor, count: Tensor) -> Tensor:
    """The total by the count, the latter being the mean over processes; 0 where nothing counts."""
    count = count.detach()
    if torch.is_grad_enabled() and dist.is_available() and dist.is_initialized():
        count = count.clone()
        dist.all_reduce(count)
        count /= dist.get_world_size()
    return total / torch.where(count > 0, count, 1.0)
