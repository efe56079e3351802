"""The corpus of seed masks: planted clouds come back pixel by pixel, from rasters, STAC, data sets and detectors."""

from __future__ import annotations

import csv
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

import rsprep
from rsprep.corpus.clouds.inputs import find_cloud_scenes
from rsprep.corpus.clouds.job import CHANGED, cloud_masks, make_seeds, plan_clouds
from rsprep.corpus.clouds.scenes import CloudScene
from rsprep.corpus.clouds.settings import CloudSettings
from rsprep.corpus.plan import Batch, CorpusChip, CorpusPlan, MadeChip, Place
from rsprep.corpus.run import run_corpus
from rsprep.corpus.settings import CorpusSettings
from rsprep.errors import InputError, StoreError
from rsprep.finish import Outcome
from rsprep.job.progress import Silent
from rsprep.job.verify import verify
from rsprep.masks.shapes import Frame, view
from rsprep.settings import make_settings
from rsprep.store.schema import Schema, Variable
from tests.rsprep.corpus.scenes import save
from tests.rsprep.corpus.skies import (
    NORTH,
    SIZE,
    THICK,
    WEST,
    plain_sky,
    plant_sky,
    plant_stac,
    put_cross,
    put_disc,
    ragged_sky,
    utm,
)
from tests.support import real_data


def values(out: Path, scenes: Path | list[Path], **changes: Any) -> dict[str, Any]:
    given = [str(one) for one in scenes] if isinstance(scenes, list) else str(scenes)
    base = {"classes": "omnicloudmask", "size": SIZE, "min_area": 0.02, "fill_holes": 0, "max_cut": 0.25}
    return {"scenes": given, "out": str(out / "seeds"), "catalog": str(out / "catalog"), **base, **changes}


def checked(out: Path, scenes: Path | list[Path], **changes: Any) -> CloudSettings:
    return make_settings(CloudSettings, values(out, scenes, **changes))


def build(out: Path, scenes: Path | list[Path], **changes: Any) -> Outcome:
    return cloud_masks(values(out, scenes, **changes))


def digests(outcome: Outcome) -> dict[str, str]:
    table = pq.read_table(outcome.dataset / "items.parquet", columns=["id", "rsprep:digest"])
    return dict(zip(*(column.to_pylist() for column in table.columns), strict=True))


def reasons(outcome: Outcome) -> list[str]:
    assert outcome.data.chips is not None
    return [
        why for why, state in zip(outcome.data.chips.reason, outcome.data.chips.state, strict=True) if why and state
    ]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = tmp_path_factory.mktemp("plain")
    return build(folder, plant_sky(folder / "scenes", plain_sky()), n_diverse=2)


# -- planted clouds --------------------------------------------------------------------------------


def test_planted_clouds_come_back_whole_centred_and_in_their_place(plain: Outcome) -> None:
    seeds = rsprep.open(plain.dataset)
    sky = plain_sky() == THICK
    assert seeds.chip_id.values.tolist() == ["sky-00032-00146", "sky-00035-00060", "sky-00116-00040"]
    for seed in seeds.mask:
        row, column = int(seed.row), int(seed.col)
        assert (seed.values == sky[row : row + SIZE, column : column + SIZE]).all()
        assert float(seed.x_origin) == WEST + 10 * column
        assert float(seed.y_origin) == NORTH - 10 * row
        assert float(seed.area_ratio) == pytest.approx(seed.values.mean())
        centre = ndimage.center_of_mass(seed.values)
        assert np.allclose(centre, (SIZE - 1) / 2, atol=1)
    assert seeds.source.values.tolist() == ["sky"] * 3
    assert seeds.date.values.tolist() == [""] * 3
    assert seeds.resolution.values.tolist() == [10.0] * 3
    assert seeds.split.values.tolist() == ["train"] * 3
    assert seeds.cut_share.values.tolist() == [0.0] * 3
    assert seeds.compactness.values[1] > 0.93 > seeds.compactness.values[0]
    assert seeds.eccentricity.values[2] > 0.95
    assert int(seeds.diverse.values.sum()) == 2


def test_every_shape_is_accounted_for(plain: Outcome) -> None:
    counts = plain.data.counts
    assert (counts.planned, counts.committed, counts.rejected, counts.quarantined) == (4, 3, 1, 0)
    assert reasons(plain) == ["the cloud goes on outside the scene or in pixels without data"]
    assert verify(plain.dataset).ok


def test_pictures_and_manifest_say_what_the_store_says(plain: Outcome) -> None:
    seeds = rsprep.open(plain.dataset)
    with (plain.dataset / "manifest.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["id"] for row in rows] == seeds.chip_id.values.tolist()
    for row, seed in zip(rows, seeds.mask, strict=True):
        picture = np.asarray(Image.open(plain.dataset / row["file"]))
        assert (picture == seed.values * 255).all()
        assert (int(row["row"]), int(row["col"])) == (int(seed.row), int(seed.col))
        assert float(row["area_ratio"]) == pytest.approx(float(seed.area_ratio), rel=1e-5)
        assert row["diverse"] == ("true" if bool(seed.diverse) else "false")
    assert len(list((plain.dataset / "masks").iterdir())) == 3
    report = (plain.dataset / "report.html").read_text()
    assert all(word in report for word in ("Seeds by scene", "Compactness", "Contact sheet"))


def test_thin_cloud_and_shadow_do_not_count(tmp_path: Path) -> None:
    codes = plain_sky()
    put_disc(codes, 120, 190, 15, code=2)
    put_disc(codes, 50, 100, 8, code=3)
    both = build(tmp_path, plant_sky(tmp_path / "scenes", codes), thick=[1, 2])
    assert both.data.counts.committed == 3  # a second disc is a near-duplicate of the first
    assert any(why == "near-duplicate of sky-00035-00060" for why in reasons(both))
    shutil.rmtree(both.dataset)
    assert digests(build(tmp_path, tmp_path / "scenes")) == digests(build(tmp_path, tmp_path / "scenes"))
    assert reasons(build(tmp_path, tmp_path / "scenes")) == [
        "the cloud goes on outside the scene or in pixels without data"
    ]


def test_the_same_shape_turned_is_dropped_and_counted(tmp_path: Path) -> None:
    codes = np.zeros((200, 300), np.uint8)
    hook = np.zeros((31, 21), np.uint8)
    hook[:, :8] = hook[:6, :] = hook[25:, :14] = 1
    codes[20:51, 20:41] = hook
    codes[30:51, 100:131] = hook.T  # mirrored and turned
    codes[120:182, 100:142] = hook.repeat(2, axis=0).repeat(2, axis=1)  # and twice as large
    put_cross(codes, 120, 240, 18, 4)
    # The same cross on another day at nearly the same place is the same shape; the disc there is not.
    other = np.zeros((200, 300), np.uint8)
    put_cross(other, 122, 241, 18, 4)
    put_disc(other, 36, 31, 14)
    plant_sky(tmp_path / "scenes", codes, "20210606.tif")
    plant_sky(tmp_path / "scenes", other, "2021-06-09.tif")
    outcome = build(tmp_path, tmp_path / "scenes", size=64)
    seeds = rsprep.open(outcome.dataset)
    assert sorted(seeds.date.values.tolist()) == ["2021-06-06", "2021-06-09", "2021-06-09"]
    repeats = [why for why in reasons(outcome) if why.startswith("near-duplicate of ")]
    assert repeats.count("near-duplicate of 20210606-00120-00100") == 2  # the largest stays
    assert len(repeats) == 3
    counts = outcome.data.counts
    assert counts.planned == counts.committed + counts.rejected == 6


# -- a ragged sky: rules, determinism, resuming ----------------------------------------------------


@pytest.fixture(scope="module")
def ragged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    folder = tmp_path_factory.mktemp("ragged")
    for seed in range(4):
        plant_sky(folder / "scenes", ragged_sky(seed), f"day{seed}.tif", tiled=True, blockxsize=64, blockysize=64)
    return folder, build(folder, folder / "scenes", n_diverse=8, engine={"workers": 1})


def test_every_seed_is_one_binary_shape_within_the_rules(ragged: tuple[Path, Outcome]) -> None:
    folder, outcome = ragged
    seeds = rsprep.open(outcome.dataset)
    rules = checked(folder, folder / "scenes").rules
    assert len(seeds.chip_id) > 25
    assert (seeds.cut_share.values > 0).any()
    skies = {f"day{seed}": ragged_sky(seed) == THICK for seed in range(4)}
    for seed in seeds.mask:
        mask = seed.values
        assert set(np.unique(mask)) == {0, 1}
        assert rules.min_area <= mask.mean() <= rules.max_area
        assert ndimage.label(mask, np.ones((3, 3)))[1] == 1
        assert float(seed.cut_share) <= rules.max_cut
        sky = np.pad(skies[str(seed.source.values)], SIZE)
        row, column = int(seed.row) + SIZE, int(seed.col) + SIZE
        assert not (mask & ~sky[row : row + SIZE, column : column + SIZE]).any()
    assert int(seeds.diverse.values.sum()) == 8
    assert len({mask.tobytes() for mask in seeds.mask.values}) == len(seeds.chip_id)


def test_same_seeds_whoever_makes_them(ragged: tuple[Path, Outcome], tmp_path: Path) -> None:
    folder, outcome = ragged
    for name, engine in (("two", {"workers": 2}), ("far", {"workers": 2, "scheduler": "processes"})):
        again = build(tmp_path / name, folder / "scenes", n_diverse=8, engine=engine)
        assert digests(again) == digests(outcome)
        assert (again.dataset / "manifest.csv").read_bytes() == (outcome.dataset / "manifest.csv").read_bytes()


def test_resuming_does_nothing_and_other_inputs_are_refused(ragged: tuple[Path, Outcome], tmp_path: Path) -> None:
    folder, _ = ragged
    shutil.copytree(folder / "scenes", tmp_path / "scenes")
    first = build(tmp_path, tmp_path / "scenes")
    assert digests(build(tmp_path, tmp_path / "scenes")) == digests(first)
    plant_sky(tmp_path / "scenes", ragged_sky(9), "day0.tif")
    with pytest.raises(StoreError, match=r"input\.scenes-1"):
        build(tmp_path, tmp_path / "scenes")


def test_the_most_diverse_are_whole_clouds_and_the_rest_may_go(ragged: tuple[Path, Outcome], tmp_path: Path) -> None:
    """A cut cloud shows straight edges once it is turned; and what is kept is some of what there was."""
    folder, outcome = ragged
    few = build(tmp_path, folder / "scenes", n_diverse=2, max_seeds=8)
    seeds, every = rsprep.open(few.dataset), rsprep.open(outcome.dataset)
    assert len(seeds.chip_id) == 8
    assert set(seeds.chip_id.values) <= set(every.chip_id.values)
    whole = seeds.cut_share.values == 0
    assert whole.sum() >= 2
    assert not (seeds.diverse.values & ~whole).any()
    assert int(seeds.diverse.values.sum()) == 2
    assert "not among the 8 most diverse" in reasons(few)


def test_splits_by_scene_share_no_scene(ragged: tuple[Path, Outcome], tmp_path: Path) -> None:
    folder, _ = ragged
    outcome = build(tmp_path, folder / "scenes", split="scene", ratio=[1, 1, 1], seed=3)
    seeds = rsprep.open(outcome.dataset)
    dealt: dict[str, set[str]] = {}
    for source, split in zip(seeds.source.values, seeds.split.values, strict=True):
        dealt.setdefault(str(source), set()).add(str(split))
    assert all(len(splits) == 1 for splits in dealt.values())
    assert len(set.union(*dealt.values())) > 1


def test_a_scene_that_changed_is_noticed(tmp_path: Path) -> None:
    """The plan's digest and that of the seed which is cut later must agree."""
    scene = plant_sky(tmp_path / "scenes", plain_sky())
    plan = plan_clouds(checked(tmp_path, scene), Silent())
    chips = tuple(chip for chip in plan.chips if not chip.reject)
    batch = Batch(chips=chips, settings=plan.settings, shared=plan.shared, schema=plan.schema)
    assert all(made.arrays for made in make_seeds(batch))
    codes = plain_sky()
    put_disc(codes, 50, 60, 15, code=0)  # gone
    put_disc(codes, 120, 60, 6)  # another shape
    codes[50, 150] = 77  # no such code
    plant_sky(tmp_path / "scenes", codes)
    assert [made.quarantined for made in make_seeds(batch)] == [CHANGED] * 3
    scene.unlink()
    assert [made.quarantined.split(":")[0] for made in make_seeds(batch)] == ["input/no-such-picture"] * 3


@settings(max_examples=30, deadline=None)
@given(
    row=st.integers(-40, 70), column=st.integers(-40, 70), side=st.integers(8, 60),
    step=st.sampled_from([1.0, 2.0, 0.5, 1.7]),
)  # fmt: skip
def test_a_window_shows_what_the_whole_scene_shows(
    tmp_path_factory: pytest.TempPathFactory, row: int, column: int, side: int, step: float
) -> None:
    folder = tmp_path_factory.getbasetemp() / "window"
    if not folder.exists():
        plant_sky(folder, ragged_sky(1, 90))
    (scene,) = find_cloud_scenes(checked(folder, folder / "sky.tif", resolution=10 * step)).scenes
    frame = Frame(row=row, column=column, side=side, anchor=(row, column))
    whole = scene.read()
    if row + side > 0 and column + side > 0 and row < whole.shape[0] and column < whole.shape[1]:
        assert (scene.view(frame, 3) == view(whole, frame, 3)).all()


# -- other inputs ----------------------------------------------------------------------------------


def test_a_static_catalog_gives_dates_and_20_m(tmp_path: Path) -> None:
    plant_stac(tmp_path / "stac", [plain_sky(), ragged_sky(5)])
    outcome = build(tmp_path, tmp_path / "stac", classes="")
    seeds = rsprep.open(outcome.dataset)
    assert set(seeds.date.values.tolist()) == {"2021-06-06", "2021-06-07"}
    assert set(seeds.resolution.values.tolist()) == {20.0}
    assert str(seeds.datetime_start.values[0]).startswith("2021-06-06T10:00:31")
    first = seeds.isel(chip=1)
    assert float(first.x_origin) == WEST + 20 * int(first.col)
    thin = build(tmp_path / "thin", tmp_path / "stac" / "catalog.json", classes="", thick=[9, 10])
    areas = rsprep.open(thin.dataset).area_ratio.values
    assert areas.sum() != seeds.area_ratio.values.sum()  # cirrus counts, when asked for
    one = build(tmp_path / "one", tmp_path / "stac" / "s2" / "S2A_20210606" / "item.json", classes="scl")
    assert one.data.counts.committed == 3


def test_scenes_of_two_resolutions_are_resampled_when_asked(tmp_path: Path) -> None:
    sky = plant_sky(tmp_path / "scenes", plain_sky().repeat(2, axis=0).repeat(2, axis=1), **utm(10.0))
    plant_stac(tmp_path / "stac", [plain_sky()])
    with pytest.raises(InputError, match=r"mixed-resolutions(.|\n)*10 m: sky; 20 m: S2A_20210606"):
        build(tmp_path, [sky, tmp_path / "stac"])
    outcome = build(tmp_path, [sky, tmp_path / "stac"], resolution=20, duplicate_iou=1)
    seeds = rsprep.open(outcome.dataset)
    assert set(seeds.resolution.values.tolist()) == {20.0}
    # Decimated, the sky at 10 m is the one at 20 m; exact duplicates are dropped at any setting.
    assert outcome.data.counts.committed == 3
    assert sum(why.startswith("near-duplicate") for why in reasons(outcome)) == 3


def test_pngs_have_no_place_and_windows_are_cut_from_the_whole(tmp_path: Path) -> None:
    save(tmp_path / "scenes" / "a b.png", plain_sky() * np.uint8(255))
    outcome = build(tmp_path, tmp_path / "scenes", classes="binary-255")
    seeds = rsprep.open(outcome.dataset)
    assert seeds.chip_id.values[0] == "a-b-00032-00146"
    assert np.isnan(seeds.x_origin.values).all()
    assert set(seeds.resolution.values.tolist()) == {1.0}


@pytest.mark.parametrize("large", ["cut", "shrink", "drop"])
def test_what_becomes_of_wide_clouds(tmp_path: Path, large: str) -> None:
    codes = np.zeros((300, 300), np.uint8)
    put_cross(codes, 150, 150, 60, 12)
    outcome = build(
        tmp_path, [plant_sky(tmp_path / "s", codes), plant_sky(tmp_path / "t", plain_sky(), "t.tif")], large=large
    )
    seeds = rsprep.open(outcome.dataset)
    mine = seeds.sel(chip=seeds.source.values == "sky") if large != "drop" else None
    if mine is None:
        assert "wider than 48 pixels" in reasons(outcome)
    elif large == "shrink":
        assert mine.resolution.values.tolist() == pytest.approx([10 * 128 / 48])
        assert np.isnan(mine.x_origin.values).all()  # its pixels are not those of the others
        assert float(mine.cut_share.values[0]) == 0
    else:
        assert (mine.cut_share.values > 0).all()
        assert set(mine.resolution.values.tolist()) == {10.0}


# -- a data set's own masks ------------------------------------------------------------------------

CHIP = 40
CHIPS = Schema(
    variables=(Variable(name="s2_valid", bands=None, band_dim=None, dtype="uint8", fill=0),),
    chip_px=CHIP,
    resolution=10.0,
    slots_per_shard=4,
)


def tiles(sky: NDArray[np.uint8], gone: set[tuple[int, int]]) -> Iterable[tuple[int, int, NDArray[np.uint8], bool]]:
    for row in range(0, sky.shape[0], CHIP):
        for column in range(0, sky.shape[1], CHIP):
            clear = (sky[row : row + CHIP, column : column + CHIP] != THICK).astype(np.uint8)
            yield row, column, clear, (row // CHIP, column // CHIP) in gone


def make_tiles(batch: Batch) -> Iterable[MadeChip]:
    for chip in batch.chips:
        clear = np.array(chip.payload["clear"], np.uint8)
        seen = 0.6 if chip.payload["partly"] else 1.0
        share = float(clear.mean())
        yield MadeChip(
            arrays={"s2_valid": clear},
            stats={"valid_fraction": min(share, seen), "s2_cloud_fraction": max(0.0, seen - share)},
        )


def plant_data_set(out: Path, sky: NDArray[np.uint8], gone: set[tuple[int, int]]) -> Path:
    chips = [
        CorpusChip(
            chip_id=f"t-{row}-{column}",
            split="train",
            payload={"clear": clear.tolist(), "partly": partly},
            place=Place(epsg=32633, x_origin=WEST + 10 * column, y_origin=NORTH - 10 * row, lon=16.3, lat=48.7),
        )
        for row, column, clear, partly in tiles(sky, gone)
    ]
    plan = CorpusPlan(
        kind="tiles",
        title="Tiles",
        settings=make_settings(CorpusSettings, {"out": str(out / "tiles"), "catalog": str(out / "catalog")}),
        inputs={},
        schema=CHIPS,
        chips=chips,
        make=make_tiles,
    )
    return run_corpus(plan).dataset


def test_clouds_of_a_data_set_reach_over_its_chips(tmp_path: Path) -> None:
    """Chips lie side by side again; one that was not observed everywhere counts as unknown."""
    sky = plain_sky()
    dataset = plant_data_set(tmp_path, sky, gone={(1, 3)})
    outcome = build(tmp_path, dataset, classes="")
    seeds = rsprep.open(outcome.dataset)
    assert len(seeds.chip_id) == 2  # the cross lies partly in the chip that is gone
    for seed in seeds.mask:
        row, column = int(seed.row), int(seed.col)
        assert (seed.values == (sky[row : row + SIZE, column : column + SIZE] == THICK)).all()
        assert float(seed.x_origin) == WEST + 10 * column
    assert seeds.source.values.tolist() == ["tiles-32633"] * 2
    # The disc at the edge, and what is left of the cross at two sides of the gap.
    assert reasons(outcome) == ["the cloud goes on outside the scene or in pixels without data"] * 3


def test_a_data_set_that_was_never_observed_whole_is_refused(tmp_path: Path) -> None:
    every = {(row, column) for row in range(5) for column in range(6)}
    with pytest.raises(InputError, match="not-observed"):
        build(tmp_path, plant_data_set(tmp_path, plain_sky(), every), classes="")


# -- detectors -------------------------------------------------------------------------------------


class Bright:
    """Stands in for s2cloudless: cloud where the first band is bright."""

    def __init__(self, **_: Any) -> None:
        pass

    def get_cloud_probability_maps(self, data: NDArray[np.float32]) -> NDArray[np.float32]:
        return data[..., 0]


def test_a_detector_finds_the_same_clouds_in_bands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plain: Outcome
) -> None:
    fake = SimpleNamespace(S2PixelCloudDetector=Bright, __version__="0")
    monkeypatch.setitem(sys.modules, "s2cloudless", fake)
    bands = np.full((10, *plain_sky().shape), 900, np.uint16)
    bands[0] = np.where(plain_sky() == THICK, 7000, 1500)
    save(tmp_path / "scenes" / "sky.tif", bands, **utm())
    outcome = build(tmp_path, tmp_path / "scenes", classes="", detector="s2cloudless", n_diverse=2)
    assert digests(outcome) == digests(plain)
    bands[:, 40:60, 40:60] = 0  # no data within the disc
    save(tmp_path / "holes" / "sky.tif", bands, **utm())
    holed = build(tmp_path / "holed", tmp_path / "holes", classes="", detector="s2cloudless")
    assert holed.data.counts.committed == 2


def test_a_detector_that_looks_around_sees_the_whole_scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, ...]] = []

    def predict(bands: NDArray[np.float32]) -> NDArray[np.uint8]:
        seen.append(bands.shape)
        return (bands[:1] > 0.5).astype(np.uint8)

    fake = SimpleNamespace(predict_from_array=predict, __version__="0")
    monkeypatch.setitem(sys.modules, "omnicloudmask", fake)
    bands = np.full((3, *plain_sky().shape), 900, np.uint16)
    bands[0] = np.where(plain_sky() == THICK, 7000, 1500)
    save(tmp_path / "scenes" / "sky.tif", bands, **utm())
    outcome = build(tmp_path, tmp_path / "scenes", classes="", detector="omnicloudmask")
    assert outcome.data.counts.committed == 3
    assert set(seen) == {(3, 200, 240)}


def test_scenes_survive_pickling_and_comparison(tmp_path: Path) -> None:
    import pickle

    plant_sky(tmp_path / "scenes", plain_sky())
    (scene,) = find_cloud_scenes(checked(tmp_path, tmp_path / "scenes")).scenes
    again: CloudScene = pickle.loads(pickle.dumps(scene))  # noqa: S301  # our own bytes
    assert again == scene
    assert hash(again) == hash(scene)


# -- real clouds -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_two_hundred_real_seeds_and_the_diverse_28(tmp_path: Path) -> None:
    masks = real_data("clouds") / "19GBQ-cloud-mask.tif"
    series = real_data("s2-timeseries-33uwp")
    outcome = build(tmp_path, [masks, series], size=256, min_area=0.05, max_cut=0.15, fill_holes=16, resolution=10)
    seeds = rsprep.open(outcome.dataset)
    assert len(seeds.chip_id) >= 200
    assert len(set(seeds.source.values.tolist())) >= 5
    assert int(seeds.diverse.values.sum()) == 28
    assert len(set(digests(outcome).values())) == len(seeds.chip_id)
    assert 0.05 <= seeds.area_ratio.values.min() <= seeds.area_ratio.values.max() <= 0.8
    assert verify(outcome.dataset).ok
