"""Occlusion pairs from pictures, rasters and data sets: exact pixels, splits kept, masks in one split only."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import xarray as xr
from PIL import Image

import rsprep
from rsprep.corpus.occlusion import planning
from rsprep.corpus.occlusion.job import occlude
from rsprep.corpus.pictures import read_picture
from rsprep.errors import StoreError
from rsprep.finish import Outcome
from rsprep.job.verify import verify
from rsprep.masks.occlusion import area_ratio
from rsprep.multisource import build
from tests.rsprep.conftest import PlantedSource
from tests.rsprep.corpus.occluding import SIDE, ground, save, shape_of, write_images, write_mask_dataset, write_masks
from tests.rsprep.corpus.test_inputs import tiff
from tests.rsprep.job.tiny import pixel_files, write_tiny
from tests.support import real_data

THREE = {"train/field": 6, "train/river": 4, "val/field": 3, "test/river": 3}


def run(folder: Path, images: Path, masks: Path, name: str = "pairs", **more: Any) -> Outcome:
    """Make pairs; threads unless `more` says otherwise."""
    values = {"out": str(folder / name), "catalog": str(folder / "catalog"), "size": SIDE, **more}
    return occlude({"images": str(images), "masks": str(masks), **values})


def check_pairs(chips: xr.Dataset, fill: Any, nodata: float | None = None) -> None:
    """What every pair has to hold, whatever it was made of."""
    occluded, clean, mask = (chips[name].to_numpy() for name in ("occluded", "clean", "mask"))
    assert occluded.dtype == clean.dtype
    assert set(np.unique(mask)) == {0, 1}
    wanted = np.broadcast_to(np.asarray(fill, clean.dtype).reshape(-1, 1, 1), clean.shape)
    hidden = np.broadcast_to(mask[:, None] == 1, clean.shape)
    assert occluded[~hidden].tobytes() == clean[~hidden].tobytes()
    assert (occluded[hidden] == wanted[hidden]).all()
    for one, pixels, ratio in zip(mask, clean, chips["area_ratio"].to_numpy(), strict=True):
        missing = (pixels == nodata).any(axis=0) if nodata is not None else None
        assert ratio == pytest.approx(area_ratio(one, missing), abs=1e-6)
        assert 0.15 <= ratio <= 0.60
        if missing is not None:
            assert not one[missing].any()
    owners: dict[str, str] = {}
    for name, split in zip(chips["mask_id"].to_numpy().tolist(), chips["split"].to_numpy().tolist(), strict=True):
        assert owners.setdefault(name, split) == split


def sheet(outcome: Outcome, title: str) -> dict[str, tuple[str, ...]]:
    """Rows of one of the report's tables by their first word."""
    return {row[0]: row[1:] for table in outcome.data.tables if table.title == title for row in table.rows}


# -- a folder of pictures -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    folder = tmp_path_factory.mktemp("occlude")
    images, masks = write_images(folder / "images", THREE), write_masks(folder / "masks", 14, low=0.05, high=0.7)
    return folder, run(folder, images, masks)


def test_pairs_are_exact_and_whole(made: tuple[Path, Outcome]) -> None:
    folder, outcome = made
    assert verify(outcome.dataset).ok
    chips = rsprep.open(outcome.dataset)
    assert len(chips.chip) == 16
    check_pairs(chips, 255)
    for name, source in zip(chips["chip_id"].to_numpy(), chips["source"].to_numpy(), strict=True):
        original = read_picture(folder / "images" / str(source))
        assert (rsprep.chip(chips, str(name))["clean"].to_numpy() == original).all()
    for mask_id, mask in zip(chips["mask_id"].to_numpy(), chips["mask"].to_numpy(), strict=True):
        assert (read_picture(folder / "masks" / str(mask_id))[0] == 255 * mask).all()


def test_splits_and_labels_are_those_of_the_folders(made: tuple[Path, Outcome]) -> None:
    chips = rsprep.open(made[1].dataset)
    for source, split, label in zip(
        *(chips[name].to_numpy().tolist() for name in ("source", "split", "label")), strict=True
    ):
        assert source.startswith(f"{split}/{label}/")
    assert chips["chip_id"].to_numpy()[0] == "test-river-00"


def test_masks_out_of_bounds_are_counted_and_not_used(made: tuple[Path, Outcome]) -> None:
    table = sheet(made[1], "Masks")
    shares = [read_picture(path).mean() / 255 for path in (made[0] / "masks").iterdir()]
    inside = sum(0.15 <= share <= 0.6 for share in shares)
    assert inside < len(shares)
    assert sum(int(row[0]) for row in table.values()) == inside
    assert int(table["train"][0]) > int(table["val"][0]) >= 1  # by the number of images
    note = next(one.note for one in made[1].data.tables if one.title == "Masks")
    assert f"{len(shares) - inside} not used: hides less than 15 or more than 60 %" in note


def test_the_report_shows_pairs_areas_and_masks(made: tuple[Path, Outcome]) -> None:
    page = (made[1].dataset / "report.html").read_text(encoding="utf-8")
    for words in ("Contact sheet", "occluded, mask, clean", "Hidden area", "No mask serves two splits", "mean hidden"):
        assert words in page


def test_pixels_depend_neither_on_workers_nor_on_the_place(made: tuple[Path, Outcome], tmp_path: Path) -> None:
    folder, first = made
    shutil.copytree(folder / "images", tmp_path / "elsewhere")
    for name, engine in (("one", {"workers": 1}), ("four", {"workers": 4}), ("processes", {"scheduler": "processes"})):
        other = run(tmp_path / name, tmp_path / "elsewhere", folder / "masks", engine=engine)
        assert pixel_files(other.dataset) == pixel_files(first.dataset)
    other = run(tmp_path / "seed", tmp_path / "elsewhere", folder / "masks", seed=1)
    assert pixel_files(other.dataset) != pixel_files(first.dataset)


def test_the_same_call_resumes_and_other_inputs_are_refused(made: tuple[Path, Outcome], tmp_path: Path) -> None:
    folder, _ = made
    shutil.copytree(folder / "images", tmp_path / "images")
    first = run(tmp_path, tmp_path / "images", folder / "masks")
    before = pixel_files(first.dataset)
    assert run(tmp_path, tmp_path / "images", folder / "masks").data.counts == first.data.counts
    save(tmp_path / "images/train/field/00.png", ground(99))
    with pytest.raises(StoreError):
        run(tmp_path, tmp_path / "images", folder / "masks")
    assert pixel_files(first.dataset) == before


def test_several_masks_an_image_differ(tmp_path: Path) -> None:
    images, masks = write_images(tmp_path / "images", {"train": 3, "test": 3}), write_masks(tmp_path / "masks", 12)
    chips = rsprep.open(run(tmp_path, images, masks, per_image=4).dataset)
    check_pairs(chips, 255)
    assert len(chips.chip) == 24
    names = chips["mask_id"].to_numpy().reshape(6, 4)
    assert [len(set(row)) for row in names.tolist()] == [4] * 6
    assert chips["chip_id"].to_numpy()[:2].tolist() == ["test-00-m0", "test-00-m1"]


def test_masks_of_another_size_are_placed(tmp_path: Path) -> None:
    images, masks = write_images(tmp_path / "images", {"train": 8}), write_masks(tmp_path / "masks", 3, side=40)
    outcome = run(tmp_path, images, masks, per_image=5)
    chips = rsprep.open(outcome.dataset)
    check_pairs(chips, 255)
    assert len(np.unique(chips["mask"].to_numpy().reshape(40, -1), axis=0)) == 40
    assert np.ptp(chips["area_ratio"].to_numpy()) > 0.3
    assert "turned, resized and moved" in outcome.data.subtitle
    as_is = rsprep.open(run(tmp_path, images, write_masks(tmp_path / "equal", 3), "as-is").dataset)
    assert as_is["draws"].to_numpy().tolist() == [1] * 8


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:3000]), "corrupt-picture"),
        (lambda path: path.unlink(), "no-such-picture"),
        (lambda path: save(path, ground(0, (3, SIDE + 1, SIDE))), "changed-input"),
        (lambda path: save(path, ground(0, (SIDE, SIDE))), "changed-input"),
    ],
)
def test_a_picture_that_changes_on_the_way_is_quarantined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Path], object], reason: str
) -> None:
    images, masks = write_images(tmp_path / "images", {"train": 4}), write_masks(tmp_path / "masks")
    monkeypatch.setattr(planning, "_look_through", lambda files, root: spoil(files[2]))
    outcome = run(tmp_path, images, masks)
    assert (outcome.failures, outcome.data.counts.committed) == (1, 3)
    assert reason in outcome.data.grouped_problems()[0].reason


def test_a_mask_that_changes_on_the_way_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images, masks = write_images(tmp_path / "images", {"train": 4}), write_masks(tmp_path / "masks", 1)
    monkeypatch.setattr(
        planning, "_look_through", lambda files, root: save(masks / "mask00.png", shape_of(0, 0.3, SIDE - 1))
    )
    outcome = run(tmp_path, images, masks)
    assert outcome.failures == 4
    assert "changed-input" in outcome.data.grouped_problems()[0].reason


def test_a_quick_look_at_the_real_pictures(tmp_path: Path) -> None:
    """Three of each class of RSSCN7 under shapes from a real cloud mask; all 1,400 pass the same check by hand."""
    root = real_data("rsscn7") / "train"
    for folder in sorted(root.iterdir()):
        for path in sorted(folder.glob("*.jpg"))[:3]:
            (tmp_path / "train" / folder.name).mkdir(parents=True, exist_ok=True)
            shutil.copy(path, tmp_path / "train" / folder.name)
    with rasterio.open(real_data("clouds") / "19GBQ-cloud-mask.tif") as file:
        cloud = file.read(1)
    rng, found = np.random.default_rng(0), 0
    while found < 6:
        row, column = rng.integers(0, 10_000, 2).tolist()
        seed = (cloud[row : row + 256, column : column + 256] == 1).astype(np.uint8)
        if 0.1 < seed.mean() < 0.7:
            save(tmp_path / "seeds" / f"{found}.png", seed * np.uint8(255))
            found += 1
    outcome = run(tmp_path, tmp_path / "train", tmp_path / "seeds", size=256, place="random")
    chips = rsprep.open(outcome.dataset)
    check_pairs(chips, 255)
    assert len(chips.chip) == 21
    assert set(chips["split"].to_numpy()) == {"train"}
    assert set(chips["label"].to_numpy()) == {path.name for path in root.iterdir()}
    for i, source in enumerate(chips["source"].to_numpy().tolist()):
        with Image.open(root / source) as image:
            assert (chips["clean"][i].to_numpy() == np.moveaxis(np.asarray(image), 2, 0)).all()


# -- rasters --------------------------------------------------------------------------------------


def test_rasters_are_cut_where_they_lie(tmp_path: Path) -> None:
    masks = write_masks(tmp_path / "masks", 6)
    grid = rasterio.Affine(20, 0, 500_000, 0, -20, 5_300_000)
    values = np.random.default_rng(0).integers(1, 9999, (5, 150, 200), np.uint16)
    values[:, :30] = 0
    (tmp_path / "scenes").mkdir()
    tiff(tmp_path / "scenes" / "a.tif", values, crs="EPSG:32633", transform=grid, nodata=0)
    outcome = run(
        tmp_path, tmp_path / "scenes", masks, bands="any", fill=[10000, 10001, 10002, 10003, 10004], split="test"
    )
    chips = rsprep.open(outcome.dataset)
    check_pairs(chips, [10000, 10001, 10002, 10003, 10004], nodata=0)
    assert chips["chip_id"].to_numpy().tolist() == [f"a-r00{row}-c00{column}" for row in (0, 1) for column in (0, 1, 2)]
    for i in range(6):
        row, column = divmod(i, 3)
        piece = values[:, SIDE * row : SIDE * row + SIDE, SIDE * column : SIDE * column + SIDE]
        assert (chips["clean"][i].to_numpy() == piece).all()
        assert chips["x_origin"][i] == 500_000 + 20 * SIDE * column
        assert chips["y_origin"][i] == 5_300_000 - 20 * SIDE * row
    assert float(chips["valid_fraction"][0]) == pytest.approx(1 - 30 / 64)
    assert chips.attrs["pixel_size"] == 20
    assert rsprep.chip(chips, "a-r001-c002")["clean"].rio.crs.to_epsg() == 32633
    assert "18.1 % of the pixels lie beyond" in next(one.note for one in outcome.data.tables if one.title == "Images")


def test_bounds_are_shares_of_what_has_data(tmp_path: Path) -> None:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[32:] = 1
    save(tmp_path / "masks" / "lower.png", mask)
    (tmp_path / "scenes").mkdir()
    for name, rows in (("lower", slice(0, 32)), ("all", slice(0, 1)), ("upper", slice(32, None))):
        values = ground(0)
        values[:, rows] = 0
        tiff(tmp_path / "scenes" / f"{name}.tif", values, nodata=0)
    outcome = run(tmp_path, tmp_path / "scenes", tmp_path / "masks", split="train")
    chips = rsprep.open(outcome.dataset)
    assert chips["source"].to_numpy().tolist() == ["all.tif"]
    assert chips["area_ratio"].to_numpy() == pytest.approx([32 / 63])
    assert outcome.data.counts.rejected == 2


def test_floats_without_data_are_nan(tmp_path: Path) -> None:
    masks = write_masks(tmp_path / "masks", 4)
    values = np.random.default_rng(0).normal(0, 1, (1, SIDE, SIDE)).astype(np.float32)
    values[0, :5] = -9999
    (tmp_path / "scenes").mkdir()
    tiff(tmp_path / "scenes" / "a.tif", values, nodata=-9999)
    chips = rsprep.open(run(tmp_path, tmp_path / "scenes", masks, bands="any", fill=2.5).dataset)
    clean, occluded, mask = (chips[name][0].to_numpy() for name in ("clean", "occluded", "mask"))
    assert np.isnan(clean[0, :5]).all()
    assert np.isnan(occluded[0, :5]).all()
    assert (clean[0, 5:] == values[0, 5:]).all()
    assert (occluded[0][mask == 1] == 2.5).all()


@pytest.mark.parametrize("bands", [("b1",), ("b1", "alpha"), ("red", "green", "blue", "alpha")])
def test_pictures_of_any_bands(tmp_path: Path, bands: tuple[str, ...]) -> None:
    images, masks = tmp_path / "images", write_masks(tmp_path / "masks", 4)
    values = ground(0, (len(bands), SIDE, SIDE))
    save(images / "a.png", values[0] if len(bands) == 1 else values)
    chips = rsprep.open(run(tmp_path, images, masks, bands="any", split="train").dataset)
    check_pairs(chips, 255)
    assert tuple(chips["band"].to_numpy().tolist()) == bands
    assert (chips["clean"][0].to_numpy() == values).all()


def test_palettes_are_shown_in_their_colours(tmp_path: Path) -> None:
    images, masks = tmp_path / "images", write_masks(tmp_path / "masks", 4)
    images.mkdir()
    picture = Image.new("P", (SIDE, SIDE))
    picture.putdata([i % 3 for i in range(SIDE * SIDE)])
    picture.putpalette([10, 20, 30, 0, 200, 0, 0, 0, 100])
    picture.save(images / "a.png")
    chips = rsprep.open(run(tmp_path, images, masks, split="train").dataset)
    assert chips["clean"][0, :, 0, :3].to_numpy().T.tolist() == [[10, 20, 30], [0, 200, 0], [0, 0, 100]]


def test_small_pictures_are_enlarged_when_asked_for(tmp_path: Path) -> None:
    masks = write_masks(tmp_path / "masks", 6)
    save(tmp_path / "images" / "a.png", ground(0, (3, 32, 48)))
    outcome = run(tmp_path, tmp_path / "images", masks, resize=True, split="train")
    chips = rsprep.open(outcome.dataset)
    check_pairs(chips, 255)
    assert len(chips.chip) == 1
    small = ground(0, (3, 32, 48))
    assert abs(float(chips["clean"].mean()) - float(small[:, :, :32].mean())) < 2
    assert "1 images were enlarged" in next(one.note for one in outcome.data.tables if one.title == "Images")


# -- splits ---------------------------------------------------------------------------------------


def test_a_folder_without_splits_is_split_by_name(tmp_path: Path) -> None:
    masks = write_masks(tmp_path / "masks", 30)
    images = write_images(tmp_path / "images", {"field": 30, "river": 30})
    first = rsprep.open(run(tmp_path, images, masks).dataset)
    before = dict(zip(first["source"].to_numpy().tolist(), first["split"].to_numpy().tolist(), strict=True))
    assert {"train", "val", "test"} == set(before.values())
    for i in range(10):
        save(images / "added" / f"{i}.png", ground(1000 + i))
    second = rsprep.open(run(tmp_path, images, masks, "more").dataset)
    after = dict(zip(second["source"].to_numpy().tolist(), second["split"].to_numpy().tolist(), strict=True))
    assert {name: after[name] for name in before} == before


def test_a_list_tells_the_splits(tmp_path: Path) -> None:
    images, masks = write_images(tmp_path / "images", {"field": 4}), write_masks(tmp_path / "masks", 6)
    (tmp_path / "splits.csv").write_text(
        "image,split\nfield/00.png,test\nfield/01,train\nfield-02,validation\nfield/03.png,train\nother.png,test\n"
    )
    outcome = run(tmp_path, images, masks, split="file", split_file=str(tmp_path / "splits.csv"))
    assert rsprep.open(outcome.dataset)["split"].to_numpy().tolist() == ["test", "train", "val", "train"]


# -- clouds ---------------------------------------------------------------------------------------


def write_clouds(root: Path, count: int) -> Path:
    """Pictures of ground below 50 and cloud from 200 on, with their masks beside them."""
    for i in range(count):
        cloudy = shape_of(i, 0.6, 160)
        cloudy[:, 120:] = 0  # lopsided
        rng = np.random.default_rng(i)
        picture = np.where(cloudy, rng.integers(200, 255, (3, 160, 160)), rng.integers(0, 50, (3, 160, 160)))
        save(root / f"sky{i}.png", picture.astype(np.uint8))
        save(root / f"sky{i}_mask.png", cloudy * np.uint8(255))
    return root


def test_pasted_pixels_are_those_of_clouds(tmp_path: Path) -> None:
    images, masks = write_images(tmp_path / "images", {"train": 6, "test": 4}), write_masks(tmp_path / "masks", 8)
    clouds = write_clouds(tmp_path / "clouds", 4)
    outcome = run(tmp_path, images, masks, fill="clouds", clouds=str(clouds))
    chips = rsprep.open(outcome.dataset)
    occluded, clean, mask = (chips[name].to_numpy() for name in ("occluded", "clean", "mask"))
    hidden = np.broadcast_to(mask[:, None] == 1, clean.shape)
    assert (occluded[~hidden] == clean[~hidden]).all()
    assert occluded[hidden].min() >= 200
    assert len(np.unique(occluded[hidden])) > 40
    owners: dict[str, set[str]] = {}
    for name, split in zip(chips["cloud_id"].to_numpy().tolist(), chips["split"].to_numpy().tolist(), strict=True):
        owners.setdefault(name, set()).add(split)
    assert all(len(splits) == 1 for splits in owners.values())
    assert run(tmp_path, images, masks, fill="clouds", clouds=str(clouds)).data.counts.committed == 10


def test_clouds_without_data_are_not_pasted(tmp_path: Path) -> None:
    masks = write_masks(tmp_path / "masks", 8, low=0.16, high=0.25)
    (tmp_path / "scenes").mkdir()
    (tmp_path / "sky").mkdir()
    for i in range(4):
        tiff(tmp_path / "scenes" / f"{i}.tif", ground(i).astype(np.int16), nodata=-1)
    cloud = np.full((3, 90, 90), 5000, np.int16)
    cloud[:, :, ::45] = -1
    tiff(tmp_path / "sky" / "a.tif", cloud, nodata=-1)
    save(tmp_path / "sky" / "a_mask.png", np.ones((90, 90), np.uint8))
    more: dict[str, Any] = {"fill": "clouds", "clouds": str(tmp_path / "sky"), "split": "train"}
    chips = rsprep.open(run(tmp_path, tmp_path / "scenes", masks, bands="any", **more).dataset)
    assert len(chips.chip) == 4
    hidden = np.broadcast_to(chips["mask"].to_numpy()[:, None] == 1, chips["occluded"].shape)
    assert set(np.unique(chips["occluded"].to_numpy()[hidden])) == {5000}


def test_a_mask_that_lies_on_no_cloud_is_drawn_anew_or_told(tmp_path: Path) -> None:
    images, masks = write_images(tmp_path / "images", {"train": 3}), tmp_path / "masks"
    save(masks / "fits.png", shape_of(0, 0.2) * np.uint8(255))
    frame = np.full((SIDE, SIDE), 255, np.uint8)
    frame[10:-10, 10:-10] = 0
    save(masks / "frame.png", frame)
    cloudy = shape_of(0, 0.3, 100)
    save(tmp_path / "clouds" / "a.png", np.where(cloudy, 220, 10).astype(np.uint8)[None].repeat(3, axis=0))
    save(tmp_path / "clouds" / "a_mask.png", cloudy)
    more: dict[str, Any] = {"fill": "clouds", "clouds": str(tmp_path / "clouds"), "area": (0.1, 0.7)}
    chips = rsprep.open(run(tmp_path, images, masks, **more).dataset)
    assert set(chips["mask_id"].to_numpy()) == {"fits.png"}
    assert chips["draws"].to_numpy().max() > 1
    (masks / "fits.png").unlink()
    outcome = run(tmp_path, images, masks, "none", **more)
    assert outcome.data.counts.rejected == 3
    assert "lies on cloud alone" in outcome.data.grouped_problems()[0].reason


# -- data sets ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def multisource(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sentinel-2 chips of 32 pixels, those at the edge with nodata."""
    folder = tmp_path_factory.mktemp("multisource")
    source = write_tiny(folder / "source", side_px=700)
    grid = {"chip_size": 64, "block_px": 128, "partial": "keep"}
    split = {"block_km": 1.5, "buffer_m": 0}
    return build(source.settings(folder, layers=["s2"], grid=grid, split=split)).dataset


def test_chips_of_a_data_set_keep_all_but_what_is_hidden(multisource: Path, tmp_path: Path) -> None:
    images = rsprep.open(multisource)
    masks = write_mask_dataset(tmp_path / "masks", ["train"] * 30 + ["val"] * 12 + ["test"] * 12)
    outcome = run(tmp_path, multisource, masks, size=None)
    chips = rsprep.open(outcome.dataset)
    check_pairs(chips, 10000, nodata=-32768)
    assert verify(outcome.dataset).ok
    assert chips["clean"].dims == ("chip", "s2_band", "y", "x")
    place = {name: i for i, name in enumerate(images["chip_id"].to_numpy().tolist())}
    kept = [place[name] for name in chips["source"].to_numpy().tolist()]
    assert len(kept) > 50
    source = images["s2"].to_numpy()
    assert (chips["clean"].to_numpy() == source[kept]).all()
    for name in ("split", "x_origin", "y_origin", "lon", "epsg", "datetime_start", "datetime_end"):
        assert (chips[name].to_numpy() == images[name].to_numpy()[kept]).all(), name
    assert (source[kept] == -32768).any()
    lost = {problem.reason: problem.count for problem in outcome.data.grouped_problems()}
    assert sum(lost.values()) == len(images.chip) - len(kept)
    assert chips["occluded"].attrs["occlusion_fill"] == [10000]


def test_masks_of_a_data_set_keep_their_split_or_are_dealt_out_by_seed(multisource: Path, tmp_path: Path) -> None:
    splits = (["train"] * 4 + ["val"] + ["test"]) * 9
    masks = rsprep.open(write_mask_dataset(tmp_path / "masks", splits, seeds=7))
    seeds = dict(zip(masks["chip_id"].to_numpy().tolist(), masks["seed_id"].to_numpy().tolist(), strict=True))
    own = dict(zip(masks["chip_id"].to_numpy().tolist(), masks["split"].to_numpy().tolist(), strict=True))
    kept = rsprep.open(run(tmp_path, multisource, tmp_path / "masks", size=None).dataset)
    for name, split in zip(kept["mask_id"].to_numpy().tolist(), kept["split"].to_numpy().tolist(), strict=True):
        assert own[name] == split
    dealt = rsprep.open(run(tmp_path, multisource, tmp_path / "masks", "dealt", size=None, mask_split="hash").dataset)
    owners: dict[str, str] = {}
    for name, split in zip(dealt["mask_id"].to_numpy().tolist(), dealt["split"].to_numpy().tolist(), strict=True):
        assert owners.setdefault(seeds[name], split) == split
    assert len(owners) > 4


def test_the_planted_landscape_under_masks(planted_source: PlantedSource, tmp_path: Path) -> None:
    chips = build(planted_source.config(tmp_path, layers=["s2"], sentinel2={"bands": ["B02", "B03", "B04", "B08"]}))
    masks = write_masks(tmp_path / "masks", 9, side=96)
    outcome = run(tmp_path, chips.dataset, masks, size=None, min_valid=0.5)
    pairs = rsprep.open(outcome.dataset)
    check_pairs(pairs, 10000, nodata=-32768)
    images = rsprep.open(chips.dataset)
    good = images["valid_fraction"].to_numpy() >= 0.5
    assert outcome.data.counts.planned == len(good)
    assert len(pairs.chip) == good.sum() > 10
    assert sorted(pairs["chip_id"].to_numpy()) == sorted(images["chip_id"].to_numpy()[good])
