"""Every way in which an area cannot be used has its own name; nothing is repaired or skipped silently.

All of this is Pitfall 39.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import geopandas
import pytest
import shapely

from rsprep.errors import AoiError
from rsprep.ground import aoi_read
from rsprep.ground.aoi import read_aoi
from tests.rsprep.ground.test_aoi import HOLE, SQUARE, collection, feature, polygon


def crs(name: Any) -> dict[str, Any]:
    return {"type": "name", "properties": {"name": name}}


BOW = [[15.0, 48.0], [15.2, 48.1], [15.2, 48.0], [15.0, 48.1], [15.0, 48.0]]
METRES = [[500e3, 5e6], [510e3, 5e6], [510e3, 5.01e6], [500e3, 5e6]]

BAD_FILES: dict[str, tuple[str, Any]] = {
    "broken json": ("not-json", '{"type": "Polygon", "coordinates": [[['),
    "not text": ("not-json", b"\x89PNG\r\n\xff\xfe"),
    "nested without end": ("not-json", "[" * 200_000),
    "a number": ("not-geojson", 7),
    "other json": ("not-geojson", {"type": "Topology"}),
    "unknown part": ("not-geojson", {"type": "GeometryCollection", "geometries": [{"type": "Circle"}]}),
    "features missing": ("not-geojson", {"type": "FeatureCollection"}),
    "no features": ("empty", collection()),
    "no coordinates": ("empty", {"type": "Polygon", "coordinates": []}),
    "ring without positions": ("empty", polygon([])),
    "null geometry": ("null-geometry", collection(polygon(SQUARE), None)),
    "point": ("no-polygon", {"type": "Point", "coordinates": [15, 48]}),
    "line": ("no-polygon", feature({"type": "LineString", "coordinates": SQUARE})),
    "point beside a polygon": (
        "mixed-geometry",
        collection(polygon(SQUARE), {"type": "Point", "coordinates": [15, 48]}),
    ),
    "unclosed": ("unclosed-ring", polygon(SQUARE[:-1])),
    "two points": ("short-ring", polygon([SQUARE[0], SQUARE[1], SQUARE[0]])),
    "text as number": ("bad-coordinates", polygon([["15", "48"], *SQUARE[1:]])),
    "boolean as number": ("bad-coordinates", polygon([[True, False], *SQUARE[1:]])),
    "flat list": ("bad-coordinates", polygon([15, 48, 16, 49])),
    "NaN": ("non-finite", '{"type": "Polygon", "coordinates": [[[NaN, 1], [2, 2], [3, 1], [NaN, 1]]]}'),
    "overflow": ("non-finite", '{"type": "Polygon", "coordinates": [[[1e999, 1], [2, 2], [3, 1], [1e999, 1]]]}'),
    "huge integer": ("non-finite", polygon([[10**400, 1], [2, 2], [3, 1], [10**400, 1]])),
    "bow tie": ("self-crossing", polygon(BOW)),
    "bow tie in metres": (
        "self-crossing",
        collection(polygon([[x * 1e5, y * 1e5] for x, y in BOW]), crs=crs("EPSG:3035")),
    ),
    "hole outside": ("invalid-polygon", polygon(SQUARE, [[x + 5, y] for x, y in HOLE])),
    "no area": ("no-area", polygon([[15, 48], [16, 48], [17, 48], [15, 48]])),
    "swapped": ("swapped-axes", polygon([[35.0, 139.0], [36.0, 139.0], [36.0, 140.0], [35.0, 139.0]])),
    "latitude 95": ("out-of-range", polygon([[120.0, 95.0], [121.0, 95.0], [121.0, 96.0], [120.0, 95.0]])),
    "metres without crs": ("undeclared-projected", polygon(METRES)),
    "metres declared as degrees": ("out-of-range", collection(polygon(METRES), crs=crs("EPSG:4326"))),
    "outside the crs": ("out-of-range", collection(polygon([[x * 1e9, y] for x, y in METRES]), crs=crs("EPSG:32633"))),
    "unknown code": ("unknown-crs", collection(polygon(METRES), crs=crs("EPSG:99999"))),
    "crs is null": ("crs-unnamed", collection(polygon(SQUARE), crs=None)),
    "crs is a link": ("crs-unnamed", collection(polygon(SQUARE), crs={"type": "link", "properties": {"href": "x"}})),
    "crs of heights": ("crs-not-on-ground", collection(polygon(METRES), crs=crs("EPSG:5773"))),
    "polar": ("polar", polygon([[15, 83], [16, 83], [16, 85], [15, 85], [15, 83]])),
    "around the pole": ("polar", polygon([[0, -75], [120, -75], [-120, -75], [0, -75]])),
    "far south": ("polar", polygon([[15, -81], [16, -81], [16, -79], [15, -79], [15, -81]])),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_file(tmp_path: Path, case: str) -> None:
    slug, content = BAD_FILES[case]
    path = tmp_path / "area.geojson"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    with pytest.raises(AoiError) as caught:
        read_aoi(str(path))
    assert caught.value.name == f"aoi/{slug}"
    assert caught.value.exit_code == 2
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("1,2,3", "bad-bbox"),
        ("1,2,3,4,5", "bad-bbox"),
        ("1,2,x,4", "bad-bbox"),
        ("1,2,nan,4", "non-finite"),
        ("1,2,inf,4", "non-finite"),
        ("5,48,6,47", "bbox-without-area"),
        ("5,48,5,49", "bbox-without-area"),
        ("35,139,36,140", "swapped-axes"),
        ("120,95,121,96", "out-of-range"),
        ("400,5,401,6", "out-of-range"),
        ("5,83,6,85", "polar"),
        ("nowhere.geojson", "not-found"),
        ("", "not-found"),
    ],
)
def test_bad_text(text: str, slug: str) -> None:
    with pytest.raises(AoiError) as caught:
        read_aoi(text)
    assert caught.value.name == f"aoi/{slug}"


def test_self_crossing_says_where(tmp_path: Path) -> None:
    path = tmp_path / "bow.geojson"
    path.write_text(json.dumps(polygon(BOW)))
    with pytest.raises(AoiError, match=r"near \[?15\.1 48\.05"):
        read_aoi(str(path))


def test_folder_and_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AoiError, match="folder"):
        read_aoi(str(tmp_path))
    path = tmp_path / "area.geojson"
    path.write_text(json.dumps(polygon(SQUARE)))
    monkeypatch.setattr(aoi_read, "MAX_BYTES", 10)
    with pytest.raises(AoiError, match="aoi/too-large"):
        read_aoi(str(path))


def test_bad_geopackages(tmp_path: Path) -> None:
    path = tmp_path / "area.gpkg"
    path.write_bytes(b"SQLite format 3\0 and then nothing")
    with pytest.raises(AoiError, match="aoi/not-geopackage"):
        read_aoi(str(path))
    points = geopandas.GeoDataFrame(geometry=[shapely.Point(15, 48)], crs=4326)
    points.to_file(tmp_path / "points.gpkg")
    with pytest.raises(AoiError, match="aoi/no-polygon"):
        read_aoi(str(tmp_path / "points.gpkg"))
    points.iloc[:0].to_file(tmp_path / "none.gpkg")
    with pytest.raises(AoiError, match="aoi/empty"):
        read_aoi(str(tmp_path / "none.gpkg"))
