"""MaskMix masks as a corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import affine_transform, gaussian_filter

import rsprep
from rsprep.corpus.clouds.job import cloud_masks
from rsprep.corpus.mixing.job import maskmix
from rsprep.errors import ConfigError, InputError, StoreError
from rsprep.job.verify import verify
from tests.support import real_data

LOW, HIGH = 0.15, 0.60


def blob(seed: int, side: int = 96, share: float = 0.2) -> NDArray[np.uint8]:
    """A ragged shape in the middle of its frame."""
    noise = gaussian_filter(np.random.default_rng(seed).standard_normal((side, side)), 6)
    y, x = np.indices((side, side)) - side / 2
    height = noise / noise.std() - np.hypot(y, x) / (side / 6)
    return (height > np.quantile(height, 1 - share)).astype(np.uint8)


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mix") / "seeds"
    folder.mkdir()
    for number in range(6):
        Image.fromarray(blob(number) * np.uint8(255)).save(folder / f"cloud {number}.png")
    Image.fromarray(np.zeros((96, 96), np.uint8)).save(folder / "empty.png")
    return folder


def settings(folder: Path, seeds: Path, **more: Any) -> dict[str, Any]:
    values = {"seeds": str(seeds), "out": str(folder / "masks"), "catalog": str(folder / "catalog")}
    return {**values, "n": 300, "size": 64, "seed": 11, **more}


def digests(dataset: Path) -> list[str]:
    table = pq.read_table(dataset / "items.parquet")
    return [str(digest) for digest in table.column("rsprep:digest").to_pylist()]


def test_masks_are_binary_within_bounds_and_all_different(seeds: Path, tmp_path: Path) -> None:
    outcome = maskmix(settings(tmp_path, seeds, png=True))
    assert (outcome.data.counts.committed, outcome.failures) == (300, 0)
    dataset = rsprep.open(outcome.dataset)
    masks = dataset["mask"].to_numpy()
    assert set(np.unique(masks)) == {0, 1}
    area = masks.mean(axis=(1, 2))
    assert LOW <= area.min() < area.max() <= HIGH
    np.testing.assert_allclose(dataset["area_ratio"], area, rtol=1e-6)
    assert len(set(digests(outcome.dataset))) == 300
    assert set(dataset["seed_id"].to_numpy().tolist()) == {f"cloud {number}.png" for number in range(6)}
    first = np.asarray(Image.open(outcome.dataset / "masks" / "mix-0000000.png"))
    np.testing.assert_array_equal(first, masks[0] * 255)
    assert len((outcome.dataset / "manifest.csv").read_text().splitlines()) == 301
    assert verify(outcome.dataset).ok
    (table,) = outcome.data.tables
    figures = dict(table.rows)
    assert figures["distinct masks"] == "300 of 300"
    tries = int(dataset["attempts"].sum())
    assert figures["acceptance rate"] == f"{300 / tries:.1%}"


@pytest.mark.parametrize(("scheduler", "workers"), [("threads", 1), ("threads", 4), ("processes", 2)])
def test_the_number_of_workers_changes_nothing(seeds: Path, tmp_path: Path, scheduler: str, workers: int) -> None:
    alone = maskmix(settings(tmp_path / "alone", seeds, n=40, size=512))
    engine = {"scheduler": scheduler, "workers": workers}
    other = maskmix(settings(tmp_path / "other", seeds, n=40, size=512, engine=engine))
    assert digests(other.dataset) == digests(alone.dataset)


def test_more_masks_begin_with_the_same_ones_and_another_seed_has_others(seeds: Path, tmp_path: Path) -> None:
    few, more, other = (
        digests(maskmix(settings(tmp_path / name, seeds, **changes)).dataset)
        for name, changes in (("few", {"n": 20}), ("more", {"n": 50}), ("other", {"n": 20, "seed": 12}))
    )
    assert more[:20] == few
    assert not set(other) & set(few)


def test_masks_inherit_the_split_of_their_seeds(tmp_path: Path) -> None:
    """Pitfall 41: no seed serves two splits."""
    scenes = tmp_path / "scenes"
    scenes.mkdir()
    for number in range(12):
        Image.fromarray(blob(number, 160, 0.1)).save(scenes / f"scene{number}.png")
    corpus = cloud_masks({
        "scenes": [str(scenes)], "out": str(tmp_path / "seeds"), "catalog": str(tmp_path / "catalog"),
        "classes": "binary", "size": 96, "split": "scene", "ratio": [0.5, 0.25, 0.25],
    })  # fmt: skip
    by_split = rsprep.open(corpus.dataset)
    assert len(set(by_split["split"].to_numpy().tolist())) > 1
    home = dict(zip(by_split["chip_id"].to_numpy().tolist(), by_split["split"].to_numpy().tolist(), strict=True))
    masks = rsprep.open(maskmix(settings(tmp_path, corpus.dataset, n=60)).dataset)
    for seed, split in zip(masks["seed_id"].to_numpy().tolist(), masks["split"].to_numpy().tolist(), strict=True):
        assert home[seed] == split
    trained = rsprep.open(maskmix(settings(tmp_path / "all", corpus.dataset, n=20, split="train")).dataset)
    assert set(trained["split"].to_numpy().tolist()) == {"train"}


def test_what_cannot_be_used_is_named_and_leaves_nothing(seeds: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match="empty-folder"):
        maskmix(settings(tmp_path / "out", empty))
    Image.fromarray(np.zeros((32, 32), np.uint8)).save(empty / "clear.png")
    with pytest.raises(InputError, match="no-usable-seed"):
        maskmix(settings(tmp_path / "out", empty))
    Image.fromarray(np.full((32, 32), 7, np.uint8)).save(empty / "grey.png")
    with pytest.raises(InputError, match=r"grey\.png"):
        maskmix(settings(tmp_path / "out", empty))
    mix = {"area": [0.97, 0.98], "resize": "off", "tries": 20}
    with pytest.raises(ConfigError, match="area-unreachable"):
        maskmix(settings(tmp_path / "out", seeds, mix=mix))
    assert not (tmp_path / "out").exists()


def test_other_seeds_do_not_resume(seeds: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    Image.fromarray(blob(1)).save(mine / "a.png")
    maskmix(settings(tmp_path, mine, n=20))
    Image.fromarray(blob(2)).save(mine / "a.png")
    with pytest.raises(StoreError, match=r"input\.seeds"):
        maskmix(settings(tmp_path, mine, n=20))


def test_a_corpus_goes_on_when_its_seeds_have_moved(
    seeds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = maskmix(settings(tmp_path, seeds, n=20))
    monkeypatch.chdir(seeds.parent)
    again = maskmix(settings(tmp_path, Path("seeds"), n=20))
    assert digests(again.dataset) == digests(first.dataset)


def turned_and_shifted(seeds: NDArray[np.uint8], count: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Seeds rotated up to 30° and shifted up to a third, nothing else, within the same bounds; by scipy."""
    found: list[NDArray[np.uint8]] = []
    side = seeds.shape[1]
    while len(found) < count:
        seed = seeds[rng.integers(len(seeds))]
        angle = np.radians(rng.uniform(-30, 30))
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        middle = np.full(2, (side - 1) / 2)
        offset = middle - turn @ (middle + rng.uniform(-side / 3, side / 3, 2))
        mask = affine_transform(seed, turn, offset=offset, order=0)
        if LOW <= mask.mean() <= HIGH:
            found.append(mask)
    return np.stack(found)


def mean_iou(masks: NDArray[np.uint8], rng: np.random.Generator, pairs: int = 40_000) -> float:
    """Mean over random pairs, at a quarter of the resolution."""
    small = masks[:, ::4, ::4].astype(np.bool_).reshape(len(masks), -1)
    first, second = rng.integers(0, len(masks), (2, pairs))
    total = 0.0
    for at in np.array_split(np.flatnonzero(first != second), 40):
        a, b = small[first[at]], small[second[at]]
        total += float(((a & b).sum(1) / np.maximum((a | b).sum(1), 1)).sum())
    return total / int((first != second).sum())


def test_ten_thousand_masks_from_real_clouds(tmp_path: Path) -> None:
    scene = real_data("clouds") / "19GBQ-cloud-mask.tif"
    clouds = cloud_masks({
        "scenes": [str(scene)], "classes": "omnicloudmask", "out": str(tmp_path / "seeds"),
        "catalog": str(tmp_path / "catalog"),
    })  # fmt: skip
    assert clouds.data.counts.committed >= 200
    seeds = rsprep.open(clouds.dataset)
    diverse = seeds["mask"].isel(chip=seeds["diverse"].to_numpy()).to_numpy()
    assert len(diverse) == 28
    outcome = maskmix(settings(tmp_path, clouds.dataset, n=10_000, size=256))
    dataset = rsprep.open(outcome.dataset)
    masks = dataset["mask"].to_numpy()
    assert masks.shape == (10_000, 256, 256)
    assert masks.max() == 1
    area = masks.mean(axis=(1, 2))
    assert LOW <= area.min() < area.max() <= HIGH
    assert len(set(digests(outcome.dataset))) == 10_000
    rng = np.random.default_rng(0)
    assert mean_iou(masks[:4000], rng) < 0.95 * mean_iou(turned_and_shifted(diverse, 800, rng), rng)
