"""A trained inpainter fills data sets and rasters, on its own scale; what it cannot fill is refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

import rsprep
from rsmodels.data.lineage import FILE_NAME, Seen
from rsmodels.data.source import ChipSource
from rsmodels.errors import ModelError
from rsmodels.filling.inpaint import inpaint
from rsmodels.training.load import load
from rsmodels.training.run import train
from tests.rsmodels.conftest import BANDS
from tests.rsmodels.pairs import Pairs

SIZE = 90, 75


@pytest.fixture(scope="module")
def run(pairs: Pairs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plain network that has hardly learned anything."""
    out = tmp_path_factory.mktemp("inpainter") / "run"
    return train(
        {
            "model": "inpaint-unet", "data": [str(pairs.folder)], "out": str(out), "batch": 2, "steps": 1,
            "save_every": 1, "network": {"width": 4}, "device": "cpu",
        }
    ).run  # fmt: skip


def raster(path: Path, dtype: str, bands: tuple[str, ...] = BANDS, times: float = 1.0) -> np.ndarray[Any, Any]:
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    values = np.stack([900 + 300 * np.sin(x / 9 + band) + 4 * y for band in range(len(bands))]) * times
    place = {"crs": "EPSG:32633", "transform": from_origin(500_000, 5_300_000, 10, 10)}
    size = {"count": len(bands), "height": SIZE[0], "width": SIZE[1], "dtype": dtype}
    with rasterio.open(path, "w", driver="GTiff", **size, **place) as file:
        file.write(values.astype(dtype))
        file.descriptions = bands
    hidden = np.zeros(SIZE, np.uint8)
    hidden[20:60, 15:50] = 1
    with rasterio.open(
        path.with_name("mask.tif"), "w", driver="GTiff", **{**size, "count": 1, "dtype": "uint8"}, **place
    ) as file:
        file.write(hidden, 1)
    return hidden == 1


def fill(tmp_path: Path, run: Path, name: str, out: str, **changes: Any) -> np.ndarray[Any, Any]:
    values = {"input": str(tmp_path / name), "mask": str(tmp_path / "mask.tif"), "checkpoint": str(run), "batch": 3}
    made = inpaint({**values, "out": str(tmp_path / out), "device": "cpu", **changes})
    with rasterio.open(made.out / "images" / name) as file:
        found: np.ndarray[Any, Any] = file.read()
    return found


def test_a_raster_on_the_scale_of_the_model(run: Path, tmp_path: Path) -> None:
    hidden = raster(tmp_path / "scene.tif", "uint16")
    first = fill(tmp_path, run, "scene.tif", "first")
    with rasterio.open(tmp_path / "scene.tif") as file:
        old = file.read()
    assert np.array_equal(first[:, ~hidden], old[:, ~hidden])
    assert (first[:, hidden] != old[:, hidden]).any()
    # Bands in another order are taken by their names.
    with rasterio.open(tmp_path / "turned.tif", "w", **rasterio.open(tmp_path / "scene.tif").profile) as file:
        file.write(old[::-1])
        file.descriptions = BANDS[::-1]
    assert np.array_equal(fill(tmp_path, run, "turned.tif", "turned")[::-1], first)
    # Other numbers for the same reflectance give the same picture.
    raster(tmp_path / "scaled.tif", "float32", times=1e-4)
    scaled = fill(tmp_path, run, "scaled.tif", "scaled", scale=1e4)
    assert np.abs(scaled * 1e4 - first).max() < 2  # of ten thousand: the file's numbers were whole ones


@pytest.mark.parametrize("window", [64])
def test_windows_and_batches_do_not_show(window: int, run: Path, tmp_path: Path) -> None:
    raster(tmp_path / "scene.tif", "uint16")
    whole = fill(tmp_path, run, "scene.tif", "whole")
    assert np.array_equal(fill(tmp_path, run, "scene.tif", "parts", window=window), whole)


def test_a_data_set_on_the_scale_of_the_model(run: Path, tiny_dataset: Path, tmp_path: Path) -> None:
    values = {"input": str(tiny_dataset), "checkpoint": str(run), "device": "cpu", "catalog": str(tmp_path / "catalog")}
    made = inpaint({**values, "out": str(tmp_path / "filled")})
    before, after = rsprep.open(tiny_dataset).load(), rsprep.open(made.out).load()
    hidden = before["s2_valid"].to_numpy() == 0
    assert np.array_equal(after["filled"].to_numpy() == 1, hidden)
    old, new = (one["s2"].to_numpy().transpose(0, 2, 3, 1) for one in (before, after))
    assert np.array_equal(new[~hidden], old[~hidden])
    trained = load(run, device="cpu")
    assert set(after["filled_by"].values.tolist()) == {trained.manifest_hash}
    behind = Seen.read(made.out / FILE_NAME)
    assert set(behind.digest.tolist()) == set(trained.seen.digest.tolist())
    assert len(ChipSource.open(made.out).chips) == len(before.chip)


def test_what_it_cannot_fill_is_refused(run: Path, pairs: Pairs, tmp_path: Path) -> None:
    raster(tmp_path / "bytes.tif", "uint8", times=0.1)
    with pytest.raises(ModelError, match="model/other-numbers"):
        fill(tmp_path, run, "bytes.tif", "out")
    raster(tmp_path / "three.tif", "uint16", bands=("red", "green", "blue"))
    with pytest.raises(ModelError, match="model/bands") as error:
        fill(tmp_path, run, "three.tif", "out")
    assert ", ".join(BANDS) in str(error.value)
    assert not (tmp_path / "out").exists()
    segmenter = train(
        {
            "model": "segmentation", "data": [str(pairs.folder)], "out": str(tmp_path / "segmenter"), "image": "clean",
            "network": {"width": 4}, "batch": 2, "steps": 1, "save_every": 1,
        }
    ).run  # fmt: skip
    with pytest.raises(ModelError, match="model/not-an-inpainter"):
        fill(tmp_path, segmenter, "three.tif", "out")
