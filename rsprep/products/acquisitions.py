"""Which granules are one look at the ground: duplicates out, split granules kept, passes put together."""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import shapely

from rsprep.granule import Granule
from rsprep.products.sentinel2 import parse_baseline

# Providers name the same facts differently; the first key that an item has counts.
DATATAKE_KEYS: Final = ("s2:datatake_id", "sentinel2:datatake_id", "eopf:datatake_id", "s2:product_uri")
DATASTRIP_KEYS: Final = ("s2:datastrip_id", "sentinel2:datastrip_id")
CREATED_KEYS: Final = ("s2:generation_time", "processing:datetime", "created", "updated")
ORBIT_KEYS: Final = ("sat:relative_orbit", "s2:relative_orbit")

SAME_TAKE: Final = dt.timedelta(minutes=1)
"""Longest spread of the times under which one tile of one pass is published by different processings."""
SAME_STRIP: Final = dt.timedelta(seconds=6)
"""Datastrips that begin further apart are two parts of one datatake."""
SAME_PASS: Final = dt.timedelta(minutes=30)
"""Longest gap between neighbouring granules of one pass; the same satellite is back after 100 minutes at the least."""
COVERED: Final = 0.9
"""Share of a granule's footprint that a better one must cover to make it a duplicate.

Two halves of a split granule share a seam only. Where a footprint is loosely drawn and a duplicate
slips through, it costs a second read; a half that is thrown away costs its pixels.
"""


def unique_acquisitions(
    granules: Sequence[Granule], *, tile_key: str | None, baseline_key: str | None = None
) -> list[Granule]:
    """Keep each acquisition of a tile once, in the order given.

    The same acquisition (tile, platform and datatake; where the datatake is not told, the time within
    a minute) is published again when it is reprocessed or received by several stations. The newest
    processing baseline wins, then the newest creation time, then the last id in alphabetical order.
    Granules that are two parts of one acquisition both stay: their datastrips begin at different
    times, or the kept ones cover less than nine tenths of the footprint.

    Parameters
    ----------
    granules : granules of one product.
    tile_key : property with the tile's name (``"s2:mgrs_tile"``); without it footprints alone tell tiles apart.
    baseline_key : property with the processing baseline.
    """
    best_first = sorted(granules, key=lambda granule: _newness(granule, baseline_key), reverse=True)
    kept: dict[tuple[str, str, int], list[_Look]] = defaultdict(list)
    stay: set[int] = set()
    for granule in best_first:
        look = _look(granule)
        tile, platform = _tile_and_platform(granule, tile_key)
        minute = int(look.taken.timestamp() // SAME_TAKE.total_seconds())
        # Duplicates lie in the same minute or in one beside it.
        rivals = [rival for near in (minute - 1, minute, minute + 1) for rival in kept.get((tile, platform, near), ())]
        if not any(_is_duplicate(look, rival) for rival in rivals):
            kept[tile, platform, minute].append(look)
            stay.add(id(granule))
    return [granule for granule in granules if id(granule) in stay]


def by_date(granules: Iterable[Granule]) -> list[tuple[dt.date, list[Granule]]]:
    """Group granules into passes, oldest first; each pass is mosaicked to one image.

    A pass is what one platform sees on one relative orbit without a gap of more than half an hour, so
    a swath that is cut into tiles or datastrips comes together, while two satellites on one day stay
    apart. A pass is dated by the solar day at its first granule, UTC plus longitude / 15 h: Sentinel-2
    crosses at half past ten local solar time everywhere, whereas the UTC day changes in mid-morning
    near the antimeridian and would cut passes in two there. Grouping by gaps and not by that day keeps
    a pass whole even where it crosses 180°.

    Within a pass granules are ordered by time, then id.
    """
    tracks: dict[tuple[str, str], list[Granule]] = defaultdict(list)
    for granule in sorted(granules, key=lambda granule: (granule.datetime, granule.id)):
        tracks[_platform(granule), str(_first(granule, ORBIT_KEYS))].append(granule)
    passes: list[list[Granule]] = []
    for track in tracks.values():
        for number, granule in enumerate(track):
            if number == 0 or granule.datetime - track[number - 1].datetime > SAME_PASS:
                passes.append([])
            passes[-1].append(granule)
    passes.sort(key=lambda group: (group[0].datetime, group[0].id))
    return [(solar_day(group[0]), group) for group in passes]


def solar_day(granule: Granule) -> dt.date:
    """Date by the mean sun at the granule: UTC plus four minutes a degree of eastern longitude."""
    parts = shapely.get_parts(granule.footprint)
    # A footprint across 180° comes in two parts; the mean of their longitudes would lie near 0°.
    largest = max(parts, key=lambda part: float(part.area))
    return (granule.datetime + dt.timedelta(hours=float(largest.centroid.x) / 15)).date()


def _first(granule: Granule, keys: Sequence[str]) -> Any:
    return next((granule.properties[key] for key in keys if granule.properties.get(key) is not None), None)


def _platform(granule: Granule) -> str:
    return str(granule.properties.get("platform", "")).lower()


def _tile_and_platform(granule: Granule, tile_key: str | None) -> tuple[str, str]:
    tile = granule.properties.get(tile_key) if tile_key else None
    # 33UWP is also written MGRS-33UWP and T33UWP.
    return re.sub(r"^(MGRS-|T(?=\d))", "", str(tile or "").upper()), _platform(granule)


def _newness(granule: Granule, baseline_key: str | None) -> tuple[tuple[int, int], str, str]:
    baseline = parse_baseline(granule.properties.get(baseline_key)) if baseline_key else None
    return baseline or (-1, -1), str(_first(granule, CREATED_KEYS) or ""), granule.id


def _sensing_start(text: object, marker: str) -> dt.datetime | None:
    """First time stamp after `marker`; ids end with the baseline or the processing time, which must not count."""
    match = re.search(marker + r"(\d{8}T\d{6})", str(text))
    return dt.datetime.strptime(match[1], "%Y%m%dT%H%M%S").replace(tzinfo=dt.UTC) if match else None


@dataclass(frozen=True, kw_only=True)
class _Look:
    """When and where a granule was seen."""

    taken: dt.datetime
    """Start of the datatake, or the granule's own time where the datatake is not told."""
    strip: dt.datetime | None
    footprint: shapely.Geometry


def _look(granule: Granule) -> _Look:
    take = _sensing_start(_first(granule, DATATAKE_KEYS), r"S2[A-D]_(?:MSIL\d[A-C]_)?")
    strip = _sensing_start(_first(granule, DATASTRIP_KEYS), r"_S")
    return _Look(taken=take or granule.datetime, strip=strip, footprint=granule.footprint)


def _is_duplicate(look: _Look, rival: _Look) -> bool:
    if abs(look.taken - rival.taken) > SAME_TAKE:
        return False
    if look.strip is not None and rival.strip is not None and abs(look.strip - rival.strip) > SAME_STRIP:
        return False
    area = look.footprint.area
    return area == 0 or bool(look.footprint.intersection(rival.footprint).area >= COVERED * area)
