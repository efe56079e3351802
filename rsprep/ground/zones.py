"""UTM zones: the plain 6° strips, north and south.

The exceptions that maps make around Norway and Svalbard are left out on purpose: with them a zone's
width would jump between latitudes, the western neighbour would no longer be unique, and providers do
not agree on them. A chip in western Norway is in zone 31 here and reads granules of zone 32 as well.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pyproj import Transformer

ZONE_WIDTH = 6.0
"""Degrees of longitude."""
NORTH_LIMIT = 84.0
SOUTH_LIMIT = -80.0
METRES_PER_DEGREE = 111_195.0
"""Along a great circle of the mean sphere (radius 6,371 km)."""

_of_thread = threading.local()


@dataclass(frozen=True, order=True)
class Zone:
    """One UTM zone of one hemisphere."""

    number: int
    """1 (180°W–174°W) to 60 (174°E–180°E)."""
    south: bool
    wider_west: bool = False
    """True where the zone serves the ground of the zone to the west as well."""
    wider_east: bool = False
    """Likewise to the east."""

    @classmethod
    def from_epsg(cls, epsg: int) -> Zone:
        """Zone of EPSG:326nn or EPSG:327nn; raises ValueError for any other code."""
        family, number = divmod(epsg, 100)
        if family not in (326, 327) or not 1 <= number <= 60:
            raise ValueError(f"EPSG:{epsg} is not a UTM zone on WGS 84 (EPSG:32601..32660, 32701..32760)")
        return cls(number, family == 327)

    @property
    def epsg(self) -> int:
        return (32700 if self.south else 32600) + self.number

    @property
    def name(self) -> str:
        """As in ``33N``."""
        return f"{self.number:02d}{'S' if self.south else 'N'}"

    @property
    def west_edge(self) -> float:
        """Longitude of the western boundary of the ground that the zone serves, degrees in [-186, 174]."""
        return -180.0 + ZONE_WIDTH * (self.number - 1 - self.wider_west)

    @property
    def width(self) -> float:
        """Degrees of longitude that the zone serves: 6, and 6 more for each neighbour that it stands in for."""
        return ZONE_WIDTH * (1 + self.wider_west + self.wider_east)

    @property
    def meridian(self) -> float:
        """Longitude of the central meridian, degrees."""
        return -180.0 + ZONE_WIDTH * (self.number - 0.5)

    @property
    def west(self) -> Zone:
        """The zone to the west of the ground served, in the same hemisphere; that of zone 1 is zone 60."""
        return Zone((self.number - 2 - self.wider_west) % 60 + 1, self.south)

    @property
    def east(self) -> Zone:
        """Likewise to the east; that of zone 60 is zone 1."""
        return Zone((self.number + self.wider_east) % 60 + 1, self.south)

    def offset_of(self, lon: ArrayLike) -> NDArray[np.float64]:
        """Degrees east of the western boundary, taken in [-171, 189) so that 180° is no seam."""
        turned: NDArray[np.float64] = np.mod(np.asarray(lon, float) - self.west_edge + 171.0, 360.0) - 171.0
        return turned

    def project(self, lon: ArrayLike, lat: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Easting and northing, metres, of longitudes and latitudes in degrees."""
        x, y = _transformer(self.epsg, True).transform(lon, lat)
        return x, y

    def unproject(self, x: ArrayLike, y: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Longitude (in [-180, 180]) and latitude of eastings and northings in metres."""
        lon, lat = _transformer(self.epsg, False).transform(x, y)
        return lon, lat


def zone_number(lon: ArrayLike) -> NDArray[np.int64]:
    """Number of the zone that holds a longitude; a boundary belongs to the zone to its east."""
    return np.floor((np.asarray(lon, float) + 180.0) / ZONE_WIDTH).astype(np.int64) % 60 + 1


def zones_served(zones: Iterable[Zone], have: Collection[int]) -> list[Zone]:
    """Zones in which the ground of `zones` is to be worked on when only those with an EPSG code in `have` can be.

    A zone that is missing is served by its western neighbour, else by its eastern one; where neither is
    there it stays as it is. Used where chips lie on the granules' own lattice: a granule reaches into
    the next zone, and there may be no other for that ground.
    """
    hosts = {host_of(zone, have) for zone in zones}
    return sorted(
        Zone(
            host.number,
            host.south,
            wider_west=host_of(host.west, have) == host,
            wider_east=host_of(host.east, have) == host,
        )
        for host in hosts
    )


def host_of(zone: Zone, have: Collection[int]) -> Zone:
    """The zone that serves the ground of `zone`, see :func:`zones_served`."""
    return next((one for one in (zone, zone.west, zone.east) if one.epsg in have), zone)


def _transformer(epsg: int, forward: bool) -> Any:
    """PROJ objects are kept one set a thread: they must not be shared between threads."""
    known: dict[tuple[int, bool], Any] | None = getattr(_of_thread, "known", None)
    if known is None:
        known = _of_thread.known = {}
    if (epsg, forward) not in known:
        ends = ("OGC:CRS84", f"EPSG:{epsg}") if forward else (f"EPSG:{epsg}", "OGC:CRS84")
        known[epsg, forward] = Transformer.from_crs(*ends, always_xy=True)
    return known[epsg, forward]
