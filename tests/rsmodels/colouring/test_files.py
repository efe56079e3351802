"""Rasters and folders of pictures, coloured: the planted colours, and all that a file says stays said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
from numpy.typing import NDArray
from PIL import Image
from rasterio.enums import ColorInterp
from rasterio.transform import from_origin

from rsmodels.colouring import files, work
from rsmodels.colouring.colorize import Colouring, colorize
from rsmodels.data.loader import sweep
from rsmodels.data.source import ChipSource
from rsmodels.errors import ModelError
from rsmodels.lab import to_lab, to_rgb
from rsmodels.tiling import rasters
from rsmodels.training.load import load
from rsmodels.training.run import train
from rsprep.errors import InputError
from tests.rsmodels.colouring.conftest import Plain, Plant, Uneven

SHAPE = 83, 101
PLACE = {"crs": "EPSG:32633", "transform": from_origin(500_000, 5_300_000, 10, 10)}


def surface(shape: tuple[int, int] = SHAPE, top: float = 255) -> NDArray[np.float64]:
    """(y, x) of 0.1 to 0.9 of `top`."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    return np.asarray((0.5 + 0.25 * np.sin(x / 9) + 0.15 * np.cos(y / 14)) * top)


def write(path: Path, values: NDArray[Any], **more: Any) -> Path:
    values = values if values.ndim == 3 else values[None]
    count, height, width = values.shape
    size = {"count": count, "height": height, "width": width, "dtype": values.dtype}
    with rasterio.open(path, "w", driver="GTiff", **size, **{**PLACE, **more}) as file:
        file.write(values)
    return path


def read(path: Path) -> NDArray[Any]:
    with rasterio.open(path) as file:
        values: NDArray[Any] = file.read()
    return values


def planted(levels: NDArray[Any], top: float = 255.0) -> NDArray[np.float32]:
    """(3, y, x) what the planted network makes of grey levels (y, x), in their numbers."""
    rgb = torch.from_numpy(np.asarray(levels, np.float32) / np.float32(top)).expand(1, 3, -1, -1)
    grey = to_lab(rgb)[:, :1]
    made = Plain()(grey)[0]
    return np.asarray(to_rgb(made)[0].numpy() * top)


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """One grey band of 8 bit with a corner without data, tags, a scale and overviews."""
    values = surface().astype(np.uint8)
    values[:20, :30] = 0
    path = write(tmp_path / "scene.tif", values, nodata=0, compress="lzw")
    with rasterio.open(path, "r+") as file:
        file.update_tags(origin="planted")
        file.update_tags(1, wavelength="665", STATISTICS_MEAN="1500")
        file.scales, file.offsets = (1e-2,), (-0.1,)
        file.build_overviews([2])
    return path


def colour(tmp_path: Path, run: Path, **changes: Any) -> Colouring:
    values = {"input": str(tmp_path / "scene.tif"), "checkpoint": str(run), "out": str(tmp_path / "out"), "batch": 3}
    return colorize({**values, "device": "cpu", **changes})


def test_a_raster_gets_colours_and_keeps_all_else(run: Path, scene: Path, plant: Plant, tmp_path: Path) -> None:
    plant(Plain())
    made = colour(tmp_path, run)
    with rasterio.open(scene) as before, rasterio.open(made.images / "scene.tif") as after:
        old, new = before.read(1), after.read()
        for name in ("crs", "transform", "nodata", "compression"):
            assert getattr(after, name) == getattr(before, name), name
        assert after.dtypes == ("uint8",) * 3
        assert after.colorinterp == (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
        assert after.scales == (1e-2,) * 3
        assert after.offsets == (-0.1,) * 3
        assert after.tags()["origin"] == "planted"
        assert after.tags()["coloured_by"].startswith("bmmaenet ")
        assert after.tags(1) == {}  # what was said of the grey band is no property of red
        assert after.overviews(1) == [2]
        assert after.profile["tiled"]
    empty = old == 0
    assert np.array_equal((new == 0).all(axis=0), empty)
    assert (new[:, ~empty] != 0).all()  # never the number for no-data
    assert np.abs(new[:, ~empty] - planted(old)[:, ~empty]).max() <= 1
    counts = {key: made.record[key] for key in ("pixels", "coloured", "nodata", "beyond")}
    assert counts == {"pixels": old.size, "coloured": (~empty).sum(), "nodata": empty.sum(), "beyond": 0}
    assert sorted(path.name for path in made.out.iterdir()) == ["colorize.json", "images", "report.html"]
    page = made.page.read_text(encoding="utf-8")
    assert "1 image coloured" in page
    assert "600 pixels have no data" in page


def test_a_mask_of_its_own_is_kept(run: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "scene.tif", surface().astype(np.uint8))
    seen = np.full(SHAPE, 255, np.uint8)
    seen[50:, 60:] = 0
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as file:
        file.write_mask(seen)
    made = colour(tmp_path, run)
    with rasterio.open(made.images / "scene.tif") as after:
        assert np.array_equal(after.dataset_mask(), seen)
        assert (after.read()[:, 50:, 60:] == 0).all()


@pytest.mark.parametrize("window", [64, 100])
def test_windows_do_not_show_and_bound_what_is_read(
    window: int, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However large the raster, no more is held than a window and the tiles that reach into it."""
    write(tmp_path / "scene.tif", surface((150, 170)).astype(np.uint8))
    whole = read(colour(tmp_path, run).images / "scene.tif")
    largest = []
    plain = rasters.read_picture

    def watched(path: Path, **more: Any) -> NDArray[Any]:
        values = plain(path, **more)
        largest.append(max(values.shape[1:]))
        return values

    monkeypatch.setattr(rasters, "read_picture", watched)
    parts = colour(tmp_path, run, window=window, out=str(tmp_path / "parts"))
    assert np.array_equal(read(parts.images / "scene.tif"), whole)
    assert max(largest) <= min(window + 2 * 32, 170)


def test_no_seam_at_tile_borders(run: Path, plant: Plant, tmp_path: Path) -> None:
    """With a network that makes each tile one colour, steps at tile borders are none larger than those within."""
    y, x = np.mgrid[:64, :300]
    write(tmp_path / "scene.tif", (40 + x / 2 + y / 8).astype(np.uint8))
    plant(Uneven())
    steps = np.abs(np.diff(_made(tmp_path, run, "soft", tile=64, overlap=32), axis=2))
    starts = [*range(0, 300 - 64, 32), 300 - 64]
    at = np.array(sorted({edge for start in starts for edge in (start, start + 64) if 0 < edge < 300})) - 1
    elsewhere = np.setdiff1d(np.arange(299), at)
    assert steps[..., at].max() <= steps[..., elsewhere].max()
    hard = np.abs(np.diff(_made(tmp_path, run, "hard", tile=64, overlap=0), axis=2))
    assert hard.max() > 8 * steps.max()  # such a network shows every seam where nothing is blended


def _made(tmp_path: Path, run: Path, out: str, **changes: Any) -> NDArray[np.int64]:
    return read(colour(tmp_path, run, out=str(tmp_path / out), **changes).images / "scene.tif").astype(np.int64)


@pytest.mark.parametrize("shape", [(1, 1), (7, 45), (33, 31), (65, 32)])
def test_any_size(shape: tuple[int, int], run: Path, plant: Plant, tmp_path: Path) -> None:
    values = surface(shape).astype(np.uint8)
    write(tmp_path / "scene.tif", values)
    assert _made(tmp_path, run, "trained").shape == (3, *shape)
    plant(Plain())
    assert np.abs(_made(tmp_path, run, "planted") - planted(values)).max() <= 1


def test_a_killed_run_goes_on_where_it_was(
    run: Path, scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = colour(tmp_path, run, window=64, out=str(tmp_path / "whole"))
    plain, calls = work.colour_area, []

    def dying(*args: Any, **more: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return plain(*args, **more)

    monkeypatch.setattr(work, "colour_area", dying)
    with pytest.raises(KeyboardInterrupt):
        colour(tmp_path, run, window=64)
    assert not (tmp_path / "out" / "images").exists()
    made = colour(tmp_path, run, window=64)
    assert len(calls) == 5  # four windows; the one that died is done again, none else
    assert made.record["files"] == whole.record["files"]
    assert (made.images / "scene.tif").read_bytes() == (whole.images / "scene.tif").read_bytes()
    assert colour(tmp_path, run, window=64).record["again"]  # done already
    assert len(calls) == 5


@pytest.mark.parametrize("kind", ["run", "band_run"])
def test_a_chip_is_coloured_as_evaluation_has_it(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """What a file is to the network is what the chip was: grey, scale and the way back."""
    path: Path = request.getfixturevalue(kind)
    trained = load(path, device="cpu")
    source = ChipSource.open(trained.settings.data[0])
    batch = next(iter(sweep(source, source.of_split("val")[:1], trained.fields, trained.normaliser, batch=1)))
    expected = trained.normaliser.to_store("image", trained.colorize(batch), batch.valid["image"])[0]
    start = "grey" if "grey" in batch.values else "image"
    raw = trained.normaliser.to_store(start, batch.values[start], batch.valid[start])[0]
    write(tmp_path / "scene.tif", raw, nodata=trained.normaliser["image"].nodata)
    known = batch.valid[start][0, 0].numpy() & batch.valid["image"][0, 0].numpy()
    assert np.abs(_made(tmp_path, path, "again") - expected)[:, known].max() <= 1


# -- what is looked at -----------------------------------------------------------------------------


def test_of_a_coloured_image_only_lightness_counts(run: Path, plant: Plant, tmp_path: Path) -> None:
    grey = surface().astype(np.uint8)
    write(tmp_path / "scene.tif", grey)
    one = _made(tmp_path, run, "one")
    write(tmp_path / "scene.tif", np.stack([grey] * 3))
    assert np.array_equal(_made(tmp_path, run, "three"), one)
    lab = to_lab(torch.from_numpy(np.stack([grey] * 3)[None] / 255))
    lab[:, 1:] = torch.tensor([0.1, -0.2])[:, None, None]
    tinted = np.rint(to_rgb(lab)[0].numpy() * 255).astype(np.uint8)
    write(tmp_path / "scene.tif", tinted)
    assert np.abs(_made(tmp_path, run, "tinted") - one).mean() < 1.5  # of 255: tints are whole numbers
    named = write(tmp_path / "scene.tif", np.concatenate([tinted[::-1], tinted[:1]]))
    with rasterio.open(named, "r+") as file:
        file.descriptions = ("blue", "green", "red", "nir")
    by_name = _made(tmp_path, run, "named")
    assert np.array_equal(by_name, _made(tmp_path, run, "numbered", bands="3,2,1"))


def test_lightness_is_kept_where_that_is_asked_for(run: Path, plant: Plant, tmp_path: Path) -> None:
    plant(Plain())
    values = surface().astype(np.uint8)
    write(tmp_path / "scene.tif", values)
    lightness = [
        to_lab(torch.from_numpy(image[None] / 255))[0, 0].numpy() * 50 + 50
        for image in (
            np.stack([values] * 3),
            _made(tmp_path, run, "kept", keep_lightness=True),
            _made(tmp_path, run, "own"),
        )
    ]
    assert np.abs(lightness[1] - lightness[0]).max() < 0.5  # of 100: numbers are whole
    assert np.abs(lightness[2] - lightness[0]).max() > 3


@pytest.mark.parametrize("dtype", ["uint16", "int16", "float32"])
def test_other_numbers_by_a_scale_come_out_in_their_type(dtype: str, run: Path, plant: Plant, tmp_path: Path) -> None:
    """A panchromatic raster of 11 bits, coloured by a model of 8 bits."""
    plant(Plain())
    values = surface(top=2047).astype(dtype)
    write(tmp_path / "scene.tif", values)
    with pytest.raises(ModelError, match="model/other-numbers"):
        colour(tmp_path, run)
    made = read(colour(tmp_path, run, scale=255 / 2047).images / "scene.tif")
    assert np.array_equal(_made(tmp_path, run, "range", range="0,2047"), made.astype(np.int64))
    assert made.dtype == dtype
    assert np.abs(made - planted(values, 2047)).max() <= 1
    assert len(np.unique(made[0])) > 256  # not by way of 8 bit


def test_numbers_outside_the_learned_range_are_told(run: Path, tmp_path: Path) -> None:
    write(tmp_path / "scene.tif", surface(top=2047).astype(np.uint16))
    made = colour(tmp_path, run, scale=1)
    assert made.record["beyond"] > 0.5 * made.record["pixels"]
    assert "outside the range" in made.page.read_text(encoding="utf-8")


def test_numbers_that_are_not_finite_have_no_data(run: Path, tmp_path: Path) -> None:
    values = surface().astype(np.float32)
    values[5:9, 5:50] = np.nan
    write(tmp_path / "scene.tif", values)
    made = read(colour(tmp_path, run, scale=1).images / "scene.tif")
    assert np.array_equal(np.isnan(made).all(axis=0), np.isnan(values))


def test_a_band_that_the_model_learned(band_run: Path, tmp_path: Path) -> None:
    """Near infrared of Sentinel-2: found by its name, or given alone, on the scale that the model learned."""
    bands = ("B02", "B03", "B04", "B08")
    values = np.stack([surface(top=3000) + 100 * number for number in range(4)]).astype(np.int16)
    path = write(tmp_path / "scene.tif", values, nodata=-9999)
    with rasterio.open(path, "r+") as file:
        file.descriptions = bands
    first = _made(tmp_path, band_run, "first")
    assert first.shape == (3, *SHAPE)
    write(tmp_path / "scene.tif", values[3], nodata=-9999)
    assert np.array_equal(_made(tmp_path, band_run, "alone"), first)
    write(tmp_path / "scene.tif", (values[3] + np.int16(1000)).astype(np.uint16))
    apart = np.abs(_made(tmp_path, band_run, "moved", scale=1, offset=-1000).astype(int) - first - 1000)
    assert apart.max() <= 1
    assert (apart > 0).mean() < 1e-3  # a half, which the larger number rounds the other way
    write(tmp_path / "scene.tif", values[:3])
    with pytest.raises(ModelError, match="model/bands"):
        colour(tmp_path, band_run)
    with pytest.raises(ModelError, match="model/no-lightness-to-keep"):
        colour(tmp_path, band_run, keep_lightness=True)


# -- pictures --------------------------------------------------------------------------------------


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    (folder / "field").mkdir(parents=True)
    grey = surface((45, 61)).astype(np.uint8)
    Image.fromarray(np.stack([grey, grey[::-1], grey], axis=-1)).save(folder / "field" / "a.jpg", quality=95)
    Image.fromarray(np.dstack([grey, np.full(grey.shape, 200, np.uint8)])).save(folder / "b.png")
    Image.fromarray(grey).save(folder / "c.tif")
    return folder


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_folder_of_pictures(
    run: Path, pictures: Path, plant: Plant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(Plain())
    opened, plain = [], files.open_grey

    def watched(*args: Any) -> Any:
        opened.append(plain(*args))
        return opened[-1]

    monkeypatch.setattr(files, "open_grey", watched)
    made = colour(tmp_path, run, input=str(pictures))
    found = sorted(path.relative_to(made.out).as_posix() for path in made.out.rglob("*") if path.is_file())
    assert found == ["colorize.json", "images/b.png", "images/c.tif", "images/field/a.png", "report.html"]
    assert read(made.images / "field" / "a.png").shape == (3, 45, 61)
    alpha = read(made.images / "b.png")
    assert alpha.shape == (4, 45, 61)
    assert (alpha[3] == 200).all()
    for image in (alpha[:3], read(made.images / "c.tif")):
        assert np.abs(image - planted(surface((45, 61)).astype(np.uint8))).max() <= 1
    assert len(opened) == 3
    assert not any("_decoded" in vars(one) for one in opened)  # however many there are, they are not all held
    record = json.loads((made.out / "colorize.json").read_text())
    assert [one["name"] for one in record["files"]] == ["b", "c", "field/a"]
    assert record["trained_on"]


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_pictures_of_16_bits(run: Path, plant: Plant, tmp_path: Path) -> None:
    plant(Plain())
    values = surface((45, 61), top=65535).astype(np.uint16)
    (tmp_path / "deep").mkdir()
    Image.fromarray(values).save(tmp_path / "deep" / "a.png")
    made = read(colour(tmp_path, run, input=str(tmp_path / "deep"), scale=255 / 65535).images / "a.png")
    assert made.dtype == np.uint16
    assert np.abs(made - planted(values, 65535)).max() <= 4  # float32 on the way


# -- refusals --------------------------------------------------------------------------------------


def refused(tmp_path: Path, run: Path, name: str, **changes: Any) -> None:
    with pytest.raises(InputError) as error:
        colour(tmp_path, run, **changes)
    assert error.value.name == name
    assert error.value.remedy
    out = Path(changes.get("out", tmp_path / "out"))
    assert not out.is_dir() or not any(out.iterdir())


def test_bad_inputs_are_named_and_leave_nothing(run: Path, scene: Path, tiny_dataset: Path, tmp_path: Path) -> None:
    refused(tmp_path, run, "input/not-found", input=str(tmp_path / "nowhere.tif"))
    (tmp_path / "empty").mkdir()
    refused(tmp_path, run, "input/empty-folder", input=str(tmp_path / "empty"))
    refused(tmp_path, run, "model/chips-not-pictures", input=str(tiny_dataset))
    refused(tmp_path, run, "model/bands", bands="B12")
    refused(tmp_path, run, "model/out-like-a-file", out=str(tmp_path / "coloured.tif"))
    refused(tmp_path, run, "model/overlap", overlap=20)
    refused(tmp_path, run, "config/bad-settings", tile=32, overlap=17)
    refused(tmp_path, run, "config/bad-settings", bands="1,2")
    refused(tmp_path, run, "config/bad-settings", range="9,2")
    refused(tmp_path, run, "config/bad-settings", range="0,2047", scale=2)
    refused(tmp_path, run, "config/bad-range", range="0,a")
    refused(tmp_path, run, "model/no-checkpoint", checkpoint=str(tmp_path / "run"))
    write(tmp_path / "two.tif", np.ones((2, 9, 9), np.uint8))
    refused(tmp_path, run, "model/bands", input=str(tmp_path / "two.tif"))
    Image.new("P", (9, 9)).save(tmp_path / "codes.png")
    refused(tmp_path, run, "model/codes-not-an-image", input=str(tmp_path / "codes.png"))
    (tmp_path / "cut.tif").write_bytes(scene.read_bytes()[:300])
    refused(tmp_path, run, "input/corrupt-picture", input=str(tmp_path / "cut.tif"))


def test_pictures_of_one_name_are_refused(run: Path, pictures: Path, tmp_path: Path) -> None:
    Image.open(pictures / "b.png").convert("RGB").save(pictures / "b.jpg")
    refused(tmp_path, run, "model/same-name", input=str(pictures))


def test_another_job_in_the_folder_is_refused(run: Path, scene: Path, tmp_path: Path) -> None:
    made = colour(tmp_path, run)
    before = (made.images / "scene.tif").read_bytes()
    with pytest.raises(ModelError, match=r"model/other-colorization.*(\n.*)*keep_lightness: False before"):
        colour(tmp_path, run, keep_lightness=True)
    assert (made.images / "scene.tif").read_bytes() == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("mine")
    with pytest.raises(ModelError, match="model/not-a-colorization"):
        colour(tmp_path, run, out=str(tmp_path / "mine"))


def test_another_kind_of_network_is_refused(tiny_dataset: Path, scene: Path, tmp_path: Path) -> None:
    segmenter = train(
        {
            "model": "segmentation", "data": [str(tiny_dataset)], "out": str(tmp_path / "segmenter"), "batch": 2,
            "network": {"width": 4}, "steps": 1, "save_every": 1, "device": "cpu",
        }
    ).run  # fmt: skip
    with pytest.raises(ModelError, match="model/not-a-colorizer"):
        colour(tmp_path, segmenter)
