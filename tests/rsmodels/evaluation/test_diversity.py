from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from torch import Tensor

from rsmodels.data.batch import ChipBatch
from rsmodels.data.loader import sweep
from rsmodels.data.source import ChipSource
from rsmodels.errors import ModelError
from rsmodels.evaluation.diversity import Draws, evenly, generated, noise_seed, one_of
from rsmodels.metrics.perceptual import by_vgg, rgb_of
from rsmodels.nets.noise import NoiseForm
from rsmodels.training.load import Trained
from tests.rsmodels.evaluation.planted import (
    BY_CLASS,
    batches,
    blurred,
    by_network,
    planted,
    run,
    small_unet,
    stochastic,
    tinted,
)
from tests.rsmodels.nets.weights import vgg_file

FEW: dict[str, Any] = {"samples": 4, "pairs": 3, "diversity_chips": 2}


@pytest.fixture(scope="module")
def source(tiny_dataset: Path) -> ChipSource:
    return ChipSource.open(tiny_dataset)


@pytest.fixture(scope="module")
def vgg(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(vgg_file(tmp_path_factory.mktemp("weights") / "w.safetensors", linear=True))


@pytest.fixture
def segmenter(source: ChipSource) -> Trained:
    net = small_unet()
    return planted(source, "segmentation", by_network(net), network=net)


def leaking(batch: ChipBatch, noise: Tensor) -> Tensor:
    """As `tinted`, but the noise of each class also tints everything a little."""
    return tinted(batch, noise) + 0.05 * torch.tanh(noise.sum(dim=1))[..., None, None]


def steady(batch: ChipBatch, noise: Tensor) -> Tensor:
    """Noise changes nothing."""
    return tinted(batch, torch.zeros_like(noise))


def test_noise_of_one_class_changes_that_class_alone(
    source: ChipSource, tmp_path: Path, vgg: str, segmenter: Trained
) -> None:
    for name, judge, weights in (("vgg", None, vgg), ("segmenter", segmenter, None)):
        own = run(stochastic(source, tinted), source, tmp_path / name, judge, vgg=weights, **FEW).record["diversity"]
        assert own["mocd"] == pytest.approx(0.0, abs=1e-7)
        assert own["mcsd"] > 1e-4
        assert own["diversity"] > 1e-4
        assert own["spread"] > 0.01
        assert own["by"] == ("lpips-vgg16" if weights else "segmenter 0123456789ab")
        assert (own["weights"] is None) == (weights is None)
    leaks = run(stochastic(source, leaking), source, tmp_path / "leaks", vgg=vgg, **FEW).record["diversity"]
    assert leaks["mocd"] > 1e-4


def test_one_image_however_often_it_is_drawn_has_no_diversity(source: ChipSource, tmp_path: Path, vgg: str) -> None:
    """Pitfall 50."""
    found = run(stochastic(source, steady), source, tmp_path, vgg=vgg, **FEW).record
    assert [found["diversity"][name] for name in ("diversity", "spread", "mcsd", "mocd")] == [0.0] * 4
    assert found["table"]["diversity"] == 0.0


def test_one_noise_for_the_whole_image_changes_everything(source: ChipSource, tmp_path: Path, vgg: str) -> None:
    form = NoiseForm(shape=(4,), by_class=False)

    def everywhere(batch: ChipBatch, noise: Tensor) -> Tensor:
        return tinted(batch, noise[:, None].expand(-1, 10, -1))

    found = run(stochastic(source, everywhere, form), source, tmp_path, vgg=vgg, **FEW)
    assert found.record["diversity"]["by_class"] is False
    assert min(found.record["diversity"][name] for name in ("mcsd", "mocd")) > 1e-4
    assert "one noise for the whole image" in found.page.read_text()


def test_figures_are_those_of_the_definition(source: ChipSource, tmp_path: Path, vgg: str) -> None:
    trained = stochastic(source, leaking)
    found = run(trained, source, tmp_path, vgg=vgg, **FEW).record["diversity"]
    rows = pq.read_table(tmp_path / "diversity.parquet").to_pandas()
    names = trained.normaliser.field("landcover").classes
    by, bands = by_vgg(vgg), trained.normaliser.field("image").bands
    (batch,) = batches(trained, source)
    chip = one_of(batch, 0)
    slot = chip.chips[0].slot
    rows = rows[rows.slot == slot].set_index("class")
    seeds, pairs = rows.loc[""].seeds.tolist(), [tuple(pair) for pair in rows.loc[""].pairs]
    assert seeds == [noise_seed(0, slot, sample) for sample in range(4)]
    noise = BY_CLASS.seeded(seeds)

    def made(of: Tensor) -> Tensor:
        return rgb_of(generated(trained, chip, of[None], 4).clamp(-1, 1), bands)

    apart = [by.distance(made(noise[i]), made(noise[j])).item() for i, j in pairs]
    assert rows.loc[""].inside == pytest.approx(np.mean(apart), rel=1e-4)
    mask = chip.values["landcover"][0]
    index = int(mask[mask < 9].mode().values)
    region = mask == index
    inside, outside = [], []
    for pair in pairs:
        images = []
        for sample in pair:
            mixed = noise[0].clone()
            mixed[index] = noise[sample][index]
            images.append(made(mixed))
        inside.append(by.maps(*(image * region for image in images))[0][region].mean().item())
        outside.append(by.maps(*(image * ~region for image in images))[0][~region].mean().item())
    row = rows.loc[names[index]]
    assert (row.inside, row.outside) == pytest.approx((np.mean(inside), np.mean(outside)), rel=1e-3)
    # Classes are meaned over their masks first, then all alike.
    table = pq.read_table(tmp_path / "diversity.parquet").to_pandas()
    of_classes = table[table["class"] != ""].groupby("class").inside.mean()
    assert found["mcsd"] == pytest.approx(of_classes.mean())
    assert found["diversity"] == pytest.approx(table[table["class"] == ""].inside.mean())
    assert [one["name"] for one in found["classes"]] == [name for name in names if name in of_classes.index]


def test_a_generator_without_noise_has_none(source: ChipSource, tmp_path: Path, vgg: str) -> None:
    found = run(planted(source, "generator", blurred), source, tmp_path, vgg=vgg)
    assert found.record["diversity"]["stochastic"] is False
    assert [found.record["table"][name] for name in ("diversity", "mcsd", "mocd")] == [0.0, None, None]
    assert not (tmp_path / "diversity.parquet").exists()
    assert "nothing to draw anew" in found.page.read_text()


def test_without_anything_to_see_with_the_record_says_so(source: ChipSource, tmp_path: Path) -> None:
    found = run(stochastic(source, tinted), source, tmp_path)
    assert found.record["table"]["diversity"] is None
    assert "give a segmenter" in found.record["diversity"]["why"]
    page = found.page.read_text()
    assert "Diversity was not measured" in page
    assert "Several images of a mask" in page
    assert "One class drawn anew" in page


def test_a_distance_that_was_asked_for_is_not_replaced(
    source: ChipSource, tmp_path: Path, vgg: str, segmenter: Trained
) -> None:
    trained = stochastic(source, tinted)
    with pytest.raises(ModelError, match="no-lpips-weights"):
        run(trained, source, tmp_path / "no", segmenter, perceptual="lpips")
    for which, judge in (("vgg", segmenter), ("segmenter", None)):
        with pytest.raises(ModelError, match="no-perceptual"):
            run(trained, source, tmp_path / "no", judge, perceptual=which)
    assert not (tmp_path / "no").exists()
    found = run(trained, source, tmp_path, segmenter, perceptual="segmenter", vgg=vgg, **FEW).record
    assert found["table"]["distance"] == "segmenter 0123456789ab"
    with pytest.raises(ModelError, match="no-use"):
        run(segmenter, source, tmp_path, vgg=vgg)


def test_draws_are_told_and_repeat() -> None:
    draws = Draws(samples=10, pairs=10, seed=3)
    pairs = draws.chosen(5)
    assert len(set(pairs)) == 10
    assert all(0 <= first < second < 10 for first, second in pairs)
    assert pairs == Draws(samples=10, pairs=10, seed=3).chosen(5) != draws.chosen(6)
    assert len(Draws(samples=3, pairs=10).chosen(0)) == 3
    seeds = [seed for slot in range(20) for seed in draws.noise_seeds(slot)]
    assert len(set(seeds)) == 200
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert evenly(np.arange(10), 4).tolist() == [0, 3, 6, 9]
    assert evenly(np.arange(3), 4).tolist() == [0, 1, 2]


def test_fewer_masks_and_other_batches_give_the_same_of_each(source: ChipSource, tmp_path: Path, vgg: str) -> None:
    trained = stochastic(source, leaking)
    run(trained, source, tmp_path / "all", vgg=vgg, **{**FEW, "diversity_chips": 64})
    run(trained, source, tmp_path / "few", vgg=vgg, batch=2, **FEW)
    every, few = (pq.read_table(tmp_path / name / "diversity.parquet").to_pandas() for name in ("all", "few"))
    assert few.slot.nunique() == 2
    both = every[every.slot.isin(few.slot)].reset_index(drop=True)
    np.testing.assert_allclose(both.inside, few.inside, rtol=1e-5)
    assert not math.isnan(float(few.inside.mean()))


def test_a_mask_of_one_class_has_nothing_outside(source: ChipSource, tmp_path: Path, vgg: str) -> None:
    trained = stochastic(source, tinted)
    from rsmodels.evaluation.diversity import Diversity
    from rsmodels.evaluation.sight import eye_of

    eye = eye_of(trained, None, vgg, "auto", "cpu")
    assert eye is not None
    landcover = trained.normaliser.field("landcover")
    measure = Diversity(trained=trained, eye=eye, draws=Draws(samples=2, pairs=1), condition=landcover, batch=2)
    (batch, *_) = sweep(source, "test", trained.fields, trained.normaliser, batch=1)
    for value, classes in ((2, 1), (255, 0)):
        batch.values["landcover"][:] = value
        measure.update(batch)
        assert len(measure.chips[-1].classes) == classes
    assert math.isnan(measure.chips[0].classes[0].outside)
    assert measure.chips[0].classes[0].inside > 0
