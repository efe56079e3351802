"""Recoloured chips: colours of another chip of the same kind, on the structure and labels of their parent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import rsprep
from rsmodels.data.augment import turn
from rsmodels.data.lineage import check_training_mix
from rsmodels.data.source import ChipSource
from rsmodels.lab import to_lab
from rsmodels.synth.job import synth_augment
from rsmodels.synth.recolour import brought_to, colour_figures, groups_of, lightened, reference_for
from rsprep.finish import Outcome
from rsprep.job.verify import verify
from tests.rsmodels.scenes import build_scenes
from tests.rsmodels.synth.conftest import train_tiny
from tests.rsmodels.synth.test_job import ELEMENTS

COLOURS = {"model": "bmmaenet", "network": {"width": 4, "downs": 3}, "discriminator": {"width": 4, "downs": 2}}


def recoloured(data: Path, out: Path, **changes: Any) -> Outcome:
    run = train_tiny(data, out / "run", **COLOURS)
    values = {"data": str(data), "checkpoint": str(run), "out": str(out / "more"), "catalog": str(out / "catalog")}
    return synth_augment({**values, "device": "cpu", **changes})


@pytest.fixture(scope="module")
def made(tiny_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Three images of every turned form of every chip."""
    return recoloured(tiny_dataset, tmp_path_factory.mktemp("recoloured"), n="10x", samples=3)


def test_labels_terrain_and_radar_stay_as_they_are_turned(made: Outcome, tiny_dataset: Path) -> None:
    assert verify(made.dataset).ok
    counts = made.data.counts
    assert counts.planned == 200 == counts.committed + counts.rejected
    assert counts.committed > 150  # the same reference twice is the same image
    chips, parents = rsprep.open(made.dataset).load(), rsprep.open(tiny_dataset).load()
    at = {name: number for number, name in enumerate(parents.chip_id.values.tolist())}
    for number, name in enumerate(chips.parent_id.values.tolist()):
        element = ELEMENTS[str(chips.variation.values[number]).split("-s")[0]]
        kept = {"lulc": parents.lulc.values[at[name]], "s1": parents.s1.values[at[name]]}
        for variable, expected in turn(kept, element, ()).items():
            np.testing.assert_array_equal(chips[variable].values[number], expected)
    assert list(chips.s2.band.values if "band" in chips.s2.coords else chips.s2_band.values) == ["B04", "B03", "B02"]


def test_a_reference_is_another_train_chip_with_the_same_largest_class(made: Outcome, tiny_dataset: Path) -> None:
    chips = rsprep.open(made.dataset)
    source = ChipSource.open(tiny_dataset)
    train = source.of_split("train")
    names = source.chips.chip_id[np.searchsorted(source.chips.slot, train)].tolist()
    lulc = rsprep.open(tiny_dataset).lulc.load()
    largest = {}
    for name in names:
        codes, counts = np.unique(lulc.sel(chip=lulc.chip_id == name).values, return_counts=True)
        known = codes < 9
        largest[name] = int(codes[known][counts[known].argmax()])
    pairs = list(zip(chips.parent_id.values.tolist(), chips.reference_id.values.tolist(), strict=True))
    assert all(largest[parent] == largest[reference] for parent, reference in pairs)
    alone = [name for name in names if list(largest.values()).count(largest[name]) == 1]
    assert all((parent == reference) == (parent in alone) for parent, reference in pairs)
    assert len(set(pairs)) > len(names)


def test_it_may_be_trained_on_and_says_what_it_saw(made: Outcome, tiny_dataset: Path) -> None:
    real, more = ChipSource.open(tiny_dataset), ChipSource.open(made.dataset)
    check_training_mix([real, more], [real])
    assert bool(more.chips.synthetic.all())


def test_scenes_keep_their_label(tmp_path: Path) -> None:
    scenes = build_scenes(tmp_path / "scenes", chips=20)
    chips = rsprep.open(recoloured(scenes, tmp_path, n="2x", edits=False).dataset)
    real = rsprep.open(scenes)
    labels = dict(zip(real.chip_id.values.tolist(), real.label.values.tolist(), strict=True))
    assert [labels[name] for name in chips.parent_id.values.tolist()] == chips.label.values.tolist()
    assert [labels[name] for name in chips.reference_id.values.tolist()] == chips.label.values.tolist()
    assert "occluded" not in chips


def test_colours_take_the_mean_and_spread_that_are_wanted() -> None:
    torch.manual_seed(0)
    image = 0.5 + 0.1 * torch.rand(3, 16, 16)
    seen = torch.ones(16, 16, dtype=torch.bool)
    wanted = np.array([[0.05, 0.02], [-0.04, 0.03]], np.float32)
    moved = brought_to(image, seen, wanted, 1.0)
    np.testing.assert_allclose(colour_figures(moved, seen), wanted, atol=2e-3)
    torch.testing.assert_close(to_lab(moved[None])[:, 0], to_lab(image[None])[:, 0], atol=2e-3, rtol=0)
    assert torch.equal(brought_to(image, seen, wanted, 0.0), image)
    assert torch.equal(brought_to(image, seen, np.full((2, 2), np.nan, np.float32), 1.0), image)
    half = colour_figures(brought_to(image, seen, wanted, 0.5), seen)[:, 0]
    np.testing.assert_allclose(half, (colour_figures(image, seen)[:, 0] + wanted[:, 0]) / 2, atol=2e-3)


def test_whoever_is_alone_in_a_group_keeps_its_own_colours() -> None:
    slots, groups = np.array([2, 5, 9]), np.array([0, 1, 0])
    assert reference_for(5, 0, slots, groups) == 5
    assert {reference_for(2, seed, slots, groups) for seed in range(9)} == {9}


def test_structure_is_the_parents() -> None:
    torch.manual_seed(1)
    parents, images = 0.3 + 0.4 * torch.rand(2, 2, 3, 8, 8)
    lightness = to_lab(lightened(images, parents))[:, 0]
    torch.testing.assert_close(lightness, to_lab(parents)[:, 0], atol=2e-3, rtol=0)


def test_without_labels_all_chips_are_one_group(tiny_dataset: Path) -> None:
    source = ChipSource.open(tiny_dataset)
    assert set(groups_of(source, source.of_split("train"), None).tolist()) == {0}
