"""Veils over clear images: their physics, and that they follow from seed, step and chip."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rsmodels.data.batch import ChipKey
from rsmodels.generators.haze import Haze, clouds, veiled
from rsprep.errors import ConfigError
from rsprep.settings import make_settings

CHIPS = [ChipKey(0, slot) for slot in range(40)]
IMAGES = torch.rand(40, 3, 16, 24, generator=torch.Generator().manual_seed(0))


def test_an_even_veil_is_a_mixture_with_its_light() -> None:
    how = Haze(chance=1.0, depth=(0.4, 0.4), light=(0.9, 0.9), cloudy=0.0)
    torch.testing.assert_close(veiled(IMAGES, CHIPS, how, 0), IMAGES * 0.6 + 0.9 * 0.4)


def test_thin_clouds_take_nothing_somewhere_and_all_they_may_elsewhere() -> None:
    how = Haze(chance=1.0, depth=(0.5, 0.5), light=(1.0, 1.0), cloudy=1.0)
    made = veiled(torch.zeros(2, 3, 32, 32), CHIPS[:2], how, 0)
    assert made.amin().item() == 0
    assert made.amax().item() == pytest.approx(0.5)
    assert (made[:, 0] == made[:, 2]).all()
    step = made.diff(dim=-1).abs().max()
    assert step < 0.15  # smooth


def test_a_veil_follows_from_seed_step_and_chip_alone() -> None:
    how = Haze()
    whole = veiled(IMAGES, CHIPS, how, 3, step=5)
    part = veiled(IMAGES[7:9], CHIPS[7:9], how, 3, step=5)
    assert torch.equal(whole[7:9], part)
    others = [
        veiled(IMAGES, CHIPS, how, 3, step=6),
        veiled(IMAGES, CHIPS, how, 4, step=5),
        veiled(IMAGES, CHIPS, how, 3),
    ]
    assert all(not torch.equal(whole, other) for other in others)
    touched = (whole != IMAGES).flatten(1).any(dim=1).float().mean()
    assert 0.25 < touched < 0.75


def test_structures_run_from_0_to_1() -> None:
    for seed in range(5):
        made = clouds(np.random.default_rng(seed), 20, 30, 0.5)
        assert made.shape == (20, 30)
        assert (made.min().item(), made.max().item()) == (0.0, pytest.approx(1.0))


def test_odd_veils_are_refused() -> None:
    with pytest.raises(ConfigError, match="the lower one first"):
        make_settings(Haze, {"depth": [0.6, 0.1]})
