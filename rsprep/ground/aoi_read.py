"""Polygons and their CRS out of GeoJSON and GeoPackage files; one named error for each defect."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

import shapely
from pyproj import CRS
from pyproj.exceptions import CRSError

from rsprep.errors import AoiError
from rsprep.strict_json import OversizeError, load_json

MAX_BYTES = 200_000_000
"""Larger files are refused: an outline of any country takes less."""
MOST_POSITIONS = 5_000_000
"""Most positions and lists of them."""
_GPKG = (b"GPKG", b"GP10", b"GP11")
_GEOMETRIES = ("Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon", "GeometryCollection")
_ASK = "give a file with at least one Polygon or MultiPolygon"


def read_file(text: str) -> tuple[list[shapely.Polygon], CRS | None]:
    """Polygons as the file has them, unchecked but for their structure, and the CRS it declares."""
    name, _, layer = text.partition("|")
    try:
        path = Path(name).expanduser()
        known, folder = path.is_file(), path.is_dir()
    except (OSError, RuntimeError):  # a name that no file can have, the home of nobody
        known = folder = False
    if not known:
        cause = "this is a folder, not a file" if folder else "there is no such file"
        remedy = "give a GeoJSON or GeoPackage file, or west,south,east,north"
        raise AoiError("not-found", cause, value=text, remedy=remedy)
    if path.stat().st_size > MAX_BYTES:
        size = f"{path.stat().st_size / 1e6:.0f} MB"
        raise AoiError("too-large", "no outline is this large", value=size, remedy="simplify it, or cut out a part")
    if path.suffix.lower() == ".gpkg":
        return _read_geopackage(path, layer.removeprefix("layername="))
    return _read_geojson(path)


def _read_geojson(path: Path) -> tuple[list[shapely.Polygon], CRS | None]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        content = load_json(text, most_bytes=MAX_BYTES, most_parts=MOST_POSITIONS, parse_constant=_refuse_constant)
    except OversizeError as error:
        remedy = "simplify it, or cut out a part"
        raise AoiError(
            "too-detailed", f"no outline is this detailed: {error}", value=str(path), remedy=remedy
        ) from None
    except ValueError as error:
        remedy = "give GeoJSON, a GeoPackage (.gpkg), or west,south,east,north"
        raise AoiError("not-json", f"the file is not JSON: {error}", value=str(path), remedy=remedy) from None
    if not isinstance(content, dict) or content.get("type") not in (*_GEOMETRIES, "Feature", "FeatureCollection"):
        shown = content.get("type") if isinstance(content, dict) else type(content).__name__
        raise AoiError("not-geojson", "the file is JSON, but not GeoJSON", value=f"type {shown!r}", remedy=_ASK)
    geometries = list(_geometries(content, "the file"))
    return _polygons(geometries), _declared_crs(content)


def _refuse_constant(constant: str) -> NoReturn:
    raise AoiError("non-finite", "a coordinate is not a finite number", value=constant, remedy="repair the file")


def _geometries(content: Any, where: str) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Every simple geometry in a GeoJSON object, with words for where it is."""
    if not isinstance(content, dict) or not isinstance(content.get("type"), str):
        raise AoiError("not-geojson", f"{where} is not a GeoJSON object", value=content, remedy=_ASK)
    kind = content["type"]
    members = {"FeatureCollection": "features", "GeometryCollection": "geometries"}
    if kind in members:
        parts = content.get(members[kind])
        if not isinstance(parts, list):
            raise AoiError("not-geojson", f"{where} has no list {members[kind]!r}", value=kind, remedy=_ASK)
        if not parts:
            raise AoiError("empty", f"{where} holds no {members[kind]}", value=kind, remedy=_ASK)
        for number, part in enumerate(parts, 1):
            yield from _geometries(part, f"{'feature' if kind == 'FeatureCollection' else 'geometry'} {number}")
    elif kind == "Feature":
        if content.get("geometry") is None:
            raise AoiError("null-geometry", f"{where} has no geometry", value=content.get("id"), remedy=_ASK)
        yield from _geometries(content["geometry"], where)
    elif kind in _GEOMETRIES:
        yield content, where
    else:
        raise AoiError("not-geojson", f"{where} has a type that GeoJSON does not know", value=kind, remedy=_ASK)


def _polygons(geometries: list[tuple[Mapping[str, Any], str]]) -> list[shapely.Polygon]:
    """Polygons of all geometries; others are refused, not skipped."""
    others = [f"{where}: {geometry['type']}" for geometry, where in geometries if "Polygon" not in geometry["type"]]
    if len(others) == len(geometries):
        raise AoiError("no-polygon", "there are points or lines only, which have no area", value=others[0], remedy=_ASK)
    if others:
        remedy = "remove them, so that nothing you meant is left out"
        raise AoiError(
            "mixed-geometry", "there are points or lines beside the polygons", value=others[0], remedy=remedy
        )
    polygons = []
    for geometry, where in geometries:
        coordinates = geometry.get("coordinates")
        if not isinstance(coordinates, list | tuple) or not coordinates:
            raise AoiError("empty", f"{where} has no coordinates", value=coordinates, remedy=_ASK)
        for rings in [coordinates] if geometry["type"] == "Polygon" else coordinates:
            if not isinstance(rings, list | tuple) or not rings:
                raise AoiError("empty", f"{where} has a polygon without rings", value=rings, remedy=_ASK)
            shell, *holes = [_ring(ring, where) for ring in rings]
            polygons.append(shapely.Polygon(shell, holes))
    return polygons


def _ring(ring: Any, where: str) -> list[tuple[float, float]]:
    if not isinstance(ring, list | tuple):
        raise AoiError("bad-coordinates", f"{where}: a ring is a list of positions", value=ring, remedy="repair it")
    points = [_position(position, where) for position in ring]
    if not points:
        raise AoiError("empty", f"{where} has a ring without positions", value=ring, remedy=_ASK)
    if points[0] != points[-1]:
        remedy = "end the ring with its first position"
        raise AoiError("unclosed-ring", f"{where}: a ring does not close", value=[points[0], points[-1]], remedy=remedy)
    if len(points) < 4:
        remedy = "a ring has at least four positions, the last equal to the first"
        raise AoiError("short-ring", f"{where}: a ring has too few positions", value=points, remedy=remedy)
    return points


def _position(position: Any, where: str) -> tuple[float, float]:
    numbers = position[:2] if isinstance(position, list | tuple) else ()
    if len(numbers) < 2 or any(isinstance(n, bool) or not isinstance(n, int | float) for n in numbers):
        remedy = "a position is [longitude, latitude]"
        raise AoiError("bad-coordinates", f"{where}: a position is not two numbers", value=position, remedy=remedy)
    try:
        x, y = float(numbers[0]), float(numbers[1])
    except OverflowError:
        x = y = math.inf
    if not (math.isfinite(x) and math.isfinite(y)):
        raise AoiError("non-finite", f"{where}: a coordinate is not finite", value=[x, y], remedy="repair the file")
    return x, y


def _declared_crs(content: Mapping[str, Any]) -> CRS | None:
    """CRS of the ``crs`` member (GeoJSON of 2008, still written by GDAL); None where there is no such member."""
    found = list(_crs_members(content))
    if not found:
        return None
    if any(member != found[0] for member in found):
        raise AoiError("several-crs", "the file declares several CRS", value=found, remedy="write it in one CRS")
    member = found[0]
    properties = member.get("properties") if isinstance(member, dict) else None
    name = properties.get("name") if isinstance(properties, dict) else None
    if not isinstance(name, str):
        remedy = "remove the member if the coordinates are longitude and latitude, or name an EPSG code"
        raise AoiError("crs-unnamed", "the 'crs' member names no CRS", value=member, remedy=remedy)
    return _crs(name)


def _crs_members(content: Any) -> Iterator[Any]:
    if isinstance(content, dict):
        if "crs" in content:
            yield content["crs"]
        for key in ("features", "geometries"):
            parts = content.get(key)
            for part in parts if isinstance(parts, list) else ():
                yield from _crs_members(part)
        yield from _crs_members(content.get("geometry"))


def _crs(name: Any) -> CRS:
    try:
        crs = CRS.from_user_input(name)
    except CRSError as error:
        remedy = "declare an EPSG code that PROJ knows"
        raise AoiError("unknown-crs", f"PROJ does not know the CRS ({error})", value=str(name), remedy=remedy) from None
    if not (crs.is_geographic or crs.is_projected):
        remedy = "use a geographic or projected CRS"
        raise AoiError("crs-not-on-ground", "the CRS is not tied to the ground", value=str(name), remedy=remedy)
    return crs


def _read_geopackage(path: Path, layer: str) -> tuple[list[shapely.Polygon], CRS | None]:
    with path.open("rb") as stream:
        head = stream.read(72)
    if head[:16] != b"SQLite format 3\x00" or head[68:] not in _GPKG:
        # GDAL would look for a format that fits, and some of them open other files, or addresses.
        remedy = "open it in QGIS and save it again, or give GeoJSON"
        raise AoiError("not-geopackage", "it does not begin as a GeoPackage does", value=str(path), remedy=remedy)
    import pyogrio  # slow to import, and few areas come as GeoPackage

    try:
        layers = [str(name) for name, kind in pyogrio.list_layers(path) if kind is not None]
        chosen = _choose_layer(path, layers, layer)
        frame = pyogrio.read_dataframe(path, layer=chosen, columns=[])
    except pyogrio.errors.DataSourceError as error:
        remedy = "open it in QGIS and save it again, or give GeoJSON"
        raise AoiError("not-geopackage", f"GDAL cannot open it: {error}", value=str(path), remedy=remedy) from None
    if len(frame) == 0:
        raise AoiError("empty", f"layer {chosen!r} holds no features", value=str(path), remedy=_ASK)
    if frame.crs is None:
        remedy = "set the layer's CRS, for example in QGIS"
        raise AoiError("crs-unnamed", f"layer {chosen!r} declares no CRS", value=str(path), remedy=remedy)
    features = [
        {"type": "Feature", "geometry": None if shape is None else shapely.geometry.mapping(shapely.force_2d(shape))}
        for shape in frame.geometry
    ]
    geometries = _geometries({"type": "FeatureCollection", "features": features}, f"layer {chosen!r}")
    return _polygons(list(geometries)), _crs(frame.crs)


def _choose_layer(path: Path, layers: list[str], asked: str) -> str:
    names = ", ".join(layers)
    if not layers:
        raise AoiError("empty", "the GeoPackage has no layer with geometry", value=str(path), remedy=_ASK)
    if asked and asked not in layers:
        raise AoiError("layer-unknown", f"there is no layer {asked!r}", value=str(path), remedy=f"choose from: {names}")
    if not asked and len(layers) > 1:
        remedy = f"say which: {path.name}|{layers[0]}"
        raise AoiError("layer-ambiguous", f"the GeoPackage has several layers: {names}", value=str(path), remedy=remedy)
    return asked or layers[0]
