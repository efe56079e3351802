"""The semantic corpus: chips are cut-outs of one scene, every pixel is accounted for, no scene is in two splits."""

from __future__ import annotations

import dataclasses
import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import xarray as xr
from numpy.typing import NDArray

import rsprep
from rsprep.corpus.pictures import read_picture
from rsprep.corpus.plan import CorpusPlan
from rsprep.corpus.semantic.job import plan_semantic, semantic_masks
from rsprep.corpus.semantic.statistics import FILE_NAME
from rsprep.errors import ConfigError, StoreError
from rsprep.finish import Outcome
from rsprep.job.journal_view import JournalView
from rsprep.job.verify import verify
from rsprep.products.crosswalk import load_crosswalk
from rsprep.store.read import chip_transform
from tests.rsprep.corpus.scenes import SIZE, UTM, coloured, plant, save, save_palette
from tests.support import real_data

Scenes = dict[str, tuple[NDArray[Any], NDArray[np.uint8]]]


def make(scenes: Path, out: Path, *, retry_failed: bool = False, **changes: Any) -> Outcome:
    given = {"scenes": str(scenes), "out": str(out), "classes": "scenes-lulc4", "size": SIZE, **changes}
    return semantic_masks({"catalog": str(out.parent / "catalog"), **given}, retry_failed=retry_failed)


def statistics(outcome: Outcome) -> dict[str, Any]:
    return dict(json.loads((outcome.dataset / FILE_NAME).read_text()))


def digests(outcome: Outcome) -> list[str]:
    return list(pq.read_table(outcome.dataset / "items.parquet").column("rsprep:digest").to_pylist())


def splits_of_scenes(dataset: xr.Dataset) -> dict[str, set[str]]:
    found = defaultdict(set)
    for scene, split in zip(dataset.scene.to_numpy().tolist(), dataset.split.to_numpy().tolist(), strict=True):
        found[scene].add(split)
    return dict(found)


def summed(parts: dict[str, dict[str, int]], *names: str) -> dict[str, int]:
    return {code: sum(parts[name][code] for name in names) for code in parts["scenes"]}


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Scenes]:
    folder = tmp_path_factory.mktemp("planted") / "scenes"
    return folder, plant(folder)


@pytest.fixture(scope="module")
def corpus(planted: tuple[Path, Scenes], tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return make(planted[0], tmp_path_factory.mktemp("corpus") / "set", max_unknown=0.5)


# -- cutting --------------------------------------------------------------------------------------


def test_a_chip_is_a_cut_out_of_its_scene(corpus: Outcome, planted: tuple[Path, Scenes]) -> None:
    dataset = rsprep.open(corpus.dataset)
    assert dataset.image.dims == ("chip", "band", "y", "x")
    assert dataset.band.to_numpy().tolist() == ["red", "green", "blue"]
    seen = set()
    for i in range(len(dataset.chip_id)):
        one = dataset.isel(chip=i)
        scene, row, column = str(one.scene.item()), int(one.row), int(one.col)
        here = np.s_[..., row * SIZE : (row + 1) * SIZE, column * SIZE : (column + 1) * SIZE]
        image, mask = planted[1][scene]
        assert (one.image.to_numpy() == image[here]).all()
        assert (one.mask.to_numpy() == mask[here]).all()
        assert one.unknown_fraction.item() == pytest.approx((mask[here] == 0).mean())
        assert one.unknown_fraction.item() <= 0.5
        assert one.chip_id.item() == f"{scene}-r{row:03d}-c{column:03d}"
        shares = np.bincount(mask[here].ravel(), minlength=4)[1:] / SIZE**2
        assert one.dominant_share.item() == pytest.approx(shares.max())
        assert one.dominant_class.item() == ["built-up", "vegetation", "water"][int(shares.argmax())]
        seen.add((scene, row, column))
    wanted = {
        (scene, row, column)
        for scene, (_, mask) in planted[1].items()
        for row in range(mask.shape[0] // SIZE)
        for column in range(mask.shape[1] // SIZE)
        if (mask[row * SIZE : (row + 1) * SIZE, column * SIZE : (column + 1) * SIZE] == 0).mean() <= 0.5
    }
    assert seen == wanted
    assert corpus.data.counts.rejected > 2


def test_classes_are_told_with_the_mask(corpus: Outcome) -> None:
    mask = rsprep.open(corpus.dataset).mask
    assert mask.attrs["flag_values"] == [1, 2, 3]
    assert mask.attrs["flag_meanings"].split() == ["built-up", "vegetation", "water"]
    assert len(mask.attrs["flag_colors"].split()) == 3
    assert mask.attrs["nodata"] == 0
    assert "1 stands for one pixel" in rsprep.open(corpus.dataset).image.attrs["note"]


@pytest.mark.parametrize("changes", [{}, {"edge": "pad"}, {"max_unknown": 1.0}, {"split": "block", "block": 2}])
def test_no_pixel_gets_lost(planted: tuple[Path, Scenes], tmp_path: Path, changes: dict[str, Any]) -> None:
    """In = out + filtered + edges, class by class; what is out is counted in the store itself."""
    outcome = make(planted[0], tmp_path / "set", **{"max_unknown": 0.5, **changes})
    pixels = statistics(outcome)["pixels"]
    assert summed(pixels, "scenes", "padding") == summed(pixels, "chips", "filtered", "edge", "failed")
    drawn = np.concatenate([mask.ravel() for _, mask in planted[1].values()])
    stored = rsprep.open(outcome.dataset).mask.to_numpy().ravel()
    for name, codes in (("scenes", drawn), ("chips", stored)):
        assert pixels[name] == {str(code): int((codes == code).sum()) for code in (1, 2, 3, 0)}
    padded = changes.get("edge") == "pad"
    assert any(pixels["edge"].values()) is not padded
    assert (pixels["padding"]["0"] > 0) is padded
    assert any(pixels["filtered"].values()) is (changes.get("max_unknown") != 1.0)
    table = next(one for one in outcome.data.tables if one.title == "Where the pixels went")
    assert "they add up" in table.note
    assert table.rows[-1][1] == f"{len(drawn):,}"


def test_padding_is_unknown_in_the_mask_and_fill_in_the_image(planted: tuple[Path, Scenes], tmp_path: Path) -> None:
    dataset = rsprep.open(make(planted[0], tmp_path / "set", edge="pad", max_unknown=1.0).dataset)
    one = dataset.isel(chip=dataset.chip_id.to_numpy().tolist().index("s0-r002-c003"))  # s0 is 40 × 50
    image, mask = planted[1]["s0"]
    assert (one.mask.to_numpy()[:8, :2] == mask[32:, 48:]).all()
    assert (one.image.to_numpy()[:, :8, :2] == image[:, 32:, 48:]).all()
    assert not one.mask.to_numpy()[8:].any()
    assert not one.image.to_numpy()[:, :, 2:].any()


# -- splits ---------------------------------------------------------------------------------------


def test_no_scene_is_in_two_splits(corpus: Outcome) -> None:
    found = splits_of_scenes(rsprep.open(corpus.dataset))
    assert all(len(splits) == 1 for splits in found.values())
    assert set.union(*found.values()) == {"train", "val", "test"}


def test_blocks_stay_whole(planted: tuple[Path, Scenes], tmp_path: Path) -> None:
    dataset = rsprep.open(make(planted[0], tmp_path / "set", split="block", block=2, max_unknown=1.0).dataset)
    blocks = defaultdict(set)
    for scene, row, column, split in zip(
        *(dataset[key].to_numpy().tolist() for key in ("scene", "row", "col", "split")), strict=True
    ):
        blocks[scene, row // 2, column // 2].add(split)
    assert all(len(splits) == 1 for splits in blocks.values())
    assert any(len(splits) > 1 for splits in splits_of_scenes(dataset).values())


def test_a_split_may_be_left_out_and_a_seed_deals_anew(planted: tuple[Path, Scenes], tmp_path: Path) -> None:
    dataset = rsprep.open(make(planted[0], tmp_path / "a", ratio="1:0:1", seed=3).dataset)
    assert set(dataset.split.to_numpy().tolist()) == {"train", "test"}
    other = rsprep.open(make(planted[0], tmp_path / "b", ratio="1:0:1", seed=4).dataset)
    assert splits_of_scenes(other) != splits_of_scenes(dataset)
    assert other.chip_id.to_numpy().tolist() == dataset.chip_id.to_numpy().tolist()


# -- codes and colours ----------------------------------------------------------------------------


def test_weights_come_from_training_alone(corpus: Outcome) -> None:
    dataset, told = rsprep.open(corpus.dataset), statistics(corpus)
    train = dataset.mask.to_numpy()[dataset.split.to_numpy() == "train"]
    pixels = np.array([(train == code).sum() for code in (1, 2, 3)])
    inverse = (1 / pixels) / (1 / pixels).mean()
    assert list(told["weights"]["inverse_frequency"].values()) == pytest.approx(inverse.tolist(), abs=1e-6)
    assert "0" not in told["weights"]["median_frequency"]
    assert told["splits"]["train"]["pixels"]["2"] == pixels[1]


@pytest.mark.parametrize("way", ["codes", "colours", "palette", "index", "tif", "uint16"])
def test_a_mask_is_the_same_however_it_is_stored(tmp_path: Path, way: str) -> None:
    """Codes, RGB colours, palette by colour, palette by index, GeoTIFF: one corpus."""
    folder = tmp_path / "scenes"
    generator = np.random.default_rng(5)
    wanted = {}
    table = {code: rgb for rgb, code in load_crosswalk("gid-15").palette.items()}
    for index in range(4):
        image = generator.integers(0, 255, (3, 32, 48)).astype(np.uint8)
        mask = generator.integers(0, 16, (32, 48)).astype(np.uint8)
        wanted[f"a{index}"] = mask
        save(folder / "images" / f"a{index}.png", image)
        path = folder / "masks" / f"a{index}.png"
        if way == "colours":
            save(path, coloured(mask, "gid-15"))
        elif way == "palette":  # the stored numbers are others: 15 − code
            save_palette(path, (15 - mask).astype(np.uint8), {15 - code: rgb for code, rgb in table.items()})
        elif way == "index":
            save_palette(path, mask, {code: (code, 0, 0) for code in range(16)})
        elif way == "codes":
            save(path, mask)
        else:
            save(path.with_suffix(".tif"), mask.astype("uint16" if way == "uint16" else "uint8"))
    dataset = rsprep.open(make(folder, tmp_path / "set", classes="gid-15", mask_palette=way == "palette").dataset)
    assert len(dataset.chip_id) == 4 * 6
    for scene, row, column, mask in zip(
        *(dataset[key].to_numpy() for key in ("scene", "row", "col", "mask")), strict=True
    ):
        assert (mask == wanted[str(scene)][row * SIZE : (row + 1) * SIZE, column * SIZE : (column + 1) * SIZE]).all()


def test_another_table_in_the_store(planted: tuple[Path, Scenes], tmp_path: Path) -> None:
    """Built-up and water have a class in Dynamic World; vegetation has none and becomes unknown."""
    outcome = make(planted[0], tmp_path / "set", to="dynamic-world", max_unknown=1.0)
    dataset = rsprep.open(outcome.dataset)
    _, drawn = planted[1]["s3"]
    mask = dataset.mask.to_numpy()[dataset.scene.to_numpy() == "s3"][0]
    assert (mask == np.array([255, 6, 255, 0], np.uint8)[drawn]).all()
    assert dataset.mask.attrs["nodata"] == 255
    assert "vegetation" in dataset.mask.attrs["origin"]
    pixels = statistics(outcome)["pixels"]
    every = np.concatenate([codes.ravel() for _, codes in planted[1].values()])
    assert pixels["scenes"]["255"] == int(np.isin(every, (0, 2)).sum())
    assert summed(pixels, "scenes") == summed(pixels, "chips", "edge")
    assert "vegetation" in outcome.data.sources[0].note


def test_a_table_of_ones_own_without_an_unknown_class(planted: tuple[Path, Scenes], tmp_path: Path) -> None:
    table = tmp_path / "mine.yaml"
    classes = "\n".join(f"  - {{code: {code}, name: class {code}}}" for code in range(4))
    table.write_text(f"name: mine\ntitle: Mine\nsource: me\nlicence: mine\nclasses:\n{classes}\n")
    dataset = rsprep.open(make(planted[0], tmp_path / "set", classes=str(table), edge="pad").dataset)
    assert dataset.mask.attrs["nodata"] == 255
    assert dataset.mask.attrs["flag_meanings"].split() == ["class_0", "class_1", "class_2", "class_3"]
    assert 255 in dataset.mask.to_numpy()


# -- images ---------------------------------------------------------------------------------------


def test_many_bands_of_16_bit_keep_their_names_numbers_and_place(tmp_path: Path) -> None:
    folder = tmp_path / "scenes"
    names = ("B02", "B03", "B04", "B08")
    scenes = plant(
        folder, bands=4, dtype="uint16", suffix=".tif", names=names, tiled=True, blockxsize=16, blockysize=16, **UTM
    )
    outcome = make(folder, tmp_path / "set", max_unknown=1.0)
    dataset = rsprep.open(outcome.dataset)
    assert dataset.image.dtype == np.uint16
    assert tuple(dataset.band.to_numpy().tolist()) == names
    assert dataset.image.attrs["rgb_bands"] == ["B04", "B03", "B02"]
    one = rsprep.open(outcome.dataset).isel(chip=dataset.chip_id.to_numpy().tolist().index("s2-r003-c001"))
    assert (one.image.to_numpy() == scenes["s2"][0][:, 48:64, 16:32]).all()
    assert int(one.epsg) == 32633
    assert tuple(chip_transform(one))[:6] == (10, 0, 500_160, 0, -10, 5_299_520)
    assert (one.lon.item(), one.lat.item()) == pytest.approx((15.003, 47.85), abs=0.01)


def test_names_of_bands_and_pixel_size_can_be_given(tmp_path: Path) -> None:
    folder = tmp_path / "scenes"
    plant(folder, bands=4, suffix=".tif")
    dataset = rsprep.open(make(folder, tmp_path / "a").dataset)
    assert dataset.band.to_numpy().tolist() == ["b1", "b2", "b3", "b4"]
    dataset = rsprep.open(make(folder, tmp_path / "b", bands=["nir", "red", "green", "blue"], resolution=4.0).dataset)
    assert dataset.image.attrs["rgb_bands"] == ["red", "green", "blue"]
    assert dataset.attrs["pixel_size"] == 4.0
    assert "note" not in dataset.image.attrs


def test_files_in_one_folder_and_in_folders_below(tmp_path: Path) -> None:
    folder = tmp_path / "scenes"
    for name in ("urban/1", "urban/2", "rural/1"):
        save(folder / f"{name}_sat.png", np.zeros((3, 16, 16), np.uint8))
        save(folder / f"{name}_mask.png", np.ones((16, 16), np.uint8))
    outcome = make(folder, tmp_path / "set", images=".", masks=".", image_suffix="_sat", mask_suffix="_mask")
    dataset = rsprep.open(outcome.dataset)
    assert dataset.scene.to_numpy().tolist() == ["rural/1", "urban/1", "urban/2"]
    assert dataset.chip_id.to_numpy().tolist() == ["rural-1-r000-c000", "urban-1-r000-c000", "urban-2-r000-c000"]


def test_masks_may_lie_below_the_images(tmp_path: Path) -> None:
    for name in ("a-1", "a 1", "b"):  # two of them would have one chip id
        save(tmp_path / "s" / f"{name}.png", np.zeros((3, 16, 16), np.uint8))
        save(tmp_path / "s" / "masks" / f"{name}.png", np.ones((16, 16), np.uint8))
    dataset = rsprep.open(make(tmp_path / "s", tmp_path / "set", images=".").dataset)
    assert len(set(dataset.chip_id.to_numpy().tolist())) == 3


# -- resuming -------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", [{"workers": 1}, {"workers": 4}])
def test_pixels_do_not_depend_on_workers(
    corpus: Outcome, planted: tuple[Path, Scenes], tmp_path: Path, engine: dict[str, Any]
) -> None:
    assert digests(make(planted[0], tmp_path / "set", max_unknown=0.5, engine=engine)) == digests(corpus)


def spoilt_after_planning(monkeypatch: pytest.MonkeyPatch, spoil: Callable[[], object]) -> None:
    """Let something happen to the files between the plan and the making."""

    def plan_then_spoil(*args: Any) -> CorpusPlan:
        found = plan_semantic(*args)
        chips = tuple(found.chips)
        spoil()
        return dataclasses.replace(found, chips=chips)

    monkeypatch.setattr("rsprep.corpus.semantic.job.plan_semantic", plan_then_spoil)


def test_a_file_that_breaks_on_the_way_is_quarantined_and_made_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, out = tmp_path / "scenes", tmp_path / "set"
    plant(folder)
    whole = make(folder, tmp_path / "whole")
    broken = folder / "images" / "s2.png"
    content = broken.read_bytes()
    spoilt_after_planning(monkeypatch, lambda: broken.write_bytes(content[: len(content) // 2]))
    outcome = make(folder, out)
    assert outcome.failures > 0
    pixels = statistics(outcome)["pixels"]
    assert summed(pixels, "scenes") == summed(pixels, "chips", "filtered", "edge", "failed")
    assert sum(pixels["failed"].values()) == outcome.failures * SIZE**2
    assert [reason.partition(": the")[0] for reason in reasons(out)] == ["s2: input/corrupt-picture"]

    monkeypatch.undo()
    broken.write_bytes(content)
    again = make(folder, out, retry_failed=True)
    assert again.failures == 0
    assert digests(again) == digests(whole)
    assert not sum(statistics(again)["pixels"]["failed"].values())


@pytest.mark.parametrize(
    ("file", "values", "slug"),
    [
        ("masks/s2.png", np.full((64, 47), 9, np.uint8), "raster/code-without-class"),
        ("masks/s2.png", np.zeros((64, 48), np.uint8), "input/scene-changed"),
        ("images/s2.png", np.zeros((3, 20, 20), np.uint8), "input/scene-changed"),
        ("images/s2.png", np.zeros((64, 47), np.uint8), "input/scene-changed"),
    ],
)
def test_a_scene_that_is_exchanged_on_the_way_is_not_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, values: NDArray[Any], slug: str
) -> None:
    plant(tmp_path / "scenes")
    spoilt_after_planning(monkeypatch, lambda: save(tmp_path / "scenes" / file, values))
    outcome = make(tmp_path / "scenes", tmp_path / "set")
    assert [reason.split(": ")[:2] for reason in reasons(tmp_path / "set")] == [["s2", slug]]
    assert "s2" not in rsprep.open(outcome.dataset).scene.to_numpy().tolist()


def reasons(out: Path) -> list[str]:
    with JournalView.open(out) as journal:
        return sorted({chip.reason for chip in journal.chips("quarantined")})


def test_the_same_call_resumes_and_other_inputs_do_not(planted: tuple[Path, Scenes], tmp_path: Path) -> None:
    folder = tmp_path / "scenes"
    plant(folder)
    first = make(folder, tmp_path / "set")
    assert digests(make(folder, tmp_path / "set")) == digests(first)
    assert verify(first.dataset).ok
    for changes in ({"seed": 1}, {"to": "dynamic-world"}):
        with pytest.raises((StoreError, ConfigError)):
            make(folder, tmp_path / "set", **changes)
    save(folder / "masks" / "s0.png", np.ones((40, 50), np.uint8))
    with pytest.raises((StoreError, ConfigError)):
        make(folder, tmp_path / "set")


# -- real scenes ----------------------------------------------------------------------------------


def test_real_scenes(tmp_path: Path) -> None:
    """40 Sentinel-2 scenes with hand-drawn masks: the three promises of the corpus, and the ratio."""
    folder = real_data("scenes-lulc4")
    outcome = make(folder, tmp_path / "set", size=256)
    dataset = rsprep.open(outcome.dataset)
    assert dataset.band.to_numpy().tolist() == ["red", "green", "blue", "nir"]
    for i in range(0, len(dataset.chip_id), 7):
        one = dataset.isel(chip=i)
        here = (
            slice(int(one.row) * 256, int(one.row) * 256 + 256),
            slice(int(one.col) * 256, int(one.col) * 256 + 256),
        )
        assert (one.mask.to_numpy() == read_picture(folder / "masks" / f"{one.scene.item()}.png", window=here)[0]).all()
        assert (one.image.to_numpy() == read_picture(folder / "images" / f"{one.scene.item()}.tif", window=here)).all()
    assert all(len(splits) == 1 for splits in splits_of_scenes(dataset).values())
    told = statistics(outcome)
    assert summed(told["pixels"], "scenes") == summed(told["pixels"], "chips", "filtered", "edge")
    assert sum(told["pixels"]["scenes"].values()) == 16_458_520
    assert [told["splits"][split]["share"] for split in ("train", "val", "test")] == pytest.approx(
        [4 / 6, 1 / 6, 1 / 6], abs=0.02
    )
    assert (dataset.unknown_fraction.to_numpy() <= 0.8).all()
    assert outcome.data.counts.rejected == 10
