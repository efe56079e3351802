from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor
from torchmetrics.functional.image import (
    peak_signal_noise_ratio as torch_psnr,
)
from torchmetrics.functional.image import (
    spectral_angle_mapper,
    structural_similarity_index_measure,
)

from rsmodels.errors import ModelError
from rsmodels.metrics.image import ImageScores, mse255, psnr, sam, ssim


def pair(seed: int = 0, bands: int = 4, size: int = 32, count: int = 3) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    real = torch.rand(count, bands, size, size, generator=rng)
    noise = torch.randn(real.shape, generator=rng) * torch.linspace(0.02, 0.2, count).view(-1, 1, 1, 1)
    return (real + noise).clamp(0, 1), real


def all_valid(images: Tensor) -> Tensor:
    return torch.ones(len(images), 1, *images.shape[2:], dtype=torch.bool)


@pytest.mark.parametrize("data_range", [1.0, 255.0])
@pytest.mark.parametrize("bands", [1, 4])
def test_psnr_and_ssim_equal_skimage_and_torchmetrics(bands: int, data_range: float) -> None:
    made, real = (one * data_range for one in pair(bands=bands))
    ok = all_valid(real)
    ours = {"psnr": psnr(made, real, ok, data_range), "ssim": ssim(made, real, ok, data_range)}
    for i in range(len(real)):
        x, y = made[i].double().numpy(), real[i].double().numpy()
        assert float(ours["psnr"][i]) == pytest.approx(peak_signal_noise_ratio(y, x, data_range=data_range), abs=1e-9)
        wanted = structural_similarity(
            y, x, data_range=data_range, channel_axis=0, gaussian_weights=True, use_sample_covariance=False
        )
        assert float(ours["ssim"][i]) == pytest.approx(wanted, abs=1e-9)
    theirs = torch_psnr(made.double(), real.double(), data_range=data_range, dim=(1, 2, 3), reduction="none")
    # They take logarithms in float32.
    torch.testing.assert_close(ours["psnr"], theirs.double(), atol=1e-5, rtol=0)
    _, every = structural_similarity_index_measure(
        made.double(), real.double(), data_range=data_range, reduction="none", return_full_image=True
    )
    # They pad the border by reflection and count it; within it the two are one.
    torch.testing.assert_close(ours["ssim"], every[..., 5:-5, 5:-5].mean(dim=(1, 2, 3)), atol=1e-9, rtol=0)


def test_psnr_is_a_mean_over_images_not_over_pixels() -> None:
    made, real = pair()
    scores = ImageScores()
    each = scores.update(made, real, all_valid(real))["psnr"]
    pooled = 10 * math.log10(1 / float(((made - real).double() ** 2).mean()))
    assert scores.compute()["psnr"] == pytest.approx(float(each.mean()))
    assert abs(scores.compute()["psnr"] - pooled) > 1


def test_mse_is_on_the_scale_of_bytes() -> None:
    made, real = pair()
    wanted = ((made.double() - real.double()).numpy() * 255).__pow__(2).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(mse255(made, real, all_valid(real)).numpy(), wanted, rtol=1e-12)


def test_spectral_angle_equals_torchmetrics_and_one_zero_pixel_changes_nothing_else() -> None:
    made, real = pair()
    theirs = spectral_angle_mapper(made.double(), real.double(), reduction="none")
    torch.testing.assert_close(sam(made, real, all_valid(real)), theirs.mean(dim=(1, 2)), atol=1e-12, rtol=0)
    made[0, :, 5, 7] = 0
    real[1, :, 2, 3] = 0
    found = sam(made, real, all_valid(real))
    theirs[0, 5, 7] = theirs[1, 2, 3] = float("nan")
    torch.testing.assert_close(found, theirs.nanmean(dim=(1, 2)), atol=1e-12, rtol=0)


def test_spectral_angle_of_equal_and_of_scaled_spectra_is_zero() -> None:
    _, real = pair()
    assert float(sam(real, real, all_valid(real)).max()) == 0.0
    # arccos of a rounded 1 would give 1e-8 here.
    assert float(sam(real.double() * 0.3, real.double(), all_valid(real)).max()) < 1e-14


def test_what_is_not_valid_never_counts() -> None:
    made, real = pair(size=40)
    ok = all_valid(real)
    ok[:, :, :, 25:] = False
    crops = made[..., :25], real[..., :25], ok[..., :25]
    made, real = made.clone(), real.clone()
    made[..., 25:], real[..., 25:] = float("nan"), float("inf")
    for figure in (psnr, ssim, sam, mse255):
        torch.testing.assert_close(figure(made, real, ok), figure(*crops), atol=1e-12, rtol=0)


def test_a_window_that_touches_one_invalid_pixel_is_left_out() -> None:
    made, real = pair(count=1, size=32)
    ok = all_valid(real)
    ok[0, 0, 16, 16] = False
    _, every = structural_similarity(
        real[0].double().numpy(),
        made[0].double().numpy(),
        data_range=1.0,
        channel_axis=0,
        gaussian_weights=True,
        use_sample_covariance=False,
        full=True,
    )
    kept = np.ones((32, 32), bool)
    kept[:5] = kept[-5:] = False
    kept[:, :5] = kept[:, -5:] = False
    kept[11:22, 11:22] = False
    assert float(ssim(made, real, ok)) == pytest.approx(every.mean(axis=0)[kept].mean(), abs=1e-9)


def test_an_image_without_data_is_skipped_and_counted() -> None:
    made, real = pair()
    ok = all_valid(real)
    ok[1] = False
    scores = ImageScores()
    each = scores.update(made, real, ok, made, real)
    for values in each.values():
        assert torch.isnan(values).tolist() == [False, True, False]
    found = scores.compute()
    assert (found["images"], found["skipped"]) == (2, 1)
    for name, values in each.items():
        assert found[name] == pytest.approx(float(values[[0, 2]].mean()))


def test_equal_images_are_counted_and_do_not_make_the_mean_infinite() -> None:
    made, real = pair()
    made[2] = real[2]
    scores = ImageScores()
    each = scores.update(made, real, all_valid(real))
    assert each["psnr"][2] == math.inf
    assert float(each["ssim"][2]) == pytest.approx(1.0)
    found = scores.compute()
    assert found["equal"] == 1
    assert found["psnr"] == pytest.approx(float(each["psnr"][:2].mean()))
    perfect = ImageScores()
    perfect.update(real, real, all_valid(real))
    assert perfect.compute()["psnr"] == math.inf


def test_parts_merged_give_what_all_at_once_gives() -> None:
    made, real = pair(count=5)
    ok = all_valid(real)
    whole, first, second = ImageScores(), ImageScores(), ImageScores()
    whole.update(made, real, ok, made, real)
    first.update(made[:2], real[:2], ok[:2], made[:2], real[:2])
    second.update(made[2:], real[2:], ok[2:], made[2:], real[2:])
    first.merge(second)
    assert first.compute() == pytest.approx(whole.compute())
    with pytest.raises(ValueError, match="255"):
        first.merge(ImageScores(data_range=255.0))


def test_nothing_scored_is_nan_and_half_precision_is_summed_in_full() -> None:
    assert math.isnan(ImageScores().compute()["psnr"])
    made, real = (one.bfloat16() for one in pair())
    torch.testing.assert_close(
        psnr(made, real, all_valid(real)), psnr(made.double(), real.double(), all_valid(real)), atol=0, rtol=0
    )


def test_no_angle_for_one_band() -> None:
    made, real = pair(bands=1)
    scores = ImageScores()
    assert "sam" not in scores.update(made, real, all_valid(real), made, real)
    assert math.isnan(scores.compute()["sam"])
    with pytest.raises(ModelError, match="one-band"):
        sam(made, real, all_valid(real))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_diverged_image_is_refused_not_skipped(bad: float) -> None:
    made, real = pair()
    made[1, 2, 3, 4] = bad
    with pytest.raises(ModelError, match="not-finite"):
        ImageScores().update(made, real, all_valid(real))


def test_odd_shapes_and_small_images_are_refused_by_name() -> None:
    made, real = pair()
    with pytest.raises(ModelError, match="odd-images"):
        psnr(made, real[:, :3], all_valid(real))
    with pytest.raises(ModelError, match="odd-images"):
        psnr(made, real, all_valid(real)[:, 0])
    small = made[..., :10, :10], real[..., :10, :10]
    with pytest.raises(ModelError, match="small-image"):
        ssim(*small, all_valid(small[0]))


def test_ssim_of_a_part_is_the_mean_of_the_map_there() -> None:
    rng = np.random.default_rng(3)
    a, b = (torch.from_numpy(rng.uniform(0, 1, (2, 1, 40, 40))) for _ in range(2))
    within = torch.zeros(2, 1, 40, 40, dtype=torch.bool)
    within[0, :, 8:19, 3:30] = True  # reaches into the rim, where there is no whole window
    valid = torch.ones_like(within)
    found = ssim(a, b, valid, within=within)
    _, full = structural_similarity(
        a[0, 0].numpy(), b[0, 0].numpy(), data_range=1.0, gaussian_weights=True, use_sample_covariance=False, full=True
    )
    assert float(found[0]) == pytest.approx(full[8:19, 5:30].mean(), rel=1e-9)
    assert bool(found[1].isnan())
    torch.testing.assert_close(ssim(a, b, valid, within=valid), ssim(a, b, valid))
