"""Rasters and folders of pictures, filled: what stays is the same to the bit, and what a file says stays said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from PIL import Image
from rasterio.transform import from_origin

from rsmodels.errors import ModelError
from rsmodels.filling import rasters, work
from rsmodels.filling.inpaint import Inpainting, inpaint
from rsmodels.tiling import rasters as tiling_rasters
from rsprep.errors import InputError

SHAPE = 161, 203
PLACE = {"crs": "EPSG:32633", "transform": from_origin(500_000, 5_300_000, 10, 10)}


def surface(count: int, shape: tuple[int, int] = SHAPE) -> NDArray[np.float64]:
    y, x = np.mgrid[: shape[0], : shape[1]]
    return np.stack([1500 + 900 * np.sin(x / 60 + band) + 5 * y for band in range(count)])


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


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """Two bands of 16 bit with a corner without data, names, tags, a scale and overviews."""
    values = surface(2).astype(np.uint16)
    values[:, :20, :30] = 0
    path = write(tmp_path / "scene.tif", values, nodata=0, compress="lzw")
    with rasterio.open(path, "r+") as file:
        file.descriptions = ("B04", "B08")
        file.update_tags(origin="planted")
        file.update_tags(1, wavelength="665", STATISTICS_MEAN="1500")
        file.scales, file.offsets = (1e-4, 1e-4), (-0.1, -0.1)
        file.build_overviews([2])
    return path


@pytest.fixture
def hidden(tmp_path: Path) -> NDArray[np.bool_]:
    """Two clouds, one of them over the corner without data."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    found: NDArray[np.bool_] = ((y - 90) ** 2 + (x - 120) ** 2 < 40**2) | ((y < 30) & (x > 15) & (x < 50))
    write(tmp_path / "mask.tif", found.astype(np.uint8))
    return found


def fill(tmp_path: Path, **changes: Any) -> Inpainting:
    values = {
        "input": str(tmp_path / "scene.tif"),
        "mask": str(tmp_path / "mask.tif"),
        "method": "telea",
        "tile": 64,
        "out": str(tmp_path / "out"),
    }
    return inpaint({**values, **changes})


def test_a_raster_is_filled_and_keeps_all_else(scene: Path, hidden: NDArray[np.bool_], tmp_path: Path) -> None:
    made = fill(tmp_path)
    with rasterio.open(scene) as before, rasterio.open(made.out / "images" / "scene.tif") as after:
        old, new = before.read(), after.read()
        for name in ("crs", "transform", "nodata", "dtypes", "descriptions", "scales", "offsets", "colorinterp"):
            assert getattr(after, name) == getattr(before, name), name
        assert after.tags()["origin"] == "planted"
        assert after.tags(1) == {"wavelength": "665"}  # no statistics of other pixels
        assert after.profile["tiled"]
        assert after.compression == before.compression
        assert after.overviews(1) == [2]
    empty = (old == 0).any(axis=0)
    done = hidden & ~empty
    assert np.array_equal(new[:, ~done], old[:, ~done])
    assert (new[:, done] != 0).all()  # never the number for no-data
    truth = surface(2)[:, done]
    assert np.abs(new[:, done] - truth).mean() < 0.5 * np.abs(truth - truth.mean()).mean()
    assert np.array_equal(read(made.out / "filled" / "scene.tif")[0] == 1, done)
    counts = {key: made.record[key] for key in ("hidden", "filled", "left", "nodata")}
    assert counts == {"hidden": hidden.sum(), "filled": done.sum(), "left": 0, "nodata": (hidden & empty).sum()}
    assert sorted(path.name for path in made.out.iterdir()) == ["filled", "images", "inpaint.json", "report.html"]
    assert made.failures == 0
    assert "scene" in made.page.read_text(encoding="utf-8")


def test_pixels_without_data_are_filled_where_that_is_asked_for(
    scene: Path, hidden: NDArray[np.bool_], tmp_path: Path
) -> None:
    made = fill(tmp_path, fill_nodata=True)
    new, old = read(made.out / "images" / "scene.tif"), read(scene)
    assert (new[:, hidden] != 0).all()
    assert np.array_equal(new[:, ~hidden], old[:, ~hidden])


def test_what_lies_under_the_mask_is_never_looked_at(scene: Path, hidden: NDArray[np.bool_], tmp_path: Path) -> None:
    first = read(fill(tmp_path).out / "images" / "scene.tif")
    values = read(scene)
    values[:, hidden & (values != 0).all(axis=0)] = 60_000
    write(scene, values, nodata=0)
    again = read(fill(tmp_path, out=str(tmp_path / "again")).out / "images" / "scene.tif")
    assert np.array_equal(first, again)


@pytest.mark.parametrize("window", [64, 100, 4096])
def test_windows_do_not_show_and_bound_what_is_read(
    window: int, scene: Path, hidden: NDArray[np.bool_], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However large the raster, no more is held than a window and the tiles that reach into it."""
    whole = read(fill(tmp_path, tile=32).out / "images" / "scene.tif")
    largest = []
    plain = rasters.read_picture

    def watched(path: Path, **more: Any) -> NDArray[Any]:
        values = plain(path, **more)
        largest.append(values.shape[1:])
        return values

    for reader in (rasters, tiling_rasters):
        monkeypatch.setattr(reader, "read_picture", watched)
    parts = fill(tmp_path, tile=32, window=window, out=str(tmp_path / "parts"))
    assert np.array_equal(read(parts.out / "images" / "scene.tif"), whole)
    assert max(max(shape) for shape in largest) <= min(window + 2 * 32, 203)


def test_a_killed_run_goes_on_where_it_was(
    scene: Path, hidden: NDArray[np.bool_], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fill(tmp_path, window=64, out=str(tmp_path / "whole"))
    plain, calls = work.fill_areas, []

    def dying(*args: Any, **more: Any) -> Any:
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return plain(*args, **more)

    monkeypatch.setattr(work, "fill_areas", dying)
    with pytest.raises(KeyboardInterrupt):
        fill(tmp_path, window=64)
    assert not (tmp_path / "out" / "images").exists()
    made = fill(tmp_path, window=64)
    parts = len(list(rasters.Scene.parts(_Sized(), 64)))
    assert len(calls) <= parts + 1  # the one that died is done again, none else
    assert made.record["files"] == whole.record["files"]
    for name in ("images", "filled"):
        assert (made.out / name / "scene.tif").read_bytes() == (whole.out / name / "scene.tif").read_bytes()
    before = len(calls)
    assert fill(tmp_path, window=64).record["filled"] == made.record["filled"]  # done already
    assert len(calls) == before


class _Sized(rasters.Scene):
    """A scene of which nothing but its size is known."""

    def __init__(self) -> None:
        pass

    @property
    def shape(self) -> tuple[int, int]:
        return SHAPE


def test_codes_of_a_coarser_mask_hide_and_grow(scene: Path, tmp_path: Path) -> None:
    codes = np.full((81, 102), 4, np.uint8)
    codes[40:50, 40:60] = 9
    codes[0, 0] = 8
    write(tmp_path / "scl.tif", codes, transform=from_origin(500_000, 5_300_000, 20, 20))
    made = fill(tmp_path, mask=str(tmp_path / "scl.tif"), mask_codes="8,9", grow=2)
    filled = read(made.out / "filled" / "scene.tif")[0] == 1
    assert filled[80:100, 80:120].all()
    assert filled[78, 100]
    assert not filled[77, 100]
    assert not filled[78, 78]  # a disc, not a square
    assert made.record["nodata"] == 13  # of the corner: its 2 × 2 pixels and those that it grew to


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
def test_any_type_and_no_place(dtype: str, hidden: NDArray[np.bool_], tmp_path: Path) -> None:
    values = surface(4) / (1 if dtype != "uint8" else 20)
    path = write(tmp_path / "scene.tif", values.astype(dtype), crs=None, transform=None, photometric="rgb")
    made = fill(tmp_path)
    new, old = read(made.out / "images" / "scene.tif"), read(path)
    assert new.dtype == dtype
    assert np.array_equal(new[:, ~hidden], old[:, ~hidden])
    assert (new[:, hidden] != old[:, hidden]).mean() > 0.5
    with rasterio.open(path) as before, rasterio.open(made.out / "images" / "scene.tif") as after:
        assert after.colorinterp == before.colorinterp
        assert after.crs is None


def test_what_is_too_far_from_anything_known_is_left_and_said(scene: Path, tmp_path: Path) -> None:
    write(tmp_path / "mask.tif", np.pad(np.ones((120, 150), np.uint8), ((41, 0), (53, 0))))
    made = fill(tmp_path, tile=32)
    assert made.record["left"] > 0
    assert made.failures == made.record["left"]
    assert made.record["left"] + made.record["filled"] == made.record["hidden"]
    old, new = read(scene), read(made.out / "images" / "scene.tif")
    marked = read(made.out / "filled" / "scene.tif")[0] == 1
    assert np.array_equal(new[:, ~marked], old[:, ~marked])
    assert "--tile" in made.page.read_text(encoding="utf-8")


# -- pictures --------------------------------------------------------------------------------------


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    (folder / "field").mkdir(parents=True)
    rgb = np.clip(surface(3, (75, 91)) / 12, 0, 255).astype(np.uint8).transpose(1, 2, 0)
    Image.fromarray(rgb).save(folder / "field" / "a.jpg", quality=95)
    alpha = np.dstack([rgb[::-1], np.full(rgb.shape[:2], 200, np.uint8)])
    Image.fromarray(alpha).save(folder / "b.png")
    Image.fromarray(rgb[..., 0]).save(folder / "c.tif")
    mask = np.zeros((75, 91), np.uint8)
    mask[20:50, 30:70] = 255
    for name in ("field/a", "b", "c"):
        (tmp_path / "masks" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask).save(tmp_path / "masks" / f"{name}.png")
    return folder


def test_a_folder_of_pictures(pictures: Path, tmp_path: Path) -> None:
    made = fill(tmp_path, input=str(pictures), mask=str(tmp_path / "masks"), method="navier-stokes")
    found = sorted(path.relative_to(made.out).as_posix() for path in made.out.rglob("*") if path.is_file())
    ours = ["b.png", "c.tif", "field/a.png"]
    assert found == sorted(
        [f"filled/{name}" for name in ours] + [f"images/{name}" for name in ours] + ["inpaint.json", "report.html"]
    )
    for source, name in (("field/a.jpg", "field/a.png"), ("b.png", "b.png"), ("c.tif", "c.tif")):
        old, new = (np.asarray(Image.open(path)) for path in (pictures / source, made.out / "images" / name))
        inside = np.zeros(old.shape[:2], np.bool_)
        inside[20:50, 30:70] = True
        assert np.array_equal(old[~inside], new[~inside])
        assert (old[inside] != new[inside]).any()
        if old.ndim == 3 and old.shape[2] == 4:
            assert (new[..., 3] == 200).all()
    marks = np.asarray(Image.open(made.out / "filled" / "b.png"))
    assert set(np.unique(marks)) == {0, 255}
    assert json.loads((made.out / "inpaint.json").read_text())["hidden"] == 3 * 30 * 40


def test_masks_beside_the_pictures(pictures: Path, tmp_path: Path) -> None:
    for name in ("field/a", "b", "c"):
        (tmp_path / "masks" / f"{name}.png").rename(pictures / f"{name}_mask.png")
    made = fill(tmp_path, input=str(pictures), mask=None)
    assert [one["name"] for one in made.record["files"]] == ["b", "c", "field/a"]


# -- refusals --------------------------------------------------------------------------------------


def refused(tmp_path: Path, name: str, **changes: Any) -> None:
    with pytest.raises(InputError) as error:
        fill(tmp_path, **changes)
    assert error.value.name == name
    assert error.value.remedy
    out = Path(changes.get("out", tmp_path / "out"))
    assert not out.is_dir() or not any(out.iterdir())


def test_bad_inputs_are_named_and_leave_nothing(scene: Path, hidden: NDArray[np.bool_], tmp_path: Path) -> None:
    clear = write(tmp_path / "clear.tif", np.zeros(SHAPE, np.uint8))
    small = write(tmp_path / "small.tif", np.ones((20, 20), np.uint8))
    codes = write(tmp_path / "codes.tif", np.full(SHAPE, 9, np.uint8))
    floats = write(tmp_path / "floats.tif", np.ones(SHAPE, np.float32))
    refused(tmp_path, "model/mask-grid", mask=str(small))
    refused(tmp_path, "model/nothing-hidden", mask=str(clear))
    refused(tmp_path, "input/mask-values", mask=str(codes))
    refused(tmp_path, "input/mask-bands", mask=str(scene))
    refused(tmp_path, "model/mask-not-codes", mask=str(floats), mask_codes=(1,))
    refused(tmp_path, "model/no-mask", mask=None)
    refused(tmp_path, "input/not-found", input=str(tmp_path / "nowhere.tif"))
    refused(tmp_path, "model/bands", bands="B04,B12")
    refused(tmp_path, "model/out-like-a-file", out=str(tmp_path / "filled.tif"))
    refused(tmp_path, "model/overlap", tile=None, overlap=200)
    refused(tmp_path, "config/bad-settings", tile=32, overlap=17)
    refused(tmp_path, "config/bad-settings", method=None)
    refused(tmp_path, "config/bad-method", method="magic")
    refused(tmp_path, "model/no-checkpoint", method=None, checkpoint=str(tmp_path / "run"))
    (tmp_path / "cut.tif").write_bytes(scene.read_bytes()[:400])
    refused(tmp_path, "input/corrupt-picture", input=str(tmp_path / "cut.tif"))


def test_pictures_without_a_mask_or_of_one_name(pictures: Path, tmp_path: Path) -> None:
    masks = tmp_path / "masks"
    (masks / "b.png").unlink()
    refused(tmp_path, "model/no-mask", input=str(pictures), mask=str(masks))
    Image.open(masks / "c.png").save(masks / "b.png")
    Image.open(pictures / "b.png").convert("RGB").save(pictures / "b.jpg")
    refused(tmp_path, "model/same-name", input=str(pictures), mask=str(masks))


def test_another_job_in_the_folder_is_refused(scene: Path, hidden: NDArray[np.bool_], tmp_path: Path) -> None:
    made = fill(tmp_path)
    before = (made.out / "images" / "scene.tif").read_bytes()
    with pytest.raises(ModelError, match=r"model/other-inpainting.*(\n.*)*method: 'telea' before"):
        fill(tmp_path, method="navier-stokes")
    assert (made.out / "images" / "scene.tif").read_bytes() == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("mine")
    with pytest.raises(ModelError, match="model/not-an-inpainting"):
        fill(tmp_path, out=str(tmp_path / "mine"))
    with pytest.raises(InputError, match="not-a-folder"):
        fill(tmp_path, out=str(tmp_path / "mask.tif" / "x"))
