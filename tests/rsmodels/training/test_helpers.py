"""Trained networks that a run learns from beside its data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rsmodels.errors import ModelError
from rsmodels.tasks.frozen import RgbMaps, SegmenterMaps
from rsmodels.tasks.models import resolve
from rsmodels.training import helpers
from rsmodels.training.load import load
from rsmodels.training.run import train
from rsmodels.training.setup import fit_normaliser, gather
from tests.rsmodels.conftest import build_tiny
from tests.rsmodels.nets.weights import vgg_file

Small = Callable[..., dict[str, Any]]


@pytest.fixture
def segmenter(small: Small) -> str:
    """A segmentation run of one step."""
    settings = small("segmentation", "seg", steps=1, save_every=1)
    train(settings)
    return str(settings["out"])


def test_a_frozen_conductor_and_a_segmenters_eyes(small: Small, segmenter: str) -> None:
    more = {
        "conductor": {"kind": "frozen", "checkpoint": segmenter},
        "perceptual": {"weight": 1.0, "features": "segmenter", "weights": segmenter},
    }
    settings = small("csebgan", steps=2, save_every=2, **more)
    assert train(settings).finished
    found = load(settings["out"])  # what it looked through while it learned is no part of it
    assert set(found.task.networks) == {"generator", "discriminator"}


def test_what_a_helper_saw_the_run_has_seen(small: Small, tmp_path: Path) -> None:
    other = build_tiny(tmp_path / "other", north=5.4e6, seed=3)
    guide = small("segmentation", "seg", data=[str(other)], steps=1, save_every=1)
    train(guide)
    alone = gather(resolve(small("csebgan")))
    both = gather(resolve(small("csebgan", conductor={"kind": "frozen", "checkpoint": guide["out"]})))
    seen = load(guide["out"]).seen
    assert len(both.seen) == len(alone.seen) + len(seen)
    assert np.isin(seen.digest, both.seen.digest).all()


def test_vgg_sees_red_green_and_blue(small: Small, tmp_path: Path) -> None:
    file = vgg_file(tmp_path / "vgg.safetensors", "vgg19")
    settings = resolve(small("csebgan", perceptual={"weight": 1.0, "weights": str(file)}))
    material = gather(settings)
    made = helpers.make_helpers(settings, material.helpers, fit_normaliser(settings, material))
    assert isinstance(made.perceptual, RgbMaps)
    assert made.perceptual.bands == [2, 1, 0]  # of B02, B03, B04, B08
    images = torch.rand(1, 4, 32, 32)
    expected = made.perceptual.network(images[:, [2, 1, 0]])
    torch.testing.assert_close(made.perceptual(images), expected)


def test_eyes_of_a_segmenter_are_its_encoder(small: Small, segmenter: str) -> None:
    settings = resolve(small("csebgan", perceptual={"weight": 1.0, "features": "segmenter", "weights": segmenter}))
    material = gather(settings)
    made = helpers.make_helpers(settings, material.helpers, fit_normaliser(settings, material)).perceptual
    assert isinstance(made, SegmenterMaps)
    images = torch.rand(1, 4, 32, 32) * 2 - 1
    # fitted on the same chips, both have one scale
    torch.testing.assert_close(made.segmenter.translated(images), images, rtol=1e-3, atol=1e-3)
    assert len(made(images)) == 6


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("no-perceptual-weights", {"perceptual": {"weight": 10.0}}),
        ("no-perceptual-weights", {"perceptual": {"weight": 10.0, "features": "segmenter"}}),
        ("no-weights", {"perceptual": {"weight": 10.0, "weights": "none.safetensors"}}),
        ("no-checkpoint", {"perceptual": {"weight": 10.0, "features": "segmenter", "weights": "none"}}),
        ("no-frozen-conductor", {"conductor": {"kind": "frozen"}}),
        ("no-checkpoint", {"conductor": {"kind": "frozen", "checkpoint": "none"}}),
    ],
)
def test_what_is_missing_is_told_before_anything_is_written(small: Small, name: str, more: dict[str, Any]) -> None:
    settings = small("csebgan", **more)
    with pytest.raises(ModelError, match=name):
        train(settings)
    assert not Path(settings["out"]).exists()


def test_bands_that_are_no_colours(small: Small, tmp_path: Path) -> None:
    file = vgg_file(tmp_path / "vgg.safetensors")
    odd = {"bands": ["B02", "B08"], "perceptual": {"weight": 1.0, "weights": str(file)}}
    with pytest.raises(ModelError, match="no-colours"):
        gather(resolve(small("csebgan", **odd)))
    with pytest.raises(ModelError, match="no-colours"):
        gather(resolve(small("csebgan", perceptual={"weight": 1.0, "weights": str(file), "rgb": [0, 1, 4]})))


def test_a_generator_is_no_conductor(small: Small) -> None:
    other = small("pix2pix", "gan", steps=1, save_every=1)
    train(other)
    with pytest.raises(ModelError, match="not-a-segmenter"):
        gather(resolve(small("csebgan", conductor={"kind": "frozen", "checkpoint": other["out"]})))


def test_a_conductor_of_other_classes(small: Small, segmenter: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = resolve(small("csebgan", conductor={"kind": "frozen", "checkpoint": segmenter}))
    fields = gather(settings).fields
    fewer = (fields[0], type(fields[1])(**{**vars(fields[1]), "classes": ("a",), "codes": (0,)}))
    with pytest.raises(ModelError, match="other-classes"):
        helpers.find_helpers(settings, fewer)


def test_a_conductor_that_lacks_bands(small: Small, segmenter: str) -> None:
    settings = resolve(small("csebgan", bands=["B02", "B03"], conductor={"kind": "frozen", "checkpoint": segmenter}))
    material = gather(settings)
    with pytest.raises(ModelError, match="unlike-bands"):
        helpers.make_helpers(settings, material.helpers, fit_normaliser(settings, material))
