from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from rsmodels.errors import ModelError
from rsmodels.metrics import frechet
from rsmodels.metrics.extractors import BandStatistics, SegmenterFeatures
from rsmodels.metrics.frechet import Moments, distances, frechet_distance, kernel_distance


def features(seed: int, count: int, dim: int, *, shift: float = 0.0, rank: int | None = None) -> Tensor:
    rng = np.random.default_rng(seed)
    mixing = rng.standard_normal((rank or dim, dim))
    return torch.from_numpy(rng.standard_normal((count, rank or dim)) @ mixing + shift)


def moments(values: Tensor) -> Moments:
    found = Moments(dim=values.shape[1])
    for part in values.split(17):
        found.update(part)
    return found


def by_scipy(x: Tensor, y: Tensor) -> float:
    a, b = x.numpy(), y.numpy()
    first, second = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = scipy.linalg.sqrtm(first @ second)
    shift = a.mean(axis=0) - b.mean(axis=0)
    return float(shift @ shift + np.trace(first + second - 2 * np.real(root)))


def by_torchmetrics(x: Tensor, y: Tensor) -> float:
    from torchmetrics.image.fid import _compute_fid

    return float(_compute_fid(x.mean(0), torch.cov(x.T), y.mean(0), torch.cov(y.T)))


@pytest.mark.parametrize("dim", [2, 24, 64])
def test_streaming_moments_equal_numpy(dim: int) -> None:
    values = features(0, 200, dim, shift=1000.0)
    found = moments(values)
    np.testing.assert_allclose(found.mean, values.mean(0).numpy(), rtol=1e-13)
    np.testing.assert_allclose(found.covariance, np.cov(values.numpy(), rowvar=False), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("dim", [2, 24, 64])
def test_frechet_distance_equals_scipy_and_torchmetrics(dim: int) -> None:
    x, y = features(0, 300, dim), features(1, 250, dim, shift=0.4)
    found = frechet_distance(moments(x), moments(y))
    assert found == pytest.approx(by_scipy(x, y), rel=1e-9)
    assert found == pytest.approx(by_torchmetrics(x, y), rel=1e-6)


def test_a_covariance_without_full_rank_is_no_trouble() -> None:
    x, y = features(0, 300, 24, rank=5), features(0, 300, 24, rank=5)
    assert frechet_distance(moments(x), moments(y)) == pytest.approx(0.0, abs=1e-9)
    # In its own 5 dimensions the distance is well posed; rotated into 24 it must stay what it is.
    low, other = features(3, 300, 5), features(4, 300, 5, shift=1.0)
    basis = np.linalg.qr(np.random.default_rng(0).standard_normal((24, 5)))[0]
    turned = [torch.from_numpy(one.numpy() @ basis.T) for one in (low, other)]
    assert frechet_distance(moments(turned[0]), moments(turned[1])) == pytest.approx(by_scipy(low, other), rel=1e-9)


def test_planted_distance_of_two_gaussians() -> None:
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((60_000, 2)))
    y = torch.from_numpy(np.random.default_rng(1).standard_normal((60_000, 2))) * 3.0 + 2.0
    # |Δμ|² = 2·2², and each of two dimensions adds (3 − 1)².
    assert frechet_distance(moments(x), moments(y)) == pytest.approx(16.0, rel=0.02)


def test_too_few_images_are_refused_unless_allowed() -> None:
    few, many = moments(features(0, 24, 24)), moments(features(1, 100, 24))
    with pytest.raises(ModelError, match="too-few-images"):
        frechet_distance(few, many)
    with pytest.raises(ModelError, match="24 real, 100 generated"):
        distances(few, many, "x")
    assert frechet_distance(few, many, allow_few=True) > 0
    assert frechet_distance(moments(features(0, 25, 24)), many) > 0
    with pytest.raises(ModelError, match="too-few-images"):
        frechet_distance(moments(features(0, 1, 24)), many, allow_few=True)
    with pytest.raises(ModelError, match="too-few-images"):
        kernel_distance(moments(features(0, 1, 24)), many)


def test_kernel_distance_equals_the_written_out_sum() -> None:
    x, y = features(0, 40, 6).numpy(), features(1, 30, 6, shift=0.5).numpy()

    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        return float((a @ b / 6 + 1) ** 3)

    same_x = sum(kernel(x[i], x[j]) for i in range(40) for j in range(40) if i != j) / (40 * 39)
    same_y = sum(kernel(y[i], y[j]) for i in range(30) for j in range(30) if i != j) / (30 * 29)
    across = sum(kernel(a, b) for a in x for b in y) / (40 * 30)
    found = kernel_distance(moments(torch.from_numpy(x)), moments(torch.from_numpy(y)))
    assert found == pytest.approx(same_x + same_y - 2 * across, rel=1e-10)


def test_kernel_distance_equals_torchmetrics() -> None:
    from torchmetrics.image.kid import poly_mmd

    x, y = features(0, 60, 8), features(1, 60, 8, shift=0.3)
    theirs = float(poly_mmd(x, y))
    assert kernel_distance(moments(x), moments(y)) == pytest.approx(theirs, rel=1e-9)


def test_kernel_distance_is_unbiased_where_frechet_is_not() -> None:
    kernels, frechets = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        x, y = (moments(torch.from_numpy(rng.standard_normal((30, 8)))) for _ in range(2))
        kernels.append(kernel_distance(x, y))
        frechets.append(frechet_distance(x, y))
    error = np.std(kernels) / np.sqrt(len(kernels))
    assert abs(np.mean(kernels)) < 3 * error
    assert min(kernels) < 0
    assert np.mean(frechets) > 0.5


@given(seed=st.integers(0, 500), cut=st.integers(0, 60))
def test_parts_merged_in_any_order_are_all_at_once(seed: int, cut: int) -> None:
    values = features(seed, 60, 3)
    whole = moments(values)
    first, second = Moments(dim=3), Moments(dim=3)
    first.update(values[cut:])
    second.update(values[:cut])
    first.merge(second)
    assert first.count == 60
    np.testing.assert_allclose(first.mean, whole.mean, atol=1e-12)
    np.testing.assert_allclose(first.covariance, whole.covariance, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(first.sample, whole.sample)


def test_the_sample_stays_bounded_and_is_the_same_for_any_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frechet, "KEPT", 20)
    values = features(0, 100, 3)
    found, other = moments(values), moments(values.flip(0))
    assert found.sample.shape == (20, 3)
    np.testing.assert_array_equal(found.sample, other.sample)
    # Drawn from all of them, not from the first ones.
    positions = [int(np.flatnonzero((values.numpy() == row).all(axis=1))[0]) for row in found.sample]
    assert max(positions) > 60
    assert distances(found, other, "x")["kernel_images"] == [20, 20]


def test_odd_features_are_refused() -> None:
    found = Moments(dim=3)
    with pytest.raises(ModelError, match="odd-features"):
        found.update(torch.zeros(2, 4))
    with pytest.raises(ModelError, match="not-finite"):
        found.update(torch.tensor([[0.0, 1.0, float("nan")]]))
    with pytest.raises(ValueError, match="dimensions"):
        found.merge(Moments(dim=4))
    with pytest.raises(ValueError, match="dimensions"):
        kernel_distance(found, Moments(dim=4))


def test_band_statistics_tell_level_contrast_and_texture() -> None:
    extract = BandStatistics(2)
    rng = torch.Generator().manual_seed(0)
    images = torch.rand(2, 2, 32, 32, generator=rng)
    images[1] = images[0] * 0.5
    images[:, 1] = 0.25
    found = extract(images).view(2, 6, 2)
    assert extract(images).shape == (2, extract.dim)
    assert extract.name == "band-statistics-2"
    np.testing.assert_allclose(found[0, 0], images[0].double().mean(dim=(1, 2)))
    np.testing.assert_allclose(found[1, 1:, 0], found[0, 1:, 0] * 0.5, rtol=1e-6)
    assert (found[:, 1:, 1] == 0).all()
    striped = torch.zeros(1, 2, 32, 32)
    striped[..., ::2] = 1.0
    assert extract(striped).view(6, 2)[2:5, 0].tolist() == [1.0, 0.0, 0.0]
    with pytest.raises(ValueError, match="expected"):
        extract(torch.zeros(1, 3, 32, 32))


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.drop = nn.Dropout(0.5)

    def features(self, images: Tensor) -> Tensor:
        dropped: Tensor = self.drop(images)
        return torch.cat([dropped, -dropped], dim=1)[..., ::2, ::2]


def test_segmenter_features_are_pooled_in_evaluation_mode() -> None:
    net = Net().train()
    extract = SegmenterFeatures(net, "net of run 7", torch.zeros(1, 3, 16, 16))
    images = torch.rand(4, 3, 16, 16)
    pooled = images[..., ::2, ::2].double().mean(dim=(2, 3))
    torch.testing.assert_close(extract(images), torch.cat([pooled, -pooled], dim=1))
    assert net.training
    assert extract.name == "net of run 7"
    assert extract.dim == 6
    with pytest.raises(TypeError, match="features"):
        SegmenterFeatures(nn.ReLU(), "x", images)
