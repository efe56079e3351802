"""Reading areas: what is accepted, and that it lands where the user meant."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import geopandas
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Transformer

from rsprep.errors import AoiError
from rsprep.ground.aoi import Aoi, read_aoi
from tests.support import real_data

SQUARE = [[15.0, 48.0], [15.2, 48.0], [15.2, 48.1], [15.0, 48.1], [15.0, 48.0]]
HOLE = [[15.05, 48.02], [15.05, 48.04], [15.1, 48.04], [15.1, 48.02], [15.05, 48.02]]


def polygon(*rings: list[list[float]]) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": list(rings)}


def feature(geometry: dict[str, Any] | None) -> dict[str, Any]:
    return {"type": "Feature", "properties": {}, "geometry": geometry}


def collection(*geometries: dict[str, Any] | None, **members: Any) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": [feature(geometry) for geometry in geometries], **members}


@pytest.fixture
def read(tmp_path: Path) -> Any:
    def write_and_read(content: Any) -> Aoi:
        path = tmp_path / "area.geojson"
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return read_aoi(str(path))

    return write_and_read


@pytest.mark.parametrize(
    "content",
    [
        polygon(SQUARE),
        {"type": "MultiPolygon", "coordinates": [[SQUARE]]},
        {"type": "GeometryCollection", "geometries": [polygon(SQUARE)]},
        feature(polygon(SQUARE)),
        collection(polygon(SQUARE)),
        collection(polygon(SQUARE), polygon(SQUARE)),
        polygon([[x, y, 7.0] for x, y in SQUARE]),
        collection(polygon(SQUARE), crs={"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}),
        collection(polygon(SQUARE), crs={"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4326"}}),
    ],
)
def test_every_kind_of_geojson_gives_the_same_area(read: Any, content: Any) -> None:
    assert shapely.equals(read(content).geometry, shapely.box(15.0, 48.0, 15.2, 48.1))


def test_byte_order_mark_and_holes(read: Any) -> None:
    area = read("\ufeff" + json.dumps(polygon(SQUARE, HOLE))).geometry
    assert area.area == pytest.approx(0.2 * 0.1 - 0.05 * 0.02)


def test_bbox_and_file_agree(read: Any) -> None:
    assert shapely.equals(read_aoi("15,48, 15.2,48.1").geometry, read(polygon(SQUARE)).geometry)


def test_area_centroid_and_their_echo() -> None:
    """Pitfall 39: swapped or misplaced areas are noticed by reading the line."""
    area = read_aoi("-1,-1,1,1")
    assert area.area_km2 == pytest.approx(49_231, rel=2e-3)  # (2 × 111.32 km) × (2 × 110.57 km)
    assert area.centroid == pytest.approx((0, 0), abs=1e-9)
    assert read_aoi("14.9,48.1,15.1,48.3").describe().endswith("around 48.1999°N 15.0000°E (14.9,48.1,15.1,48.3)")


@pytest.mark.parametrize("code", [32633, 3857, 3035, 4258, 31287])
def test_declared_crs_is_transformed_with_its_edges(read: Any, code: int) -> None:
    """An edge that is straight in the declared CRS bends in longitude and latitude and is followed."""
    to_crs = Transformer.from_crs("OGC:CRS84", code, always_xy=True)
    back = Transformer.from_crs(code, "OGC:CRS84", always_xy=True)
    west, south = to_crs.transform(14.0, 47.5)
    east, north = to_crs.transform(16.0, 48.5)
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    area = read(
        collection(polygon(ring), crs={"type": "name", "properties": {"name": f"urn:ogc:def:crs:EPSG::{code}"}})
    )
    middle = shapely.Point(back.transform((west + east) / 2, south))
    assert shapely.distance(area.geometry.boundary, middle) * 111_000 < 0.05
    corner = shapely.Point(back.transform(east, north))
    assert shapely.distance(area.geometry.boundary, corner) * 111_000 < 0.05


def crossing_forms() -> dict[str, dict[str, Any]]:
    """One box from 179°E to 179°W, as people write it."""

    def ring(*lons: float) -> list[list[float]]:
        return [[lon, lat] for lon, lat in zip([*lons, lons[0]], [-17, -17, -16, -16, -17], strict=True)]

    return {
        "jump": polygon(ring(179, -179, -179, 179)),
        "beyond 180": polygon(ring(179, 181, 181, 179)),
        "beyond -180": polygon(ring(-181, -179, -179, -181)),
        "split": {"type": "MultiPolygon", "coordinates": [[ring(179, 180, 180, 179)], [ring(-180, -179, -179, -180)]]},
        "split, sign of 180 slipped": {
            "type": "MultiPolygon",
            "coordinates": [[ring(179, -180, -180, 179)], [ring(180, -179, -179, 180)]],
        },
    }


@pytest.mark.parametrize("form", crossing_forms())
def test_antimeridian_forms_are_split(read: Any, form: str) -> None:
    """Pitfall 37: however it is written, the area is two boxes of one degree, not a belt around the globe."""
    area = read(crossing_forms()[form])
    west, east = shapely.box(-180, -17, -179, -16), shapely.box(179, -17, 180, -16)
    assert shapely.equals(area.geometry, shapely.union(west, east))
    assert abs(area.centroid[0]) == pytest.approx(180)
    assert area.centroid[1] == pytest.approx(-16.5, abs=1e-3)
    assert area.area_km2 == pytest.approx(read_aoi("179,-17,-179,-16").area_km2)


def test_a_hole_on_the_other_side_of_the_antimeridian(read: Any) -> None:
    hole = [[-179.9, -16.6], [-179.9, -16.4], [-179.7, -16.4], [-179.7, -16.6], [-179.9, -16.6]]
    shell = [[179.0, -17.0], [181.0, -17.0], [181.0, -16.0], [179.0, -16.0], [179.0, -17.0]]
    area = read(polygon(shell, hole)).geometry
    assert area.area == pytest.approx(2 - 0.04)
    assert not area.contains(shapely.Point(-179.8, -16.5))


def test_projected_area_across_the_antimeridian(read: Any) -> None:
    crs = {"type": "name", "properties": {"name": "EPSG:32701"}}
    ring = [[80e3, 8.0e6], [280e3, 8.0e6], [280e3, 8.1e6], [80e3, 8.1e6], [80e3, 8.0e6]]
    area = read(collection(polygon(ring), crs=crs))
    assert len(area.geometry.geoms) == 2
    assert area.area_km2 == pytest.approx(20_000, rel=0.01)


@given(
    west=st.floats(-180, 180),
    width=st.floats(0.01, 150),
    south=st.floats(-79, 70),
    height=st.floats(0.01, 10),
)
def test_any_bbox_stays_on_the_globe(west: float, width: float, south: float, height: float) -> None:
    east = (west + width + 180) % 360 - 180
    area = read_aoi(f"{west!r},{south!r},{east!r},{south + height!r}")
    left, _, right, _ = area.geometry.bounds
    assert area.geometry.is_valid
    assert -180 <= left < right <= 180
    assert area.geometry.area == pytest.approx(width * height, rel=1e-6)
    turn = math.remainder(area.centroid[0] - (west + width / 2), 360)
    assert turn == pytest.approx(0, abs=1e-6)


def test_geopackage(tmp_path: Path) -> None:
    frame = geopandas.GeoDataFrame(geometry=[shapely.box(15.0, 48.0, 15.2, 48.1)], crs=4326)
    path = tmp_path / "area.gpkg"
    frame.to_crs(3857).to_file(path, layer="fields")
    bounds = (15.0, 48.0, 15.2, 48.1)
    assert read_aoi(str(path)).geometry.bounds == pytest.approx(bounds, abs=1e-9)
    frame.to_crs(32633).to_file(path, layer="other")
    with pytest.raises(AoiError, match="fields, other") as caught:
        read_aoi(str(path))
    assert caught.value.name == "aoi/layer-ambiguous"
    assert read_aoi(f"{path}|fields").geometry.bounds == pytest.approx(bounds, abs=1e-9)
    with pytest.raises(AoiError, match="layer-unknown"):
        read_aoi(f"{path}|roads")


@pytest.mark.parametrize("name", ["282D_485L_3_3", "38D_378R_2_3", "433D_629L_3_1", "609U_541L_3_0"])
def test_real_regions(name: str) -> None:
    area = read_aoi(str(real_data("multisource-tiles") / f"region-{name}.geojson"))
    assert area.area_km2 == pytest.approx(2.12**2, rel=0.05)  # 212 pixels of 10 m along a side


def test_real_region_with_a_declared_crs() -> None:
    area = read_aoi(str(real_data("s2-timeseries-33uwp") / "roi.geojson"))
    assert area.area_km2 == pytest.approx(21.6, abs=0.1)
    assert area.centroid == pytest.approx((15.43, 48.51), abs=0.01)


@pytest.mark.parametrize(("text", "share"), [("-170,-70,170,70", 340 / 360), ("0,-70,200,70", 200 / 360)])
def test_a_box_wider_than_half_the_globe_is_no_crossing(text: str, share: float) -> None:
    area = read_aoi(text)
    assert area.area_km2 == pytest.approx(510.07e6 * math.sin(math.radians(70)) * share, rel=2e-3)
    assert not area.geometry.contains(shapely.Point(-179.0 if text.startswith("-170") else -100.0, 0.0))
    assert area.geometry.contains(shapely.Point(1.0, 0.0))
