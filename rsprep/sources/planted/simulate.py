"""`rsprep simulate`: publish a piece of the planted world, with its area and a picture beside it."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Sequence
from pathlib import Path

import shapely
from affine import Affine
from odc.geo.geobox import GeoBox

from rsprep.errors import ConfigError
from rsprep.sources.planted.acquisitions import optical_acquisitions, spread_days, unwrapped
from rsprep.sources.planted.cogs import write_text
from rsprep.sources.planted.ground import lonlat
from rsprep.sources.planted.preview import write_preview
from rsprep.sources.planted.publish import Progress, publish
from rsprep.sources.planted.tiles import to_utm, wrap
from rsprep.sources.planted.world import World

REGION = GeoBox((3200, 3600), Affine(10, 0, 313_600, 0, -10, 5_359_800), "EPSG:32633")
"""Demo region, 36 x 32 km near 12.7° E 48.2° N: with seed 0 sea, flats, towns, mountains and all nine classes."""
REGION_GRANULE_KM = 19.32
"""Granules of this side cover the demo region with two by two."""
DAYS = (dt.date(2021, 6, 7), dt.date(2021, 8, 18), dt.date(2022, 6, 12), dt.date(2022, 8, 20))
"""Demo days: with seed 0 the region is nearly clear, two fifths, three quarters and a sixth cloudy."""
RADAR_DAYS = (dt.date(2021, 6, 10), dt.date(2021, 6, 16), dt.date(2022, 6, 10))


def simulate(
    out: Path | str,
    *,
    seed: int = 0,
    aoi: shapely.Geometry | None = None,
    bbox: tuple[float, float, float, float] | None = None,
    start: dt.date | None = None,
    end: dt.date | None = None,
    dates: int | Sequence[dt.date] | None = None,
    radar_dates: int | Sequence[dt.date] | None = None,
    granule_km: float | None = None,
    workers: int = 2,
    progress: Progress | None = None,
) -> Path:
    """Publish an area of the planted world into `out`, and write ``region.geojson`` and ``preview.png`` there.

    Parameters
    ----------
    out : folder; the same command again resumes or changes nothing.
    seed : of the world.
    aoi, bbox : the area: a geometry in longitude and latitude, or west, south, east, north (west greater
        than east crosses the antimeridian). Neither: the demo region.
    start, end : the period, for days that are counted and not listed; the whole of 2021 unless told.
    dates, radar_dates : days of acquisitions, or how many to spread over the period; the demo's own
        days unless a period or a count is given.
    granule_km : side of the optical granules; 24 unless told.
    workers, progress : as for `publish`.

    Returns
    -------
    Path of ``catalog.json``.

    Raises
    ------
    ConfigError
        Both `aoi` and `bbox` are given, or `publish` refuses.
    """
    if aoi is not None and bbox is not None:
        raise ConfigError("two-areas", "an AOI and a bbox are both given", value=str(bbox), remedy="give one of them")
    root = Path(out)
    demo = aoi is None and bbox is None
    area = aoi if aoi is not None else demo_area() if bbox is None else _box(bbox)
    listed = start is None and end is None
    first, last = start or dt.date(2021, 1, 1), end or dt.date(2021, 12, 31)
    days = dates if dates is not None else DAYS if listed else 4
    radar_days = radar_dates if radar_dates is not None else RADAR_DAYS if listed else 4
    catalog = publish(
        seed, area, root, start=first, end=last, dates=days, radar_dates=radar_days,
        granule_km=granule_km or (REGION_GRANULE_KM if demo else 24.0), workers=workers, progress=progress,
    )  # fmt: skip
    write_text(root / "region.geojson", _geojson(area))
    if not (root / "preview.png").exists():
        every = spread_days(first, last, days) if isinstance(days, int) else sorted(days)
        shown = optical_acquisitions(area, every)[min(1, len(every) - 1)].moment
        write_preview(World(seed=seed), REGION if demo else _frame(area), shown, root / "preview.png")
    return catalog


def demo_area() -> shapely.Geometry:
    """Outline of the demo region in longitude and latitude."""
    corners = shapely.get_coordinates(shapely.box(0, 0, REGION.shape[1], REGION.shape[0]))
    return shapely.Polygon(lonlat(REGION, corners[:, 0], corners[:, 1]).T)


def _box(bbox: tuple[float, float, float, float]) -> shapely.Geometry:
    west, south, east, north = bbox
    return wrap(shapely.box(west, south, east if east > west else east + 360, north))


def _frame(area: shapely.Geometry) -> GeoBox:
    """A UTM grid of 10 m around the area, in the zone of its middle."""
    shape = unwrapped(area)
    middle = shape.centroid
    zone = int((middle.x % 360 + 180) % 360 // 6) + 1
    epsg = (32600 if middle.y >= 0 else 32700) + zone
    west, south, east, north = to_utm(shape, epsg).bounds
    size = math.ceil((north - south) / 10), math.ceil((east - west) / 10)
    return GeoBox(size, Affine(10, 0, west, 0, -10, north), f"EPSG:{epsg}")


def _geojson(area: shapely.Geometry) -> str:
    feature = {"type": "Feature", "properties": {"name": "planted area"}, "geometry": shapely.geometry.mapping(area)}
    return json.dumps({"type": "FeatureCollection", "features": [feature]}, indent=1) + "\n"
