"""Accuracy of colours and colourfulness, against figures counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rsmodels.errors import ModelError
from rsmodels.metrics.colour import colour_scores


def image(*pixels: tuple[float, float, float]) -> torch.Tensor:
    """(1, 3, 1, n) of 0 to 1 from levels of 255."""
    return torch.tensor(pixels).T.reshape(1, 3, 1, -1) / 255


def test_every_channel_of_a_pixel_must_be_near_enough() -> None:
    real = image(*[(100, 100, 100)] * 5)
    made = image((100, 100, 100), (102, 98, 100), (103, 100, 100), (95, 105, 100), (100, 100, 106))
    found = colour_scores(made, real, torch.ones(1, 1, 1, 5, dtype=torch.bool))
    assert found["acc@2"].item() == pytest.approx(2 / 5)
    assert found["acc@5"].item() == pytest.approx(4 / 5)


def test_images_are_rounded_to_levels_first() -> None:
    found = colour_scores(image((102.4, 100, 100)), image((100, 100, 100)), torch.ones(1, 1, 1, 1, dtype=torch.bool))
    assert found["acc@2"].item() == 1


def test_colourfulness_is_that_of_hasler_and_suesstrunk() -> None:
    rng = np.random.default_rng(0)
    levels = rng.integers(0, 256, (2, 3, 8, 9))
    found = colour_scores(torch.from_numpy(levels / 255), torch.from_numpy(levels / 255), torch.ones(2, 1, 8, 9).bool())
    for one, value in zip(levels.astype(float), found["colourfulness"].tolist(), strict=True):
        red_green, yellow_blue = one[0] - one[1], (one[0] + one[1]) / 2 - one[2]
        spread = np.hypot(red_green.std(), yellow_blue.std())
        assert value == pytest.approx(spread + 0.3 * np.hypot(red_green.mean(), yellow_blue.mean()))
    grey = torch.full((1, 3, 4, 4), 0.5)
    assert colour_scores(grey, grey, torch.ones(1, 1, 4, 4).bool())["colourfulness"].item() == 0


def test_pixels_without_data_do_not_count() -> None:
    real, made = image((0, 0, 0), (9, 9, 9)), image((0, 0, 0), (200, 0, 0))
    seen = torch.tensor([True, False]).reshape(1, 1, 1, 2)
    found = colour_scores(made, real, seen)
    assert (found["acc@2"].item(), found["colourfulness"].item()) == (1, 0)
    assert colour_scores(made, real, ~seen & seen)["acc@2"].isnan().all()


def test_other_numbers_of_bands_are_refused() -> None:
    with pytest.raises(ModelError, match="not-rgb"):
        colour_scores(torch.zeros(1, 4, 2, 2), torch.zeros(1, 4, 2, 2), torch.ones(1, 1, 2, 2).bool())
