"""Items that APIs are searched for, and areas and periods to search them by."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import shapely

from tests.rsprep.sources.making import make_item, with_properties

FIRST = dt.datetime(2021, 6, 1, 10, tzinfo=dt.UTC)
AREA = shapely.box(15.02, 48.02, 15.03, 48.03)
CROSSING = shapely.MultiPolygon([shapely.box(178, 10.1, 180, 10.2), shapely.box(-180, 10.1, -178, 10.2)])
ROUND = AREA.buffer(0.01, quad_segs=200)
HREFS = {"red": {"href": "/data/B04.tif"}, "scl": {"href": "/data/SCL.tif"}}
SEARCHES = {
    "place": (AREA, None),
    "period": (AREA, (3, 9)),
    "antimeridian": (CROSSING, None),
    "box-of-a-fine-outline": (ROUND, None),
}
"""Name to area, and first and last day."""


def period(days: tuple[int, int] | None) -> tuple[dt.datetime, ...]:
    """First and last moment, counted from :data:`FIRST`."""
    return () if days is None else tuple(FIRST + dt.timedelta(days=day) for day in days)


def searched_items() -> list[Any]:
    """23 dates over one place, and granules around the antimeridian, one of them on both sides."""
    dates = [FIRST + dt.timedelta(days=day) for day in range(23)]
    items = [with_properties(make_item(f"d{date:%m%d}"), datetime=date.isoformat()) for date in dates]
    sides = [[(179.0, 10.0), (179.5, 10.5)], [(-179.5, 10.0), (-179.0, 10.5)], [(20.0, 10.0), (21.0, 10.5)]]
    items += [make_item(f"side{number}", (*low, *high)) for number, (low, high) in enumerate(sides)]
    parts = [shapely.box(179.9, 10, 180, 10.5), shapely.box(-180, 10, -179.9, 10.5)]
    both = json.loads(shapely.to_geojson(shapely.MultiPolygon(parts)))
    items.append(make_item("both", geometry=both, bbox=[179.9, 10.0, -179.9, 10.5]))
    items.append(make_item("elsewhere", (30.0, 48.0, 30.1, 48.1)))
    items.append(make_item("rim", (15.035, 48.02, 15.05, 48.03)))  # meets ROUND only, at its rim
    items.append(make_item("corner", (15.0395, 48.0395, 15.0399, 48.0399)))  # meets the box of ROUND only
    return [{**item, "assets": HREFS} for item in items]
