from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from rsprep.dynamic_world import CLASSES, NODATA
from rsprep.errors import CatalogError, RasterError
from rsprep.products.crosswalk import Crosswalk, list_crosswalks, load_crosswalk
from tests.support import real_data

# Written down here a second time on purpose: code of the map to Dynamic World class.
TABLES = {
    "dynamic-world": {**{code: code for code in range(9)}, 255: 255},
    "io-lulc": {0: 255, 1: 0, 2: 1, 3: 3, 4: 4, 5: 6, 6: 7, 7: 8, 8: 255, 9: 5},
    "io-lulc-v2": {0: 255, 1: 0, 2: 1, 4: 3, 5: 4, 7: 6, 8: 7, 9: 8, 10: 255, 11: 5},
    "esa-worldcover": {0: 255, 10: 1, 20: 5, 30: 2, 40: 4, 50: 6, 60: 7, 70: 8, 80: 0, 90: 3, 95: 3, 100: 2},
    "rs-spade": {1: 255, 2: 0, 3: 1, 4: 2, 5: 3, 6: 4, 7: 6, 8: 7, 9: 8},
}


def test_every_shipped_crosswalk_is_written_down_here() -> None:
    assert list_crosswalks() == sorted(TABLES)


@pytest.mark.parametrize("name", TABLES)
def test_every_value_maps_as_documented_or_raises(name: str) -> None:
    """Pitfall 21: all 256 values, one by one."""
    crosswalk = load_crosswalk(name)
    for code in range(256):
        labels = np.array([[code]], np.uint8)
        if code in TABLES[name]:
            assert crosswalk.to_dynamic_world(labels).item() == TABLES[name][code]
        else:
            with pytest.raises(RasterError, match="unknown-class") as caught:
                crosswalk.to_dynamic_world(labels)
            assert caught.value.value == code


@pytest.mark.parametrize("name", TABLES)
def test_round_trip(name: str) -> None:
    """Pitfall 21: every class that the coding can express comes back; what it cannot express raises."""
    crosswalk = load_crosswalk(name)
    reached = set(TABLES[name].values())
    for label in (*range(len(CLASSES)), NODATA):
        labels = np.array([label], np.uint8)
        if label in reached:
            assert crosswalk.to_dynamic_world(crosswalk.from_dynamic_world(labels)).item() == label
        elif label not in crosswalk.back:
            with pytest.raises(RasterError, match="unknown-class"):
                crosswalk.from_dynamic_world(labels)


def test_paper_numbering_holds_every_class_of_a_store() -> None:
    labels = np.array([NODATA, *range(9)], np.uint8)
    assert load_crosswalk("rs-spade").from_dynamic_world(labels).tolist() == [1, 2, 3, 4, 5, 6, 4, 7, 8, 9]


@pytest.mark.parametrize("value", [-1, 256, 12345])
def test_values_beyond_a_byte_do_not_wrap(value: int) -> None:
    """Pitfall 21: 256 must not be looked up as 0."""
    with pytest.raises(RasterError, match="unknown-class"):
        load_crosswalk("dynamic-world").to_dynamic_world(np.array([value], np.int32))
    with pytest.raises(RasterError, match="not-integer"):
        load_crosswalk("dynamic-world").to_dynamic_world(np.array([0.5], np.float32))  # type: ignore[arg-type]  # on purpose


def test_masked_values_are_not_looked_at() -> None:
    """Pitfall 20: whatever lies under the mask becomes nodata, not water."""
    labels, valid = np.array([0, 77, 3], np.uint8), np.array([False, False, True])
    assert load_crosswalk("dynamic-world").to_dynamic_world(labels, valid).tolist() == [NODATA, NODATA, 3]


def test_unknown_crosswalk_is_refused_with_the_known_names() -> None:
    with pytest.raises(CatalogError, match="esa-worldcover"):
        load_crosswalk("corine")


@pytest.mark.parametrize(
    ("classes", "back", "message"),
    [
        ([(1, 0), (1, 2)], {}, "listed twice"),
        ([(1, 9)], {}, "no Dynamic World class"),
        ([(1, 0)], {5: 2}, "not listed"),
    ],
)
def test_inconsistent_tables_are_refused(classes: list[tuple[int, int]], back: dict[int, int], message: str) -> None:
    coded = [{"code": code, "name": "x", "dynamic_world": target} for code, target in classes]
    with pytest.raises(ValidationError, match=message):
        Crosswalk.model_validate(
            {"name": "x", "title": "x", "source": "x", "licence": "x", "classes": coded, "back": back}
        )


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")  # the chips lie nowhere
def test_real_land_cover_is_fully_named() -> None:
    """Pitfall 21 on real rasters: two codings, each under its own crosswalk and refused under another."""
    import rasterio  # only this test opens files

    io = sorted((real_data("multisource-tiles") / "io-lulc").glob("*/*.tif"))
    world = sorted(real_data("hls-dem-worldcover").glob("*.tif"))[:20]
    for paths, band, name, other in ((io, 1, "io-lulc", "esa-worldcover"), (world, 6, "esa-worldcover", "io-lulc")):
        assert paths
        for path in paths:
            with rasterio.open(path) as raster:
                labels = raster.read(band)
            got = load_crosswalk(name).to_dynamic_world(labels)
            for code in np.unique(labels):
                assert (got[labels == code] == TABLES[name][int(code)]).all()
            with pytest.raises(RasterError):
                load_crosswalk(other).to_dynamic_world(labels)
