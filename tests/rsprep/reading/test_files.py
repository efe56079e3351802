from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox

from rsprep.errors import RasterError, ReadError
from rsprep.granule import Asset
from rsprep.reading import BandSpec, FileAccess, ReadPolicy, load_granule
from rsprep.reading.access import without_secrets
from tests.rsprep.reading.rasters import granule, landscape, read_window, utm, write

GRID = utm(700_000, 5_400_000, (200, 240))
TARGET = utm(700_500, 5_399_600, (50, 60))
AS_DEFINED: dict[str, Any] = {"nodata": 0, "dtype": "uint16"}


def test_only_the_needed_pixels_are_read(tmp_path: Path) -> None:
    values = landscape((200, 240))
    window = read_window(write(tmp_path / "a.tif", values, GRID, 0), TARGET, **AS_DEFINED)
    assert window is not None
    assert window.values.shape == tuple(window.grid.shape) == (55, 65)
    assert window.grid.affine.c == 700_480
    np.testing.assert_array_equal(window.values, values[38:93, 48:113])
    assert window.file_grid == GRID


def test_a_file_elsewhere_is_none(tmp_path: Path) -> None:
    asset = write(tmp_path / "a.tif", landscape((200, 240)), GRID, 0)
    assert read_window(asset, utm(710_000, 5_399_600, (50, 60)), **AS_DEFINED) is None


@pytest.mark.parametrize(
    ("slug", "change", "defined"),
    [
        ("no-band", {"band": 2}, {}),
        ("crs", {"grid": utm(700_000, 5_400_000, (200, 240), epsg=32633)}, {}),
        ("shape", {"grid": utm(700_000, 5_400_000, (200, 241))}, {}),
        ("transform", {"grid": utm(700_000.2, 5_400_000, (200, 240))}, {}),
        ("dtype", {}, {"dtype": "int16"}),
        ("nodata", {}, {"nodata": None}),
        ("nodata", {}, {"nodata": 65535}),
        ("size", {"size": 17}, {}),
        ("checksum", {"checksum": "1220" + "0" * 64}, {}),
        ("checksum-kind", {"checksum": "1114" + "0" * 40}, {}),
        ("unsupported-href", {"href": "/vsizip/a.zip/a.tif"}, {}),
        ("unsupported-href", {"href": "ftp://example.org/a.tif"}, {}),
    ],
)
def test_a_file_that_contradicts_its_item_is_named(
    tmp_path: Path, slug: str, change: dict[str, Any], defined: dict[str, Any]
) -> None:
    asset = dataclasses.replace(write(tmp_path / "a.tif", landscape((200, 240)), GRID, 0), **change)
    with pytest.raises(RasterError) as caught:
        read_window(asset, TARGET, **{**AS_DEFINED, **defined}, policy=ReadPolicy(verify_checksum=True))
    assert caught.value.slug == slug
    assert caught.value.remedy


def test_a_file_without_a_crs_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with rasterio.open(
        path, "w", driver="GTiff", height=9, width=9, count=1, dtype="uint16", transform=Affine(10, 0, 0, 0, -10, 0)
    ) as file:
        file.write(np.ones((1, 9, 9), np.uint16))
    with pytest.raises(RasterError, match="no-crs"):
        read_window(Asset(href=str(path)), TARGET, **AS_DEFINED)


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="absent"):
        read_window(Asset(href=str(tmp_path / "no.tif")), TARGET, **AS_DEFINED)


def test_nodata_counts_where_the_file_does_not_declare_it(tmp_path: Path) -> None:
    """Pitfall 8: the definition's value is used when the tag was stripped."""
    values = landscape((200, 240))
    values[:60] = 0
    asset = write(tmp_path / "a.tif", values, GRID, None)
    layer = load_granule(
        granule("a", {"B02": asset}, GRID), ["B02"], TARGET, BandSpec(dtype="uint16", nodata=0), access=FileAccess()
    )
    assert layer is not None
    np.testing.assert_array_equal(layer.valid, values[40:90, 50:110] > 0)
    assert 0 < layer.valid_fraction < 1


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9])
def test_a_truncated_file_raises(tmp_path: Path, share: float) -> None:
    """Pitfall 7: whatever is cut off, no number comes back."""
    path = tmp_path / "a.tif"
    asset = write(path, landscape((200, 240)), GRID, 0)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ReadError, match="undecodable") as caught:
        read_window(asset, GRID, **AS_DEFINED)
    assert caught.value.value == str(path)


def test_a_flipped_byte_raises(tmp_path: Path) -> None:
    """Pitfall 7: damage that the codec notices is a decode error; the checksum notices the rest."""
    path = tmp_path / "a.tif"
    asset = write(path, landscape((200, 240)), GRID, 0, compress="none")
    content = bytearray(path.read_bytes())
    multihash = "1220" + hashlib.sha256(content).hexdigest()
    asset = dataclasses.replace(asset, checksum=multihash, size=len(content))
    careful = ReadPolicy(verify_checksum=True)
    assert read_window(asset, TARGET, **AS_DEFINED, policy=careful) is not None
    content[len(content) // 2] ^= 0x40
    path.write_bytes(content)
    with pytest.raises(RasterError, match="checksum"):
        read_window(asset, TARGET, **AS_DEFINED, policy=careful)
    packed = write(tmp_path / "b.tif", landscape((200, 240)), GRID, 0)
    content = bytearray((tmp_path / "b.tif").read_bytes())
    middle = len(content) // 2
    content[middle : middle + 600] = bytes(600)
    (tmp_path / "b.tif").write_bytes(content)
    with pytest.raises(ReadError, match="undecodable"):
        read_window(packed, GRID, **AS_DEFINED)


def poisoned(path: Path, values: np.ndarray) -> Asset:
    """A file whose overviews hold class 7 only, inside and in a sidecar."""
    asset = write(path, np.full_like(values, 7), GRID, 255)
    with rasterio.open(path, "r+") as file:
        file.build_overviews([2, 4])
        file.write(values, 1)
    sidecar = path.with_suffix(".tif.ovr")
    sidecar.write_bytes(path.read_bytes())
    with rasterio.open(path) as file:
        assert (file.read(1, out_shape=(50, 60)) == 7).all()
    return asset


def test_classes_never_come_from_overviews(tmp_path: Path) -> None:
    """Pitfalls 12 and 13: four times coarser than the file, and still pixels of full resolution."""
    values = np.random.default_rng(5).integers(1, 5, (200, 240)).astype(np.uint8)
    asset = poisoned(tmp_path / "scl.tif", values)
    spec = BandSpec(dtype="uint8", nodata=255, resampling="nearest", categorical=True)
    target = utm(700_000, 5_400_000, (50, 60), 40)
    layer = load_granule(granule("a", {"SCL": asset}, GRID), ["SCL"], target, spec, access=FileAccess())
    assert layer is not None
    np.testing.assert_array_equal(layer.values[0], values[2::4, 2::4])


def test_a_hole_in_a_sparse_file_is_no_zero(tmp_path: Path) -> None:
    """Pitfall 7: a block that was never written decodes as 0, which would be read as sea level or as water."""
    path = tmp_path / "a.tif"
    with rasterio.open(
        path, "w", driver="GTiff", height=200, width=240, count=1, dtype="float32", crs="EPSG:32632",
        transform=GRID.affine, tiled=True, blockxsize=64, blockysize=64, SPARSE_OK=True,
    ) as file:  # fmt: skip
        file.write(landscape((64, 64), dtype="float32"), 1, window=((0, 64), (0, 64)))
    asset = Asset(href=str(path), grid=GRID)
    there = utm(700_100, 5_399_900, (30, 30))
    assert read_window(asset, there, nodata=-9999, dtype="float32") is not None
    with pytest.raises(RasterError, match="hole"):
        read_window(asset, TARGET, nodata=-9999, dtype="float32")


def test_a_sidecar_changes_nothing(tmp_path: Path) -> None:
    values = landscape((200, 240))
    asset = write(tmp_path / "a.tif", values, GRID, 0)
    (tmp_path / "a.tif.aux.xml").write_text(
        "<PAMDataset><GeoTransform>0,10,0,0,0,-10</GeoTransform>"
        '<PAMRasterBand band="1"><NoDataValue>7</NoDataValue></PAMRasterBand></PAMDataset>'
    )
    window = read_window(asset, TARGET, **AS_DEFINED)
    assert window is not None
    np.testing.assert_array_equal(window.values, values[38:93, 48:113])


def test_a_band_of_a_file_with_several(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with rasterio.open(
        path, "w", driver="GTiff", height=200, width=240, count=3, dtype="uint16", crs="EPSG:32632",
        transform=GRID.affine,
    ) as file:  # fmt: skip
        file.write(np.stack([landscape((200, 240), seed) for seed in range(3)]))
    window = read_window(Asset(href=path.as_uri(), band=3), TARGET, **AS_DEFINED)
    assert window is not None
    np.testing.assert_array_equal(window.values, landscape((200, 240), 2)[38:93, 48:113])


def test_a_file_in_degrees_is_read_without_a_declared_grid(tmp_path: Path) -> None:
    second = 1 / 3600
    grid = GeoBox((400, 400), Affine(second, 0, 11.70, 0, -second, 48.75), "EPSG:4326")
    write(tmp_path / "a.tif", landscape((400, 400)), grid, 0)
    window = read_window(Asset(href=str(tmp_path / "a.tif")), TARGET, **AS_DEFINED)
    assert window is not None
    assert window.file_grid.crs == "EPSG:4326"


def test_signatures_are_cut_out_of_messages() -> None:
    said = "HTTP 403 on https://host/a.tif?sv=1&sig=SECRET%3D and '/vsicurl/https://host/b.tif?token=SECRET'"
    assert "SECRET" not in without_secrets(said)
    assert "https://host/a.tif" in without_secrets(said)
