from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from rsprep.dynamic_world import CLASSES, COLOURS, NODATA
from rsprep.errors import CatalogError, RasterError
from rsprep.products.crosswalk import Crosswalk, list_crosswalks, load_crosswalk, read_crosswalk
from tests.support import real_data

# Written down here a second time on purpose: code of the map to Dynamic World class.
TABLES = {
    "dynamic-world": {**{code: code for code in range(9)}, 255: 255},
    "io-lulc": {0: 255, 1: 0, 2: 1, 3: 3, 4: 4, 5: 6, 6: 7, 7: 8, 8: 255, 9: 5},
    "io-lulc-v2": {0: 255, 1: 0, 2: 1, 4: 3, 5: 4, 7: 6, 8: 7, 9: 8, 10: 255, 11: 5},
    "esa-worldcover": {0: 255, 10: 1, 20: 5, 30: 2, 40: 4, 50: 6, 60: 7, 70: 8, 80: 0, 90: 3, 95: 3, 100: 2},
    "rs-spade": {1: 255, 2: 0, 3: 1, 4: 2, 5: 3, 6: 4, 7: 6, 8: 7, 9: 8},
    "gid-15": {0: 255, 1: 6, 2: 6, 3: 6, 4: 6, 5: 4, 6: 4, 7: 4, 9: 1, 10: 5, 11: 2, 12: 2, 13: 0, 14: 0, 15: 0},
    "loveda": {0: 255, 2: 6, 3: 6, 4: 0, 5: 7, 6: 1, 7: 4},
    "scenes-lulc4": {0: 255, 1: 6, 3: 0},
}
UNMAPPED = {"gid-15": {8}, "loveda": {1}, "scenes-lulc4": {2}}
"""Classes that no one class of Dynamic World stands for."""


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
            slug = "unmapped-class" if code in UNMAPPED.get(name, ()) else "unknown-class"
            with pytest.raises(RasterError, match=slug) as caught:
                crosswalk.to_dynamic_world(labels)
            assert caught.value.value == code


@pytest.mark.parametrize("name", TABLES)
def test_round_trip(name: str) -> None:
    """Pitfall 21: every class that the coding can express comes back; what it cannot express raises."""
    crosswalk = load_crosswalk(name)
    reached = list(TABLES[name].values())
    for label in (*range(len(CLASSES)), NODATA):
        labels = np.array([label], np.uint8)
        if label in crosswalk.back or reached.count(label) == 1:
            back = crosswalk.from_dynamic_world(labels)
            assert crosswalk.to_dynamic_world(back).item() == label or label not in reached
        else:
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
        ([(1, None)], {9: 1}, "no Dynamic World class"),
    ],
)
def test_inconsistent_tables_are_refused(
    classes: list[tuple[int, int | None]], back: dict[int, int], message: str
) -> None:
    coded = [{"code": code, "name": "x", "dynamic_world": target} for code, target in classes]
    with pytest.raises(ValidationError, match=message):
        Crosswalk.model_validate(
            {"name": "x", "title": "x", "source": "x", "licence": "x", "classes": coded, "back": back}
        )


# As the authors publish them, written down a second time: the colours of masks that are pictures.
GID_PALETTE = {
    (0, 0, 0): "unknown", (200, 0, 0): "industrial land", (250, 0, 150): "urban residential",
    (200, 150, 150): "rural residential", (250, 150, 150): "traffic land", (0, 200, 0): "paddy field",
    (150, 250, 0): "irrigated land", (150, 200, 150): "dry cropland", (200, 0, 200): "garden plot",
    (150, 0, 250): "arbor woodland", (150, 150, 250): "shrub land", (250, 200, 0): "natural grassland",
    (200, 200, 0): "artificial grassland", (0, 0, 200): "river", (0, 150, 200): "lake", (0, 200, 250): "pond",
}  # fmt: skip


def test_palette_of_gid_15() -> None:
    crosswalk = load_crosswalk("gid-15")
    names = {one.code: one.name for one in crosswalk.classes}
    assert {rgb: names[code] for rgb, code in crosswalk.palette.items()} == GID_PALETTE
    assert sorted(names) == list(range(16))
    assert crosswalk.unknown_codes == (0,)
    assert crosswalk.colours[8] == "#c800c8"


@pytest.mark.parametrize("name", TABLES)
def test_every_class_has_a_colour_of_its_own_and_a_name(name: str) -> None:
    crosswalk = load_crosswalk(name)
    known = [one.code for one in crosswalk.known]
    assert len({crosswalk.colours[code] for code in known}) == len(known)
    assert len({one.name for one in crosswalk.classes}) == len(crosswalk.classes)
    assert {one.code for one in crosswalk.unmapped} == UNMAPPED.get(name, set())


def test_dynamic_world_is_drawn_in_its_own_colours() -> None:
    assert [load_crosswalk("dynamic-world").colours[code] for code in range(9)] == list(COLOURS)


def test_a_colour_stands_for_one_code() -> None:
    classes = [{"code": code, "name": "x", "palette": [1, 2, 3]} for code in (1, 2)]
    with pytest.raises(ValidationError, match="same palette colour"):
        Crosswalk.model_validate({"name": "x", "title": "x", "source": "x", "licence": "x", "classes": classes})


def test_a_table_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    text = (
        "name: mine\ntitle: t\nsource: s\nlicence: l\nclasses:\n  - {code: 3, name: roof}\n  - {code: 9, name: lawn}\n"
    )
    path.write_text(text)
    crosswalk = read_crosswalk(path)
    assert [one.name for one in crosswalk.unmapped] == ["roof", "lawn"]
    assert len(set(crosswalk.colours.values())) == 2
    for wrong in (text + "  - {code: 300, name: x}", text + "colour: x", "- [", "\udcff"):
        path.write_text(wrong, errors="surrogateescape")
        with pytest.raises(CatalogError, match="bad-class-table"):
            read_crosswalk(path)
    with pytest.raises(CatalogError, match="No such file"):
        read_crosswalk(tmp_path / "absent.yaml")


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
