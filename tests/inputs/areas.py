"""Areas of interest, as files and as text."""

from __future__ import annotations

import json
import math
from typing import Any

import geopandas
import shapely

from rsprep.ground.aoi import Aoi, read_aoi
from tests.inputs.table import Kit, bad, command, made, odd

GROUP = "aoi"
RING = [[15.0, 48.0], [15.2, 48.0], [15.2, 48.1], [15.0, 48.1], [15.0, 48.0]]
SQUARE: dict[str, Any] = {"type": "Polygon", "coordinates": [RING]}


def named(name: object) -> dict[str, Any]:
    return {"type": "name", "properties": {"name": name}}


def feature(geometry: object, **more: object) -> dict[str, Any]:
    return {"type": "Feature", "geometry": geometry, "properties": {}, **more}


def rings(*shells: object) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": list(shells)}


def file(title: str, name: str, shown: str, content: object) -> None:
    bad(GROUP, title, f"aoi/{name}", shown, lambda kit: kit.build("--aoi", kit.write("area.geojson", content)))


def text(title: str, name: str, shown: str, given: str) -> None:
    bad(GROUP, title, name, shown, lambda kit: kit.build("--aoi", given))


file("empty file", "not-json", "area.geojson", b"")
file("UTF-16", "not-json", "area.geojson", json.dumps(SQUARE).encode("utf-16"))
file("well-known text", "not-json", "area.geojson", "POLYGON ((15 48, 16 48, 16 49, 15 48))")
file("KML", "not-json", "area.geojson", '<?xml version="1.0"?><kml/>')
file("one feature a line", "not-json", "area.geojson", json.dumps(feature(SQUARE)) + "\n" + json.dumps(feature(SQUARE)))
file("null", "not-geojson", "NoneType", "null")
file("type is a list", "not-geojson", "['Polygon']", {"type": "FeatureCollection", "features": [{"type": ["Polygon"]}]})
file("features by name", "not-geojson", "FeatureCollection", {"type": "FeatureCollection", "features": {"a": SQUARE}})
file("geometry is a list", "not-geojson", "[1, 2]", feature([1, 2]))
file("geometry is text", "not-geojson", "POLYGON", feature("POLYGON ((0 0, 1 1, 1 0, 0 0))"))
file("collection of nothing", "empty", "GeometryCollection", {"type": "GeometryCollection", "geometries": []})
file("coordinates are text", "empty", "15,48", {"type": "Polygon", "coordinates": "15,48"})
file("a polygon's coordinates in a MultiPolygon", "bad-coordinates", "15.0",
     {"type": "MultiPolygon", "coordinates": [RING]})  # fmt: skip
file("a MultiPolygon's in a polygon", "bad-coordinates", "[15.0, 48.0]", {"type": "Polygon", "coordinates": [[RING]]})
file("positions of one number", "bad-coordinates", "[15.0]", rings([[x] for x, _ in RING]))
file("null for a number", "bad-coordinates", "None", rings([[None, 48.0], *RING[1:]]))
file("a spike", "self-crossing", "Self-intersection near", rings([*RING[:3], [15.2, 48.2], RING[2], *RING[3:]]))
file("a hole that is the shell", "self-crossing", "Self-intersection", rings(RING, RING))
file("a hole without area", "invalid-polygon", "15.05 48.05", rings(RING, [[15.05, 48.05]] * 4))
file("wider than the globe", "too-wide", "°", rings([[-180, 0], [0, 0], [170, 0], [340, 0], [350, 5], [170, 5],
     [0, 5], [-180, 5], [-180, 0]]))  # fmt: skip
file("crs is text", "crs-unnamed", "EPSG:4326", {**SQUARE, "crs": "EPSG:4326"})
file("crs by number", "crs-unnamed", "4326", {**SQUARE, "crs": named(4326)})
file("crs with a list", "crs-unnamed", "[]", {**SQUARE, "crs": {"type": "name", "properties": []}})
file("crs with null", "crs-unnamed", "None", {**SQUARE, "crs": {"type": "name", "properties": None}})
file("crs without a name", "unknown-crs", "got: ", {**SQUARE, "crs": named("")})
file("crs of the Earth's centre", "crs-not-on-ground", "EPSG:4978", {**SQUARE, "crs": named("EPSG:4978")})
file("two crs", "several-crs", "EPSG:3857", {
     "type": "FeatureCollection", "crs": named("EPSG:3857"), "features": [feature(SQUARE, crs=named("EPSG:4326"))],
})  # fmt: skip
file("metres declared as feet's", "out-of-range", "WGS 84",
     {**rings([[x * 1e9, y * 1e9] for x, y in RING]), "crs": named("EPSG:3857")})  # fmt: skip
text("a folder", "aoi/not-found", "folder", ".")
text("an address", "aoi/not-found", "https://example.org", "https://example.org/area.geojson")
text("the home of nobody", "aoi/not-found", "~nobody-of-this-name", "~nobody-of-this-name/area.geojson")
text("a name without end", "aoi/not-found", "xxxx", "x" * 400)
text("GeoJSON in place of a file", "aoi/bad-bbox", "Polygon", json.dumps(SQUARE))
text("blanks between", "aoi/not-found", "15 48 16 49", "15 48 16 49")
text("six numbers", "aoi/bad-bbox", "15,48,0,16,49,100", "15,48,0,16,49,100")
text("commas for points", "aoi/bad-bbox", "15,2,48,1", "15,2,48,1,15,3,48,2")
text("in brackets", "aoi/bad-bbox", "[15,48,16,49]", "[15,48,16,49]")
text("degree signs", "aoi/bad-bbox", "15°", "15°,48°,16°,49°")
text("a Python number", "aoi/bad-bbox", "1_5", "1_5,48,16,49")
text("beyond a turn", "aoi/out-of-range", "375", "375,48,376,49")
text("a point", "aoi/bbox-without-area", "15,48,15,48", "15,48,15,48")
text("both poles", "aoi/polar", "-90", "-180,-90,180,90")
text("nothing", "config/bad-aoi", "at least 1 character", "")


@made(GROUP, "a GeoPackage by name only", "aoi/not-geopackage", "area.gpkg")
def _(kit: Kit) -> list[str]:
    return kit.build("--aoi", kit.write("area.gpkg", SQUARE))


@made(GROUP, "a Shapefile", "aoi/not-json", "area.shp")
def _(kit: Kit) -> list[str]:
    geopandas.GeoDataFrame(geometry=[shapely.box(15, 48, 16, 49)], crs=4326).to_file(kit.here / "area.shp")
    return kit.build("--aoi", "area.shp")


for wrong, name, shown in (
    ("nowhere.geojson", "aoi/not-found", "nowhere.geojson"),
    ("15,48,16", "aoi/bad-bbox", "15,48,16"),
    ("15,83,15.1,84.5", "aoi/polar", "84.5"),
    ("5,48,5,49", "aoi/bbox-without-area", "5,48,5,49"),
):
    command(GROUP, f"simulate {wrong}", name, shown, "simulate", "world", "--aoi", wrong)


# -- odd but valid --------------------------------------------------------------------------------


def read(kit: Kit, content: object, name: str = "area.geojson") -> Aoi:
    return read_aoi(str(kit.here / kit.write(name, content)))


def same(kit: Kit, title: str, content: object) -> None:
    """`content` is read as the square is."""
    assert read(kit, content).geometry.equals(read_aoi("15.0,48.0,15.2,48.1").geometry), title


TWINS: dict[str, object] = {
    "a mark before the text": b"\xef\xbb\xbf" + json.dumps(SQUARE).encode(),
    "heights": rings([[*point, 350.0] for point in RING]),
    "heights that are null": rings([[*point, None] for point in RING]),
    "times as a fourth number": rings([[*point, 350.0, 1.0] for point in RING]),
    "clockwise": rings(RING[::-1]),
    "a position twice": rings([RING[0], *RING]),
    "whole numbers for floats": rings([[x if x % 1 else int(x), y if y % 1 else int(y)] for x, y in RING]),
    "a feature": feature(SQUARE),
    "a feature without properties": {"type": "Feature", "geometry": SQUARE, "properties": None},
    "members that nobody knows": feature(SQUARE, geometries=5, features="x", style={"fill": "red"}),
    "a collection in a collection": {
        "type": "GeometryCollection",
        "geometries": [{"type": "GeometryCollection", "geometries": [SQUARE]}],
    },
    "twice the same": {"type": "FeatureCollection", "features": [feature(SQUARE), feature(SQUARE)]},
    "two halves that touch": {
        "type": "MultiPolygon",
        "coordinates": [
            [[[15.0, 48.0], [15.1, 48.0], [15.1, 48.1], [15.0, 48.1], [15.0, 48.0]]],
            [[[15.1, 48.0], [15.2, 48.0], [15.2, 48.1], [15.1, 48.1], [15.1, 48.0]]],
        ],
    },
    "the crs that GDAL writes": {**SQUARE, "crs": named("urn:ogc:def:crs:OGC:1.3:CRS84")},
    "latitude first by the crs, longitude first in the file": {**SQUARE, "crs": named("urn:ogc:def:crs:EPSG::4326")},
}
for one, content in TWINS.items():
    odd(GROUP, one)(lambda kit, one=one, content=content: same(kit, one, content))  # type: ignore[misc]


@odd(GROUP, "across the antimeridian, as a jump")
def _(kit: Kit) -> None:
    area = read(kit, rings([[179, 10], [-179, 10], [-179, 11], [179, 11], [179, 10]]))
    assert len(area.geometry.geoms) == 2
    assert abs(abs(area.centroid[0]) - 180) < 1e-6


@odd(GROUP, "across the antimeridian, running on")
def _(kit: Kit) -> None:
    jump = read(kit, rings([[179, 10], [-179, 10], [-179, 11], [179, 11], [179, 10]]))
    on = read(kit, rings([[179, 10], [181, 10], [181, 11], [179, 11], [179, 10]]), "on.geojson")
    assert on.geometry.equals(jump.geometry)


@odd(GROUP, "a box whose west is east of its east")
def _(kit: Kit) -> None:
    assert math.isclose(read_aoi("179,10,-179,11").area_km2, read_aoi("1,10,3,11").area_km2)


@odd(GROUP, "longitudes of the other half as 0 to 360")
def _(kit: Kit) -> None:
    assert read_aoi("300,10,301,11").geometry.bounds == (-60.0, 10.0, -59.0, 11.0)


@odd(GROUP, "blanks, signs and powers in a box")
def _(kit: Kit) -> None:
    assert read_aoi(" +1.5e1, 48.0 ,15.2,4.81e1 ").geometry.equals(read_aoi("15,48,15.2,48.1").geometry)


@odd(GROUP, "to the ends of UTM")
def _(kit: Kit) -> None:
    assert read_aoi("-180,-80,180,84").geometry.bounds == (-180.0, -80.0, 180.0, 84.0)


@odd(GROUP, "a hole is no part of it")
def _(kit: Kit) -> None:
    hole = [[15.05, 48.02], [15.05, 48.08], [15.15, 48.08], [15.15, 48.02], [15.05, 48.02]]
    whole, holed = read(kit, SQUARE), read(kit, rings(RING, hole), "holed.geojson")
    assert math.isclose(holed.geometry.area / whole.geometry.area, 1 - 0.1 * 0.06 / (0.2 * 0.1))


@odd(GROUP, "metres, declared")
def _(kit: Kit) -> None:
    metres = [[5e5, 5.3e6], [5.1e5, 5.3e6], [5.1e5, 5.31e6], [5e5, 5.31e6], [5e5, 5.3e6]]
    area = read(kit, {**rings(metres), "crs": named("EPSG:32633")})
    assert math.isclose(area.area_km2, 100 / 0.9996**2, rel_tol=1e-3)


@odd(GROUP, "feet, declared")
def _(kit: Kit) -> None:
    feet = [[0, 0], [5280, 0], [5280, 5280], [0, 5280], [0, 0]]
    centre = [[x + 984_250, y + 200_000] for x, y in feet]
    area = read(kit, {**rings(centre), "crs": named("EPSG:2263")})  # Long Island, in feet
    assert math.isclose(area.area_km2, 1.609344**2, rel_tol=1e-3)


@odd(GROUP, "a file that is called like a box")
def _(kit: Kit) -> None:
    assert math.isclose(read(kit, SQUARE, "1,2,3,4.geojson").area_km2, read_aoi("15,48,15.2,48.1").area_km2)


@odd(GROUP, "a GeoPackage with one layer of many")
def _(kit: Kit) -> None:
    for layer, east in (("one", 15.2), ("two", 17.0)):
        frame = geopandas.GeoDataFrame(geometry=[shapely.box(15, 48, east, 48.1)], crs=4326)
        frame.to_file(kit.here / "area.gpkg", layer=layer)
    assert read_aoi(f"{kit.here / 'area.gpkg'}|layername=two").geometry.bounds[2] == 17.0
