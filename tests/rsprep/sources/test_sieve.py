"""Which items are meant: by their properties, and of maps of whole years by the year."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
import shapely

from rsprep.errors import CatalogError, ItemError
from rsprep.sources.base import Source, open_source
from rsprep.sources.epochs import nearest_year
from tests.rsprep.sources.making import make_definition, make_item, with_properties, write_catalog

AREA = shapely.box(15.02, 48.02, 15.03, 48.03)


def _moment(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def _radar(folder: Path, items: list[Any], **changes: Any) -> Source:
    rules = {**make_definition().model_dump()["products"]["sentinel1"], **changes}
    return open_source(make_definition(products={"sentinel1": rules}), str(write_catalog(folder, items)))


def _scene(name: str, **properties: Any) -> Any:
    item = make_item(name, collection="s1", assets={"vv": {"href": "/v.tif"}} if name != "hh" else {})
    return with_properties(item, sat__orbit_state="ascending", **properties)


def test_items_that_differ_are_left_out_and_not_held_to_the_definition(tmp_path: Path) -> None:
    """A scene in another polarisation lacks the asset; it is another kind of scene and no fault."""
    items = [_scene("vv", pol=["VV", "VH"]), _scene("hh", pol=["HH", "HV"]), _scene("silent")]
    source = _radar(tmp_path, items, where={"sar:polarizations": "VH"}, properties={"sar:polarizations": "pol"})
    (granule,) = source.find("sentinel1", AREA)
    assert granule.id == "vv"
    assert granule.properties["sar:polarizations"] == ["VV", "VH"]


def test_nothing_found_tells_how_many_differed_and_how(tmp_path: Path) -> None:
    items = [_scene("a", mode="EW"), _scene("b", mode="SM"), _scene("c", mode="IW", datetime="2020-01-01T00:00:00Z")]
    source = _radar(tmp_path, items, where={"mode": "IW"})
    start = _moment("2021-01-01")
    with pytest.raises(CatalogError, match=r"2 of these are not as .* \(mode: IW\), the others are not") as caught:
        source.find("sentinel1", AREA, start)
    assert "2020-01-01" in caught.value.remedy
    source = _radar(tmp_path / "none", items[:2], where={"mode": "IW"})
    with pytest.raises(CatalogError, match=r"2 items found, 2 of them meet the AOI, 2 of these") as caught:
        source.find("sentinel1", AREA, start)
    assert caught.value.remedy == "they have mode: EW; mode: SM"


def test_items_that_are_known_to_be_damaged_are_left_out(tmp_path: Path) -> None:
    """One bad item of a public catalog must not bar a season of good ones; it is named, and nothing else goes."""
    good, bad = _scene("good"), {**_scene("bad"), "assets": {}, "geometry": None}
    source = _radar(tmp_path, [good, bad])
    with pytest.raises(ItemError, match=r"item bad[\s\S]*skip in the source definition"):
        source.find("sentinel1", AREA)
    for skip, found in ((("bad",), ["good"]), (("bad", "good"), None)):
        definition = source.definition.model_copy(update={"skip": skip})
        again = open_source(definition, str(tmp_path / "catalog.json"))
        if found is None:
            with pytest.raises(CatalogError, match="2 others were left out by skip"):
                again.find("sentinel1", AREA)
        else:
            assert [granule.id for granule in again.find("sentinel1", AREA)] == found


def _maps(folder: Path, *years: int, epoch: str = "nearest") -> Source:
    rules = {
        "collection": "lc", "label": "map", "dtype": "uint8", "nodata": 0,
        "crosswalk": "esa-worldcover", "epoch": epoch,
    }  # fmt: skip
    items = []
    for year in years:
        span = {"start_datetime": f"{year}-01-01T00:00:00Z", "end_datetime": f"{year + 1}-01-01T00:00:00Z"}
        asset = {"map": {"href": f"/{year}.tif"}} if year != 1900 else {}
        items.append(with_properties(make_item(f"y{year}", collection="lc", assets=asset), datetime=None, **span))
    return open_source(make_definition(products={"landcover": rules}), str(write_catalog(folder, items)))


@pytest.mark.parametrize(
    ("start", "end", "year"),
    [
        ("2021-06-01", "2021-08-31", 2021),
        ("2025-06-01", "2025-08-31", 2023),
        ("2016-06-01", "2016-08-31", 2020),
        ("2021-11-01", "2022-02-28", 2021),
        ("2022-12-31", "2023-12-31", 2023),
        (None, "2021-06-01", 2021),
        ("2020-01-01", None, 2023),
        (None, None, 2023),
    ],
)
def test_one_year_of_an_annual_map_stands_for_the_period(
    tmp_path: Path, start: str | None, end: str | None, year: int
) -> None:
    """The year that is nearest, inside the period or not; other years are not even looked at closely."""
    source = _maps(tmp_path, 1900, 2020, 2021, 2022, 2023)
    window = [None if text is None else _moment(text) for text in (start, end)]
    (granule,) = source.find("landcover", AREA, *window)
    assert (granule.id, granule.datetime.year) == (f"y{year}", year)


def test_exact_epochs_are_inside_the_period(tmp_path: Path) -> None:
    source = _maps(tmp_path, 2020, 2021, epoch="exact")
    assert [one.id for one in source.find("landcover", AREA, _moment("2020-06-01"), _moment("2021-06-01"))] == [
        "y2020",
        "y2021",
    ]
    with pytest.raises(CatalogError, match="none of these is in the period"):
        source.find("landcover", AREA, _moment("2023-06-01"), _moment("2023-07-01"))


def test_a_place_without_a_map_is_nothing_found(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="0 of them meet the AOI"):
        _maps(tmp_path, 2020).find("landcover", shapely.box(0, 0, 1, 1), _moment("2020-06-01"), _moment("2020-07-01"))


def test_equally_near_years_give_the_later() -> None:
    spans = [(_moment(f"{year}-01-01"), _moment(f"{year}-12-31")) for year in (2019, 2021)]
    july = _moment("2020-07-02")
    assert nearest_year([(span, span[0].year) for span in spans], july, july) == [2021]
    assert nearest_year([], july, july) == []
