"""The shipped definitions against items in the shape in which the public catalogs give them, written for these tests.

Names of assets and properties, types, nodata and hrefs are the catalogs' own; places, numbers and ids are made up.
"""

from __future__ import annotations

import datetime as dt
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import shapely

from rsprep.errors import CatalogError
from rsprep.granule import Granule
from rsprep.products.crosswalk import load_crosswalk
from rsprep.products.sentinel1 import describe, orbit_of
from rsprep.products.sentinel2 import dn_offset
from rsprep.reading import ReadPolicy
from rsprep.sources.base import Source, open_source
from rsprep.sources.definition import (
    PLANETARY_COMPUTER,
    LandCoverProduct,
    Sentinel1Product,
    Sentinel2Product,
    TokenService,
    load_definition,
)
from tests.rsprep.sources.making import Server, serving, write_catalog

FROZEN = Path(__file__).parent / "frozen"
AREA = shapely.box(12.70, 48.20, 12.80, 48.30)
PC_BLOB = ".blob.core.windows.net/"


def _items(pattern: str) -> list[Any]:
    found = [json.loads(path.read_text()) for path in sorted(FROZEN.glob(pattern))]
    assert found
    return found


def _open(folder: Path, name: str, items: list[Any]) -> Source:
    return open_source(load_definition(name), str(write_catalog(folder, items)))


def _find(folder: Path, name: str, product: str, pattern: str, *years: int) -> list[Granule]:
    first, last = years or (2021, 2021)
    window = dt.datetime(first, 1, 1, tzinfo=dt.UTC), dt.datetime(last, 12, 31, tzinfo=dt.UTC)
    return _open(folder, name, _items(pattern)).find(product, AREA, *window)


def _offset(granule: Granule, name: str) -> int:
    rules = load_definition(name).product("sentinel2")
    assert isinstance(rules, Sentinel2Product)
    return dn_offset(granule.properties, baseline_key=rules.baseline, applied=rules.offset_applied)


def test_earth_search_sentinel2(tmp_path: Path) -> None:
    """Pitfall 9: Collection 1 keeps the offset in the numbers, and says so in words that agree."""
    (granule,) = _find(tmp_path, "earth-search", "sentinel2", "earth-search-sentinel-2-c1-l2a.json")
    assert len(granule.assets) == 13
    assert _offset(granule, "earth-search") == -1000
    assert granule.properties["grid:code"] == "MGRS-33UUP"
    red = granule.assets["B04"]
    assert red.href.startswith("https://e84-earth-search-sentinel-data.s3.us-west-2.amazonaws.com/")
    assert red.href.endswith("/B04.tif")
    assert (red.size, (red.checksum or "")[:4]) == (200000003, "1220")
    shapes = {name: asset.grid.shape[0] for name, asset in granule.assets.items() if asset.grid is not None}
    assert shapes == {
        **dict.fromkeys(("B02", "B03", "B04", "B08"), 10980),
        **dict.fromkeys(("B05", "B06", "B07", "B8A", "B11", "B12", "SCL"), 5490),
        **dict.fromkeys(("B01", "B09"), 1830),
    }


def test_an_offset_that_was_taken_off_already_is_not_believed_to_be_there(tmp_path: Path) -> None:
    """Pitfall 9: the older collection has numbers without the offset beside the same words; the flag is a clash."""
    (item,) = _items("earth-search-sentinel-2-c1-l2a.json")
    words = load_definition("earth-search").model_dump()
    words["products"]["sentinel2"]["offset_applied"] = "earthsearch:boa_offset_applied"
    item["properties"]["earthsearch:boa_offset_applied"] = True
    source = open_source(type(load_definition("planted")).model_validate(words), str(write_catalog(tmp_path, [item])))
    with pytest.raises(Exception, match="offset-contradiction"):
        source.find("sentinel2", AREA, *(dt.datetime(2021, month, 1, tzinfo=dt.UTC) for month in (1, 12)))


def test_earth_search_elevation_is_read_over_https(tmp_path: Path) -> None:
    (granule,) = _find(tmp_path, "earth-search", "dem", "earth-search-cop-dem-glo-30.json")
    name = "Copernicus_DSM_COG_10_N48_00_E012_00_DEM"
    host = "https://copernicus-dem-30m.s3.eu-central-1.amazonaws.com"
    assert granule.assets["elevation"].href == f"{host}/{name}/{name}.tif"
    assert granule.assets["elevation"].grid is not None


def test_earth_search_radar_is_refused_by_name(tmp_path: Path) -> None:
    """Pitfall 18."""
    with pytest.raises(CatalogError) as caught:
        _find(tmp_path, "earth-search", "sentinel1", "earth-search-sentinel-1-grd.json")
    assert caught.value.slug == "grd-unsupported"


def test_planetary_computer_sentinel2_of_both_baselines(tmp_path: Path) -> None:
    """Pitfall 9: items say nothing of the offset; the baseline decides."""
    found = _find(tmp_path, "planetary-computer", "sentinel2", "planetary-computer-sentinel-2-l2a-*.json", 2021, 2022)
    assert [_offset(granule, "planetary-computer") for granule in found] == [0, -1000]
    assert {granule.properties["s2:mgrs_tile"] for granule in found} == {"33UUP"}
    assert all(PC_BLOB in asset.href for granule in found for asset in granule.assets.values())


def test_planetary_computer_radar_in_both_polarisations(tmp_path: Path) -> None:
    """Pitfalls 18 and 19: γ⁰ in power; a scene in HH and HV is left out and not taken for a broken one."""
    (granule,) = _find(tmp_path, "planetary-computer", "sentinel1", "planetary-computer-sentinel-1-rtc*.json")
    rules = load_definition("planetary-computer").product("sentinel1")
    assert isinstance(rules, Sentinel1Product)
    assert sorted(granule.assets) == ["VH", "VV"]
    assert orbit_of(granule) == "descending"
    assert describe([granule], kind=rules.kind, calibration=rules.calibration).platforms == ("sentinel-1a",)
    assert granule.datetime == dt.datetime(2021, 6, 10, 5, 26, 20, tzinfo=dt.UTC)
    assert granule.assets["VV"].grid is not None
    assert tuple(granule.assets["VV"].grid.shape) == (21000, 29000)


def test_only_polar_scenes_are_nothing_found(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="1 of these are not as the source definition wants them") as caught:
        _find(tmp_path, "planetary-computer", "sentinel1", "planetary-computer-sentinel-1-rtc-polar.json")
    assert "EW" in caught.value.remedy


@pytest.mark.parametrize(
    ("name", "pattern", "years", "taken"),
    [
        ("planetary-computer", "planetary-computer-io-lulc*.json", (2021, 2021), "33U-2021"),
        ("planetary-computer", "planetary-computer-io-lulc*.json", (2026, 2026), "33U-2022"),
        ("esa-worldcover", "esa-worldcover*.json", (2020, 2020), "ESA_WorldCover_10m_2020_v100_N48E012"),
        ("esa-worldcover", "esa-worldcover*.json", (2023, 2023), "ESA_WorldCover_10m_2021_v200_N48E012"),
    ],
)
def test_annual_land_cover(tmp_path: Path, name: str, pattern: str, years: tuple[int, int], taken: str) -> None:
    """Pitfall 21: one year, in a coding whose table covers all that the catalog publishes."""
    (granule,) = _find(tmp_path, name, "landcover", pattern, *years)
    assert granule.id == taken
    assert granule.assets["label"].grid is not None
    rules = load_definition(name).product("landcover")
    assert isinstance(rules, LandCoverProduct)
    known = {entry.code for entry in load_crosswalk(rules.crosswalk).classes}
    (item,) = (item for item in _items(pattern) if item["id"] == taken)
    asset = item["assets"][rules.label]
    assert {value for entry in asset.get("file:values", []) for value in entry["values"]} <= known


def test_worldcover_without_a_period_is_the_newer_map(tmp_path: Path) -> None:
    (granule,) = _open(tmp_path, "esa-worldcover", _items("esa-worldcover*.json")).find("landcover", AREA)
    assert granule.datetime.year == 2021


def test_planetary_computer_elevation(tmp_path: Path) -> None:
    (granule,) = _find(tmp_path, "planetary-computer", "dem", "planetary-computer-cop-dem-glo-30.json")
    assert granule.footprint.covers(AREA)


@pytest.fixture
def service() -> Any:
    with serving() as server:
        yield server


def test_hrefs_are_kept_unsigned_and_signed_where_they_are_read(tmp_path: Path, service: Server) -> None:
    """Pitfall 5: what a catalog signed is stripped; tokens are fetched on the other side of a pickle."""
    items = _items("planetary-computer-sentinel-2-l2a-new.json")
    items[0]["assets"]["B04"]["href"] += "?st=2022&sig=SECRET"
    definition = load_definition("planetary-computer")
    assert definition.signing == PLANETARY_COMPUTER
    tokens = TokenService(service=f"{service.url}/token", hosts=PLANETARY_COMPUTER.hosts)
    catalog = write_catalog(tmp_path, items)
    source = open_source(definition.model_copy(update={"signing": tokens}), str(catalog))
    window = (dt.datetime(2022, month, 1, tzinfo=dt.UTC) for month in (1, 12))
    (granule,) = source.find("sentinel2", AREA, *window)
    assert "SECRET" not in str(granule.to_json())
    assert not service.asked, "nothing is signed before it is read"
    access = pickle.loads(pickle.dumps(source.access(ReadPolicy())))  # noqa: S301 - made here
    service.tell("/token/sentinel2l2a01/sentinel2-l2", (200, {"msft:expiry": "2999-01-01T00:00:00Z", "token": "sig=T"}))
    href = granule.assets["B04"].href
    assert access.signer.sign(href) == f"{href}?sig=T"
    assert service.asked == ["/token/sentinel2l2a01/sentinel2-l2"]
