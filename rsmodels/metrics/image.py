"""How like two images are: PSNR, SSIM, spectral angle and mean squared error, over valid pixels.

Every range is a stated constant: one guessed from the data would make the figures of two images different things.
All sums are kept in float64, whatever the images are in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from rsmodels.errors import ModelError

WINDOW = 11
SIGMA = 1.5
K1, K2 = 0.01, 0.03


@torch.no_grad()
def mse255(pred: Tensor, target: Tensor, valid: Tensor, data_range: float = 1.0) -> Tensor:
    """Mean squared error over valid pixels and all bands, as if the images ran from 0 to 255.

    Parameters
    ----------
    pred, target : (B, C, y, x) on 0 to `data_range`.
    valid : (B, 1, y, x) bool.

    Returns
    -------
    (B,) float64; NaN for an image without a valid pixel.

    Raises
    ------
    ModelError : ``model/not-finite`` where a valid pixel is NaN or infinite, ``model/odd-images`` for other shapes.
    """
    return _mse(*_checked(pred, target, valid)) * (255.0 / data_range) ** 2


@torch.no_grad()
def psnr(pred: Tensor, target: Tensor, valid: Tensor, data_range: float = 1.0) -> Tensor:
    """Peak signal-to-noise ratio in dB, 10·log10(L²/MSE), one for each image; parameters as in `mse255`.

    Returns
    -------
    (B,) float64; infinite for equal images, NaN for an image without a valid pixel.
    """
    return 10.0 * torch.log10(data_range**2 / _mse(*_checked(pred, target, valid)))


@torch.no_grad()
def ssim(pred: Tensor, target: Tensor, valid: Tensor, data_range: float = 1.0, within: Tensor | None = None) -> Tensor:
    """Structural similarity, one for each image; parameters as in `mse255`.

    Wang et al. 2004: Gaussian window of 11 pixels with σ 1.5, K 0.01 and 0.03, moments divided by n, each band apart,
    then the mean over bands and windows. Only windows that lie wholly within the image and on valid pixels count:
    no border is padded. Without invalid pixels it is what skimage computes with ``gaussian_weights=True,
    use_sample_covariance=False``.

    Parameters
    ----------
    within : (B, 1, y, x) bool; only windows whose centre lies there count, whatever else they see. All by default.

    Returns
    -------
    (B,) float64; NaN for an image without a whole valid window.

    Raises
    ------
    ModelError : ``model/small-image`` below 11 pixels, and those of `mse255`.
    """
    x, y, _ = _checked(pred, target, valid)
    return _mean_of_windows(_ssim_map(x, y, data_range), valid, within)


@torch.no_grad()
def by_parts(
    pred: Tensor, target: Tensor, valid: Tensor, parts: Sequence[Tensor | None], data_range: float = 1.0
) -> list[dict[str, Tensor]]:
    """``psnr``, ``ssim`` and ``mse`` of several parts of the same images, each as the function of its name has it.

    Parameters
    ----------
    pred, target, valid : as in `mse255`.
    parts : (B, 1, y, x) bool each, as `within` of `ssim`; None for the whole.

    Returns
    -------
    Of each part (B,) float64 a score, on the CPU.
    """
    x, y, ok = _checked(pred, target, valid)
    error = ((x - y) ** 2).mean(dim=1, keepdim=True)
    windows = _ssim_map(x, y, data_range)
    found = []
    for part in parts:
        mse = _masked_mean(error, ok if part is None else ok & part.bool())
        scores = {
            "psnr": 10.0 * torch.log10(data_range**2 / mse),
            "ssim": _mean_of_windows(windows, valid, part),
            "mse": mse * (255.0 / data_range) ** 2,
        }
        found.append({name: values.cpu() for name, values in scores.items()})
    return found


@torch.no_grad()
def sam(pred: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """Spectral angle in radians, arccos(⟨x,y⟩/‖x‖‖y‖), meaned over pixels; one for each image.

    Kruse et al. 1993. The angle of a pixel that is zero in all bands does not exist: such pixels, in either image,
    are left out. Computed as 2·atan2(‖u−v‖, ‖u+v‖) of the unit vectors, which keeps its digits at small angles.

    Parameters
    ----------
    pred, target : (B, C, y, x) in physical units (reflectance), two bands or more.
    valid : (B, 1, y, x) bool.

    Returns
    -------
    (B,) float64; NaN for an image without a valid pixel that has an angle.

    Raises
    ------
    ModelError : ``model/one-band``, and those of `mse255`.
    """
    x, y, ok = _checked(pred, target, valid)
    if x.shape[1] < 2:
        raise ModelError(
            "one-band",
            "a spectral angle needs two bands or more",
            value=x.shape[1],
            remedy="leave the angle out for images of one band",
        )
    norm_x, norm_y = x.norm(dim=1, keepdim=True), y.norm(dim=1, keepdim=True)
    ok = ok & (norm_x > 0) & (norm_y > 0)
    u, v = x / norm_x.where(ok, 1.0), y / norm_y.where(ok, 1.0)
    angle = 2.0 * torch.atan2((u - v).norm(dim=1, keepdim=True), (u + v).norm(dim=1, keepdim=True))
    return _masked_mean(angle, ok)


def _ssim_map(x: Tensor, y: Tensor, data_range: float) -> Tensor:
    """(B, 1, y − 10, x − 10) similarity of each window, meaned over the bands; of checked images."""
    if min(x.shape[-2:]) < WINDOW:
        raise ModelError(
            "small-image",
            f"structural similarity needs images of {WINDOW} pixels or more",
            value=tuple(x.shape[-2:]),
            remedy="use larger chips",
        )
    mean_x, mean_y = _blurred(x), _blurred(y)
    var_x = _blurred(x * x) - mean_x * mean_x
    var_y = _blurred(y * y) - mean_y * mean_y
    cov = _blurred(x * y) - mean_x * mean_y
    c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
    above = (2 * mean_x * mean_y + c1) * (2 * cov + c2)
    below = (mean_x * mean_x + mean_y * mean_y + c1) * (var_x + var_y + c2)
    return (above / below).mean(dim=1, keepdim=True)


def _mean_of_windows(windows: Tensor, valid: Tensor, within: Tensor | None) -> Tensor:
    # A window touches an invalid pixel where the largest of its "invalid" flags is 1.
    whole = functional.max_pool2d((~valid.bool()).float(), WINDOW, stride=1) == 0
    if within is not None:
        rim = WINDOW // 2
        whole = whole & within.bool()[..., rim:-rim, rim:-rim]
    return _masked_mean(windows, whole)


def _mse(x: Tensor, y: Tensor, ok: Tensor) -> Tensor:
    return _masked_mean(((x - y) ** 2).mean(dim=1, keepdim=True), ok)


def _masked_mean(values: Tensor, ok: Tensor) -> Tensor:
    """(B, 1, y, x) → (B,); 0/0 is the NaN of an image that has nothing to score."""
    return values.where(ok, 0.0).sum(dim=(1, 2, 3)) / ok.sum(dim=(1, 2, 3))


def _checked(pred: Tensor, target: Tensor, valid: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Both images in float64 with 0 where they are not valid, and the mask."""
    if pred.ndim != 4 or pred.shape != target.shape or valid.shape != (len(pred), 1, *pred.shape[2:]):
        raise ModelError(
            "odd-images",
            "images to be compared must have one shape (B, C, y, x), and their mask (B, 1, y, x)",
            value=(tuple(pred.shape), tuple(target.shape), tuple(valid.shape)),
            remedy="bring both images and the mask to one grid",
        )
    ok = valid.bool()
    x, y = pred.double().where(ok, 0.0), target.double().where(ok, 0.0)
    for name, image in (("generated", x), ("real", y)):
        if not bool(torch.isfinite(image).all()):
            raise ModelError(
                "not-finite",
                f"the {name} image holds NaN or infinity on valid pixels",
                value=int((~torch.isfinite(image)).sum()),
                remedy="a network that diverged cannot be scored; go back to an earlier checkpoint",
            )
    return x, y, ok


def _blurred(image: Tensor) -> Tensor:
    """Each band under the Gaussian window, without padding: (B, C, y, x) → (B, C, y − 10, x − 10)."""
    offsets = torch.arange(WINDOW, dtype=image.dtype) - WINDOW // 2
    weights = torch.exp(-(offsets**2) / (2 * SIGMA**2))
    share = (weights / weights.sum()).tolist()
    # a sum of shifted images: on a CPU torch's convolution of float64 takes several times as long
    for axis in (2, 3):
        length = image.shape[axis] - WINDOW + 1
        total = image.narrow(axis, 0, length) * share[0]
        for shift in range(1, WINDOW):
            total.add_(image.narrow(axis, shift, length), alpha=share[shift])
        image = total
    return image


@dataclass
class _Mean:
    total: float = 0.0
    count: int = 0

    def add(self, values: Tensor, counted: Tensor) -> None:
        self.total += float(values[counted].sum())
        self.count += int(counted.sum())

    def merge(self, other: _Mean) -> None:
        self.total += other.total
        self.count += other.count

    @property
    def value(self) -> float:
        return self.total / self.count if self.count else float("nan")


@dataclass
class ImageScores:
    """Means over images of `psnr`, `ssim`, `sam` and `mse255`, batch by batch."""

    data_range: float = 1.0
    """Images run from 0 to this."""
    images: int = 0
    """Images with a valid pixel."""
    skipped: int = 0
    """Images without one."""
    equal: int = 0
    """Images that equal their target: their PSNR is infinite, and left out of the mean unless all are."""
    _means: dict[str, _Mean] = field(default_factory=lambda: {name: _Mean() for name in ("psnr", "ssim", "sam", "mse")})

    def update(
        self,
        pred: Tensor,
        target: Tensor,
        valid: Tensor,
        pred_physical: Tensor | None = None,
        target_physical: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Take a batch in; returns its scores image by image.

        Parameters
        ----------
        pred, target : (B, C, y, x) on 0 to `data_range`.
        valid : (B, 1, y, x) bool.
        pred_physical, target_physical : the same as reflectance, for the spectral angle; without them, or with one
            band, there is none.

        Returns
        -------
        ``psnr``, ``ssim``, ``mse`` and, where there is one, ``sam``: (B,) float64 on the CPU; NaN where an image has
        nothing to score.
        """
        (scores,) = by_parts(pred, target, valid, (None,), self.data_range)
        if pred_physical is not None and target_physical is not None and pred.shape[1] > 1:
            scores["sam"] = sam(pred_physical, target_physical, valid).cpu()
        self.add(scores)
        return scores

    def add(self, scores: Mapping[str, Tensor]) -> None:
        """Take in a batch that was scored, as `by_parts` and :meth:`update` return it."""
        for name, values in scores.items():
            # Never NaN for a bad image: those are refused above. NaN means that there was nothing to score.
            self._means[name].add(values, torch.isfinite(values))
        none = int(torch.isnan(scores["psnr"]).sum())
        self.images += len(scores["psnr"]) - none
        self.skipped += none
        self.equal += int(torch.isinf(scores["psnr"]).sum())

    def merge(self, other: ImageScores) -> None:
        """Take in what another one has seen; raises ValueError for another range."""
        if other.data_range != self.data_range:
            raise ValueError(f"scores on 0 to {other.data_range} cannot join those on 0 to {self.data_range}")
        self.images += other.images
        self.skipped += other.skipped
        self.equal += other.equal
        for name, mean in self._means.items():
            mean.merge(other._means[name])

    def compute(self) -> dict[str, Any]:
        """Means ``psnr`` (dB), ``ssim``, ``sam`` (radians) and ``mse`` (0–255 scale), NaN where nothing was scored,
        with the counts ``images``, ``skipped`` and ``equal``.
        """
        means: dict[str, Any] = {name: mean.value for name, mean in self._means.items()}
        if self.equal and self.equal == self.images:
            means["psnr"] = float("inf")
        return {**means, "images": self.images, "skipped": self.skipped, "equal": self.equal}
