"""What the satellites did: days, orbits, baselines, swaths, and the accidents of processing.

Four kinds of optical acquisition take turns, so that a publication of four days has every case:
a plain one of an old baseline, one cut into two partial granules, one processed twice, and one whose
swath ends inside the area.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace

import shapely

from rsprep.sources.planted.tiles import HalfSpace

OLD_BASELINE, NEW_BASELINE = "03.01", "05.09"
OFFSET = 1000
"""Added to digital numbers from baseline 04.00 on."""


@dataclass(frozen=True, kw_only=True)
class Optical:
    """One processing of one part of one Sentinel-2 datatake."""

    moment: dt.datetime
    platform: str
    relative_orbit: int
    baseline: str
    cuts: tuple[HalfSpace, ...] = ()
    """The data lie inside all of these."""
    sequence: int = 0
    """Tells items of the same tile and day apart."""
    gain: float = 1.0
    """Factor on the true reflectance: an older processing differs a little from the newest, which is the truth."""

    @property
    def offset(self) -> int:
        """What is added to reflectance x 1e4 to make digital numbers."""
        return OFFSET if self.baseline >= "04.00" else 0

    @property
    def datatake(self) -> str:
        """``s2:datatake_id``; its last part names the baseline, as the provider's does."""
        absolute = 30000 + self.moment.toordinal() % 10000
        return f"G{self.platform}_{self.moment:%Y%m%dT%H%M%S}_{absolute:06d}_N{self.baseline}"


@dataclass(frozen=True, kw_only=True)
class Radar:
    """One Sentinel-1 pass."""

    moment: dt.datetime
    platform: str
    orbit: str
    """``ascending`` or ``descending``."""
    relative_orbit: int


def unwrapped(area: shapely.Geometry) -> shapely.Geometry:
    """`area` with its parts west of the antimeridian's far side moved next to the others (longitudes up to 540)."""
    west, _, east, _ = area.bounds
    if east - west <= 180:
        return area
    return shapely.transform(area, lambda xy: xy + [[360, 0]] * (xy[:, :1] < 0))


def spread_days(start: dt.date, end: dt.date, count: int) -> list[dt.date]:
    """`count` days evenly spread over start to end (both included)."""
    span = (end - start).days + 1
    return [start + dt.timedelta(days=int((index + 0.5) * span / count)) for index in range(count)]


def _at(day: dt.date, solar_hour: float, lon: float) -> dt.datetime:
    hour = (solar_hour - lon / 15) % 24
    seconds = round(hour * 3600) % 86400
    return dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC) + dt.timedelta(seconds=seconds)


def optical_acquisitions(area: shapely.Geometry, days: Sequence[dt.date]) -> list[Optical]:
    """Sentinel-2 over `area`, one datatake a day; every fourth is plain, cut, processed twice, partly covered."""
    shape = unwrapped(area)
    west, south, east, north = shape.bounds
    lon, lat = (west + east) / 2, (south + north) / 2
    taken: list[Optical] = []
    for index, day in enumerate(days):
        moment = _at(day, 10.5, lon)
        platform = ("S2A", "S2B")[index % 2]
        relative_orbit = (22, 65, 122)[index % 3]
        cut = HalfSpace.through(lon, lat, 262.0)
        ends = HalfSpace.through(east - 0.3 * (east - west), lat, 192.0)
        plain = Optical(moment=moment, platform=platform, relative_orbit=relative_orbit, baseline=NEW_BASELINE)
        old = replace(plain, baseline=OLD_BASELINE)
        cases = (
            (old,),
            (replace(plain, cuts=(cut,)), replace(plain, cuts=(cut.flipped(),), sequence=1)),
            (plain, replace(old, gain=1.03, sequence=1)),
            (replace(plain, cuts=(ends,)),),
        )
        taken += cases[index % 4]
    return taken


def radar_passes(area: shapely.Geometry, days: Sequence[dt.date]) -> list[Radar]:
    """Sentinel-1 over `area`: ascending and descending by turns, ascending first."""
    west, _, east, _ = unwrapped(area).bounds
    passes = []
    for index, day in enumerate(days):
        orbit = ("ascending", "descending")[index % 2]
        passes.append(
            Radar(
                moment=_at(day, 17.9 if orbit == "ascending" else 5.9, (west + east) / 2),
                platform=("sentinel-1a", "sentinel-1b")[index // 2 % 2],
                orbit=orbit,
                relative_orbit=117 if orbit == "ascending" else 95,
            )
        )
    return passes
