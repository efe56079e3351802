"""NIQE against a slow reference, and against what it ought to say of spoiled pictures."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import ndimage, optimize, special
from torch import Tensor

from rsmodels.errors import ModelError
from rsmodels.metrics.naturalness import FEATURES, GREY, Naturalness, described, grey_of

Array = NDArray[np.float64]


def landscape(seed: int, side: int = 128) -> Array:
    """A picture whose spectrum falls as that of natural ones does, on 0 to 1."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side)[None])
    frequency[0, 0] = 1
    waves = np.fft.ifft2(np.fft.fft2(rng.standard_normal((side, side))) / frequency**1.2).real
    return np.clip(0.5 + 0.16 * (waves - waves.mean()) / waves.std(), 0, 1)


def pictures(count: int, first: int = 0, side: int = 128) -> Tensor:
    return torch.from_numpy(np.stack([landscape(first + number, side) for number in range(count)]))[:, None]


@pytest.fixture(scope="module")
def model() -> Naturalness:
    return Naturalness.fit([pictures(60)], (1.0,))


# -- the slow reference: pixel by pixel, roots by bisection ------------------------------------------


def slow_normalised(image: Array) -> tuple[Array, Array]:
    y, x = np.mgrid[-3:4, -3:4]
    window = np.exp(-(x**2 + y**2) / (2 * (7 / 6) ** 2))
    window /= window.sum()
    mean, spread, wide = np.zeros_like(image), np.zeros_like(image), np.pad(image, 3, mode="edge")
    for row, column in np.ndindex(image.shape):
        around = wide[row : row + 7, column : column + 7]
        mean[row, column] = (window * around).sum()
        spread[row, column] = math.sqrt((window * (around - mean[row, column]) ** 2).sum())
    return (image - mean) / (spread + 1), spread


def slow_shape(ratio: float) -> float:
    def apart(shape: float) -> float:
        return special.gamma(2 / shape) ** 2 / (special.gamma(1 / shape) * special.gamma(3 / shape)) - ratio

    return float(optimize.brentq(apart, 0.2, 10))


def slow_patch(normal: Array) -> list[float]:
    """Mittal et al., Eq. 4 to 10."""
    flat = normal.ravel()
    shape = slow_shape(np.abs(flat).mean() ** 2 / (flat**2).mean())
    numbers = [shape, math.sqrt((flat**2).mean() * special.gamma(1 / shape) / special.gamma(3 / shape))]
    side = len(normal)
    for down, across in ((0, 1), (1, 0), (1, 1), (1, -1)):
        products = np.array(
            [
                normal[row, column] * normal[row + down, column + across]
                for row in range(side)
                for column in range(side)
                if row + down < side and 0 <= column + across < side
            ]
        )
        left, right = (math.sqrt((products[one] ** 2).mean()) for one in (products < 0, products > 0))
        gamma = left / right
        ratio = np.abs(products).mean() ** 2 / (products**2).mean()
        shape = slow_shape(ratio * (gamma**3 + 1) * (gamma + 1) / (gamma**2 + 1) ** 2)
        width = math.sqrt(special.gamma(1 / shape) / special.gamma(3 / shape))
        mean = (right - left) * width * special.gamma(2 / shape) / special.gamma(1 / shape)
        numbers += [shape, mean, left * width, right * width]
    return numbers


def slow_half(image: Array) -> Array:
    """Half as large: Keys's cubic, twice as wide, row by row and column by column."""

    def kernel(x: float) -> float:
        x = abs(x)
        if x < 1:
            return 1.5 * x**3 - 2.5 * x**2 + 1
        return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0

    def halved(rows: Array) -> Array:
        out = np.zeros((rows.shape[0], rows.shape[1] // 2))
        for place in range(out.shape[1]):
            near = [at for at in range(2 * place - 3, 2 * place + 5) if 0 <= at < rows.shape[1]]
            weights = np.array([kernel((at - (2 * place + 0.5)) / 2) for at in near])
            out[:, place] = rows[:, near] @ (weights / weights.sum())
        return out

    return halved(halved(image).T).T


def slow_features(image: Array, patch: int) -> tuple[Array, Array]:
    rows, contrast = [], []
    normal, spread = slow_normalised(image)
    small, _ = slow_normalised(slow_half(image))
    for top in range(0, image.shape[0] - patch + 1, patch):
        for left in range(0, image.shape[1] - patch + 1, patch):
            here = np.s_[top : top + patch, left : left + patch]
            half = np.s_[top // 2 : (top + patch) // 2, left // 2 : (left + patch) // 2]
            rows.append(slow_patch(normal[here]) + slow_patch(small[half]))
            contrast.append(spread[here].mean())
    return np.array(rows), np.array(contrast)


# -- and what is compared with it --------------------------------------------------------------------


def test_the_numbers_are_those_of_the_slow_reference() -> None:
    image = landscape(4, 64) * 255
    wanted, contrast = slow_features(image, 32)
    found, sharp = described(torch.from_numpy(image)[None], 32)
    assert found.shape == (1, 4, FEATURES)
    np.testing.assert_allclose(sharp[0], contrast, rtol=1e-9)
    np.testing.assert_allclose(found[0], wanted, rtol=1e-5, atol=1e-7)


def test_the_distance_is_the_papers() -> None:
    train, test = pictures(60), pictures(2, 900)
    model = Naturalness.fit([train[:40], train[40:]], (1.0,))
    assert (model.patch, model.chips, model.name) == (
        64,
        60,
        "niqe, fitted on 60 train chips, patches of 64 pixels",
    )
    features, contrast = described(train[:, 0] * 255, 64)
    rows = features[contrast >= 0.75 * contrast.amax(dim=1, keepdim=True)].numpy()
    for image, score in zip(test, model.score(test), strict=True):
        own = described(image * 255, 64)[0][0].numpy()
        apart = rows.mean(axis=0) - own.mean(axis=0)
        both = (np.cov(rows.T) + np.cov(own.T)) / 2
        assert score == pytest.approx(math.sqrt(apart @ np.linalg.solve(both, apart)), rel=1e-6)


def test_spoiled_pictures_are_less_natural(model: Naturalness) -> None:
    clean = pictures(6, 500)
    rng = np.random.default_rng(1)
    noisy = (clean + torch.from_numpy(rng.normal(0, 0.08, clean.shape))).clamp(0, 1)
    blurred = torch.from_numpy(ndimage.gaussian_filter(clean.numpy(), (0, 0, 1.5, 1.5)))
    hidden = clean.clone()
    hidden[:, :, 16:112, 16:112] = 1
    natural = model.score(clean)
    assert (natural < 6).all()
    for spoiled in (noisy, blurred, hidden, torch.ones_like(clean)):
        found = model.score(spoiled)
        assert np.isfinite(found).all()
        assert (found > 1.5 * natural).all()


def test_an_image_is_scored_by_itself_and_edges_left_over_do_not_count(model: Naturalness) -> None:
    test = pictures(3, 700)
    each = np.concatenate([model.score(one[None]) for one in test])
    np.testing.assert_allclose(model.score(test), each)
    wider = torch.cat([test, torch.rand(3, 1, 128, 20, dtype=torch.float64)], dim=3)
    # Only the local means of the last columns reach beyond.
    np.testing.assert_allclose(model.score(wider), each)


def test_grey_is_luminance_where_there_are_colours(model: Naturalness) -> None:
    assert grey_of(("red", "green", "blue")) == GREY
    assert grey_of(("B02", "B03", "B04", "B08")) == (GREY[2], GREY[1], GREY[0], 0.0)
    assert grey_of(("B05", "B08")) == (0.5, 0.5)
    assert grey_of(None) == (1.0,)
    grey = pictures(2)
    np.testing.assert_allclose(replace(model, grey=GREY).score(grey.repeat(1, 3, 1, 1)), model.score(grey), rtol=1e-6)


def test_too_little_is_refused(model: Naturalness) -> None:
    with pytest.raises(ModelError, match="model/too-few-images"):
        Naturalness.fit([pictures(4)], (1.0,))
    with pytest.raises(ModelError, match="model/small-chips"):
        Naturalness.fit([pictures(2, side=32)], (1.0,))
    with pytest.raises(ModelError, match="model/small-chips"):
        model.score(pictures(1, side=48))
