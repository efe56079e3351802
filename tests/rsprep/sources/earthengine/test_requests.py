"""Requests for pixels stay under the limits of the service, whatever is asked for, and cover each pixel once."""

from __future__ import annotations

import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox

from rsprep.errors import RasterError
from rsprep.granule import Asset
from rsprep.reading.control import ControlCache
from rsprep.reading.spec import BandSpec
from rsprep.sources.definition import load_definition
from rsprep.sources.earthengine.hrefs import make_href, split_href
from rsprep.sources.earthengine.requests import MAX_BYTES, MAX_SIDE, Tile, group_assets, pixel_bytes, plan

LIMIT_BYTES, LIMIT_SIDE = 48 * 2**20, 32 * 2**10
"""What the service documents."""
SIZES = st.lists(st.sampled_from([1, 2, 4, 8]), min_size=1, max_size=24)
BANDS = {product: load_definition("earthengine").product(product).bands() for product in
         ("sentinel2", "sentinel1", "landcover", "dem")}  # fmt: skip
STEP = {"B01": 60, "B09": 60, "SCL": 20, "B05": 20, "B06": 20, "B07": 20, "B8A": 20, "B11": 20, "B12": 20}


def covered(tiles: tuple[Tile, ...], rows: slice, columns: slice) -> bool:
    """Whether the tiles are a grid of contiguous parts, and so hold each pixel once."""
    downs = sorted({(tile.rows.start, tile.rows.stop) for tile in tiles})
    acrosses = sorted({(tile.columns.start, tile.columns.stop) for tile in tiles})
    edges = [
        [parts[0][0], *(stop for _, stop in parts)] == [whole.start, *(start for start, _ in parts[1:]), whole.stop]
        for parts, whole in ((downs, rows), (acrosses, columns))
    ]
    places = {(tile.rows.start, tile.columns.start) for tile in tiles}
    return all(edges) and len(places) == len(tiles) == len(downs) * len(acrosses)


@given(
    top=st.integers(0, 10**6), left=st.integers(0, 10**6),
    height=st.integers(1, 200_000), width=st.integers(1, 200_000), sizes=SIZES,
)  # fmt: skip
@settings(max_examples=100)
def test_every_window_of_every_band_set(top: int, left: int, height: int, width: int, sizes: list[int]) -> None:
    rows, columns = slice(top, top + height), slice(left, left + width)
    tiles = plan(rows, columns, sizes)
    weight = sum(size + 1 for size in sizes)
    for tile in tiles:
        down, across = tile.shape
        assert 0 < down <= MAX_SIDE <= LIMIT_SIDE
        assert 0 < across <= MAX_SIDE
        assert down * across * weight <= MAX_BYTES < LIMIT_BYTES
    assert covered(tiles, rows, columns)


@given(height=st.integers(1, 12_000), width=st.integers(1, 12_000), sizes=SIZES)
def test_no_more_requests_than_the_bytes_ask_for(height: int, width: int, sizes: list[int]) -> None:
    """Whole rows and columns are cut, so that a little more than the least number may be needed."""
    tiles = plan(slice(0, height), slice(0, width), sizes)
    least = -(-height * width * pixel_bytes(sizes) // MAX_BYTES)
    assert len(tiles) <= max(2, 1.6 * least)


def test_a_chip_is_one_request() -> None:
    assert len(plan(slice(0, 1024), slice(0, 1024), [2] * 12)) == 1
    assert len(plan(slice(0, 2048), slice(0, 2048), [2] * 12)) == 4


@given(
    data=st.data(),
    chip=st.sampled_from([64, 100, 128, 224, 256, 512, 1024, 2048, 4096]),
    zone=st.sampled_from([32, 33]),
)
@settings(max_examples=80)
def test_every_band_set_and_chip_size(data: st.DataObject, chip: int, zone: int) -> None:
    """What a task of a build asks for: a block of chips, on the image's own grid or on that of the next zone."""
    product = data.draw(st.sampled_from(sorted(BANDS)))
    table = BANDS[product]
    dtype = data.draw(st.sampled_from(sorted({band.dtype for band in table.values()})))
    names = data.draw(
        st.lists(
            st.sampled_from([name for name, band in table.items() if band.dtype == dtype]), min_size=1, unique=True
        )
    )
    resampling = "nearest" if dtype == "uint8" else data.draw(st.sampled_from(["bilinear", "cubic"]))
    spec = BandSpec(dtype=dtype, nodata=table[names[0]].nodata, resampling=resampling)
    assets = [
        Asset(href=make_href("A/B/C", table[name].asset), grid=lattice(STEP.get(name, 10), zone)) for name in names
    ]
    side = chip * data.draw(st.integers(1, max(1, 2048 // chip)))
    shift = data.draw(st.integers(-side, 11_000)), data.draw(st.integers(-side, 11_000))
    target = GeoBox(
        (side, side), Affine(10, 0, 300_000 + 10 * shift[0], 0, -10, 5_400_000 - 10 * shift[1]), "EPSG:32633"
    )
    groups, absent = group_assets(assets, spec, ControlCache(target))
    assert sorted([*absent, *(index for group in groups for index in group.indices)]) == list(range(len(assets)))
    for group in groups:
        assert covered(group.tiles, group.part.rows, group.part.columns)
        for tile in group.tiles:
            assert max(tile.shape) <= LIMIT_SIDE
            assert tile.shape[0] * tile.shape[1] * pixel_bytes([group_itemsize(dtype)] * len(group.bands)) < LIMIT_BYTES
            assert tile.rows.stop <= group.whole.shape[0]
            assert tile.columns.stop <= group.whole.shape[1]


def lattice(step: int, zone: int) -> GeoBox:
    side = 109_800 // step
    west = 300_000 if zone == 33 else 740_000
    return GeoBox((side, side), Affine(step, 0, west, 0, -step, 5_400_000), f"EPSG:326{zone}")


def group_itemsize(dtype: str) -> int:
    return {"uint8": 1, "uint16": 2, "float32": 4}[dtype]


def test_bands_on_one_lattice_are_asked_for_together() -> None:
    names = ["B02", "B05", "B03", "B06", "B01"]
    assets = [Asset(href=make_href("A/B/C", name), grid=lattice(STEP.get(name, 10), 33)) for name in names]
    target = GeoBox((256, 256), Affine(10, 0, 320_000, 0, -10, 5_390_000), "EPSG:32633")
    groups, absent = group_assets(assets, BandSpec(dtype="uint16", nodata=65535), ControlCache(target))
    assert [(group.bands, group.indices) for group in groups] == [
        (("B02", "B03"), (0, 2)), (("B05", "B06"), (1, 3)), (("B01",), (4,)),
    ]  # fmt: skip
    assert absent == ()


def test_addresses_of_bands() -> None:
    assert split_href(make_href("COPERNICUS/S1_GRD/S1A_x", "VV")) == ("COPERNICUS/S1_GRD/S1A_x", "VV")
    for wrong in ("https://a/b.tif", "ee://A/B", "ee://A/B#", "/data/x.tif"):
        with pytest.raises(RasterError, match="not-earthengine"):
            split_href(wrong)


def test_a_band_without_a_lattice_is_refused() -> None:
    target = ControlCache(GeoBox((8, 8), Affine(10, 0, 320_000, 0, -10, 5_390_000), "EPSG:32633"))
    with pytest.raises(RasterError, match="no-lattice"):
        group_assets([Asset(href=make_href("A/B", "C"))], BandSpec(dtype="uint8", nodata=0), target)
