from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import xarray as xr
import zarr

import rsprep.store.strict as strict
from rsprep.errors import StoreError
from rsprep.job.columns import chip_columns
from rsprep.job.journal_view import JournalView
from rsprep.store.export import export
from rsprep.store.read import chip, committed_chips, open_dataset
from rsprep.store.seal import is_sealed, seal_store, unseal_store
from rsprep.store.write import shard_file, write_shard
from tests.rsprep.store.fixtures import EPSG, SIDE, build_small, shard_arrays, small_schema


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dataset")
    build_small(folder, excluded=(1,), failed=(2,))
    return folder


def test_plain_xarray_opens_it_with_the_types_of_the_schema(dataset: Path) -> None:
    plain = xr.open_zarr(dataset / "chips.zarr")
    assert {name: str(plain[name].dtype) for name in plain.data_vars} == {
        "s2": "int16",
        "s2_valid": "uint8",
        "s1": "float32",
        "lulc": "uint8",
        "terrain": "float32",
    }
    assert plain.s2.dims == ("chip", "s2_band", "y", "x")
    assert plain.s2.sel(s2_band="B04").shape == (12, 16, 16)
    assert plain.lulc.attrs["nodata"] == 255
    assert plain.lulc.attrs["flag_meanings"].split()[6] == "built"
    assert (plain.s1.attrs["kind"], plain.s1.attrs["calibration"]) == ("rtc", "gamma0")
    assert plain.datetime_start.dtype.kind == "M"
    assert np.isnat(plain.datetime_start.to_numpy()[1])
    assert int(plain.committed.sum()) == 7


def test_open_shows_committed_chips_only_and_stays_lazy(dataset: Path) -> None:
    opened = open_dataset(dataset)
    arrays = shard_arrays(small_schema(), 0, blank=[1]), shard_arrays(small_schema(), 1)
    assert committed_chips(opened) == [
        "33N-0000-0000", "33N-0001-0000", "33N-0001-0001",
        "33N-0000-0002", "33N-0000-0003", "33N-0001-0002", "33N-0001-0003",
    ]  # fmt: skip
    assert opened.s2.chunks is not None
    assert opened.s2.chunks[0] == (3, 4), "one chunk a shard"
    for name in ("s2", "s2_valid", "s1", "lulc", "terrain"):
        expected = np.concatenate([arrays[0][name][[0, 2, 3]], arrays[1][name]])
        np.testing.assert_array_equal(opened[name].to_numpy(), expected)
        assert opened[name].dtype == expected.dtype


def test_one_chip_reads_one_chip(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = 0
    get = strict.StrictStore.get

    async def counting(self: Any, key: str, *rest: Any, **named: Any) -> Any:
        nonlocal read
        buffer = await get(self, key, *rest, **named)
        read += len(buffer) if buffer is not None and key.startswith("s2/c") else 0
        return buffer

    opened = open_dataset(dataset)
    monkeypatch.setattr(strict.StrictStore, "get", counting)
    chip(opened, "33N-0001-0002").s2.load()
    assert 0 < read < shard_file(dataset / "chips.zarr", small_schema(), "s2", 1).stat().st_size / 3


def test_a_chip_lies_where_it_is_on_the_ground(dataset: Path, tmp_path: Path) -> None:
    """Pitfall 34: pixel centres, half a pixel inside the edges that the store names."""
    one = chip(open_dataset(dataset), "33N-0001-0002")
    west, north = 500000.0 + 2 * SIDE, 5400000.0 - SIDE
    assert one.x.to_numpy()[[0, -1]].tolist() == [west + 5, west + SIDE - 5]
    assert one.y.to_numpy()[[0, -1]].tolist() == [north - 5, north - SIDE + 5]
    assert one.rio.crs.to_epsg() == EPSG
    one.s2.rio.to_raster(tmp_path / "s2.tif")
    with rasterio.open(tmp_path / "s2.tif") as written:
        assert written.transform[:6] == (10, 0, west, 0, -10, north)
        assert written.nodata == -32768
        np.testing.assert_array_equal(written.read(), shard_arrays(small_schema(), 1)["s2"][2])
    with pytest.raises(StoreError, match="no committed chip"):
        chip(open_dataset(dataset), "33N-0000-0001")


def test_a_chip_plots(dataset: Path) -> None:
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    one = chip(open_dataset(dataset), "33N-0001-0002")
    mesh = one.s2.sel(s2_band="B04").plot()
    west, east = mesh.axes.get_xlim()
    plt.close("all")
    assert (west, east) == (float(one.x_origin), float(one.x_origin) + SIDE)


def test_export_gives_the_same_pixels_on_the_same_ground(dataset: Path, tmp_path: Path) -> None:
    files = export(dataset, tmp_path / "tif", chips=["33N-0000-0003"])
    assert [file.parent.name for file in files] == ["s2", "s2_valid", "s1", "lulc", "terrain"]
    arrays = shard_arrays(small_schema(), 1)
    for file in files:
        with rasterio.open(file) as raster:
            expected = arrays[file.parent.name][1]
            np.testing.assert_array_equal(raster.read().reshape(expected.shape), expected)
            assert raster.crs.to_epsg() == EPSG
            assert raster.transform[:6] == (10, 0, 500000.0 + 3 * SIDE, 0, -10, 5400000.0)
            assert raster.block_shapes[0] == (16, 16)
            if file.parent.name == "lulc":
                assert raster.colormap(1)[6][:3] == (0xC4, 0x28, 0x1B)
                assert raster.nodata == 255
            if file.parent.name == "terrain":
                assert raster.descriptions == ("elevation", "slope", "aspect", "hillshade")
                assert np.isnan(raster.nodata)
            if file.parent.name == "s2_valid":
                assert raster.nodata is None, "0 is a value of the mask"
    assert list((tmp_path / "tif").rglob("*partial*")) == []
    with pytest.raises(StoreError) as caught:
        export(dataset, tmp_path, layers=["optical"])
    assert caught.value.slug == "no-such-layer"


def test_an_unsealed_data_set_is_refused(tmp_path: Path) -> None:
    """Pitfall 3: metadata counts once it is consolidated by the seal, never before."""
    build_small(tmp_path)
    store = tmp_path / "chips.zarr"
    zarr.open_group(store, mode="r+", use_consolidated=False).update_attributes({"sealed": True, "x": 1})
    assert not is_sealed(store), "the attribute alone, without consolidated metadata, is not a seal"
    with pytest.raises(StoreError) as caught:
        open_dataset(tmp_path)
    assert caught.value.slug == "unsealed"


def test_a_broken_seal_keeps_readers_out(tmp_path: Path) -> None:
    """Pitfall 3: nobody reads finished chips while they are made again."""
    build_small(tmp_path, n_shards=1)
    open_dataset(tmp_path)
    unseal_store(tmp_path / "chips.zarr")
    with pytest.raises(StoreError) as caught:
        open_dataset(tmp_path)
    assert caught.value.slug == "unsealed"


def test_what_is_sealed_again_is_read_as_it_is_now(tmp_path: Path) -> None:
    """Pitfall 3: consolidated metadata is made anew by every seal; a reader never sees the old one."""
    schema = build_small(tmp_path, n_shards=2)
    store = tmp_path / "chips.zarr"
    with JournalView.open(tmp_path) as view:
        columns = chip_columns(view, schema, 8)
    seal_store(store, {**columns, "parent": np.array([f"p{i}" for i in range(8)])})
    assert open_dataset(tmp_path).parent.to_numpy().tolist() == [f"p{i}" for i in range(8)]
    assert zarr.open_group(store, mode="r").metadata.consolidated_metadata is not None


def test_reading_a_damaged_data_set_raises(tmp_path: Path) -> None:
    """Pitfall 2: through xarray and dask, too."""
    schema = build_small(tmp_path)
    shard_file(tmp_path / "chips.zarr", schema, "lulc", 1).unlink()
    opened = open_dataset(tmp_path)
    opened.lulc.isel(chip=slice(0, 4)).load()
    with pytest.raises(StoreError, match="missing-shard"):
        opened.lulc.load()


def test_columns_must_fit(tmp_path: Path) -> None:
    schema = build_small(tmp_path, n_shards=1)
    with JournalView.open(tmp_path) as view:
        columns = chip_columns(view, schema, 4)
    del columns["split"]
    with pytest.raises(StoreError, match="missing: split; of another length: lon"):
        seal_store(tmp_path / "chips.zarr", {**columns, "lon": np.zeros(3)})


def test_equal_builds_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        build_small(tmp_path / name, excluded=(1,))
    write_shard(tmp_path / "b" / "chips.zarr", small_schema(), 1, shard_arrays(small_schema(), 1))

    def content(name: str) -> dict[str, bytes]:
        root = tmp_path / name / "chips.zarr"
        return {str(file.relative_to(root)): file.read_bytes() for file in sorted(root.rglob("*")) if file.is_file()}

    assert content("a") == content("b")
