"""What a Sentinel-1 pixel means: backscatter in power, dead borders, and decibels at the very end.

Averages and interpolation are only right in linear power: the mean of 0 and −10 dB is −2.6 dB, not −5.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import numba
import numpy as np
import shapely
from numpy.typing import NDArray

from rsprep.errors import CatalogError, ItemError
from rsprep.granule import Granule

Units = Literal["power", "amplitude", "db"]
UNITS: tuple[Units, ...] = get_args(Units)
Kind = Literal["rtc", "gtc", "grd"]
"""rtc: on the map grid, and slopes are corrected for the ground that they show to the radar. gtc: on the map grid with
relief displacement taken out, brightness of slopes as it was seen (Earth Engine). grd: ground range of the radar."""
Calibration = Literal["gamma0", "sigma0", "uncalibrated"]
Orbit = Literal["ascending", "descending", "unknown"]

ORBIT_KEY: Final = "sat:orbit_state"
# Keys under which items say how they were calibrated and what they are, where they do.
CALIBRATION_KEYS: Final = ("sar:calibration", "s1:calibration", "card4l:measurement_type")
DEAD_REGION_PX: Final = 16
"""Invalid regions of more pixels than this are dead borders; smaller ones are single dropouts."""


@dataclass(frozen=True, kw_only=True)
class Radar:
    """What a radar layer holds. Layers of different kinds are never mixed."""

    kind: Kind
    """See :data:`Kind`; rtc or gtc, because grd is not even on the map grid."""
    calibration: Calibration
    orbit: Orbit
    """Flight direction; "unknown" where no item tells it."""
    platforms: tuple[str, ...] = ()
    """Satellites that contributed, sorted. They may be mixed: they are twins."""


def to_power(
    values: NDArray[Any], units: Units, *, nodata: float | None = None
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Linear power and its validity.

    Power must be above zero: the zero borders of a scene, negative noise, NaN and infinity are not
    valid. Where a pixel is not valid its power is 0.

    Parameters
    ----------
    values : any shape.
    units : "power", "amplitude" (squared here) or "db".
    nodata : value that marks nodata in the file, in its own units.
    """
    numbers = np.ascontiguousarray(values, np.float32)
    power, valid = np.empty(numbers.shape, np.float32), np.empty(numbers.shape, np.bool_)
    missing = np.float32(np.nan if nodata is None else nodata)
    _to_power(numbers.reshape(-1), UNITS.index(units), missing, power.reshape(-1), valid.reshape(-1))
    return power, valid


@numba.njit(cache=True, nogil=True)
def _to_power(
    numbers: NDArray[np.float32],
    unit: int,
    missing: np.float32,
    power: NDArray[np.float32],
    valid: NDArray[np.bool_],
) -> None:
    for i in range(numbers.size):
        number = numbers[i]
        if unit == 0:
            measured = number
        elif unit == 1:
            measured = number * number if number > 0 else np.float32(0)
        else:
            measured = np.float32(10) ** (number / np.float32(10))
        # A comparison with NaN is False, whichever side it stands on.
        valid[i] = measured > 0 and measured < np.inf and np.abs(number) < np.inf and number != missing
        power[i] = measured if valid[i] else np.float32(0)


def erode_border(valid: NDArray[np.bool_], pixels: int, *, dead_px: int = DEAD_REGION_PX) -> NDArray[np.bool_]:
    """Take `pixels` off the valid area along dead borders.

    The seam of a scene is dark or noisy for some pixels beyond its zeros. A dead border is an invalid
    region (joined by sides or corners) that has more than `dead_px` pixels or touches the edge of the
    raster, where it may go on. Other invalid pixels are dropouts: they stay invalid and cost their
    neighbours nothing. The edge of the raster itself is no border.

    Parameters
    ----------
    valid : (y, x).
    pixels : how far to erode, counted along rows, columns and diagonals alike.
    """
    if pixels == 0 or bool(valid.all()):
        return valid.copy()
    dead = _dead_regions(np.ascontiguousarray(valid), dead_px)
    return np.asarray(valid & ~_grow(_grow(dead, pixels).T.copy(), pixels).T)


@numba.njit(cache=True, nogil=True)
def _dead_regions(valid: NDArray[np.bool_], dead_px: int) -> NDArray[np.bool_]:
    rows, columns = valid.shape
    dead = np.zeros((rows, columns), np.bool_)
    seen = valid.copy()
    region = np.empty(valid.size, np.int64)
    for start in range(valid.size):
        if seen[start // columns, start % columns]:
            continue
        # `region` is both the queue of the flood and, in the end, the list of its pixels.
        seen[start // columns, start % columns] = True
        region[0], size, touches = start, 1, False
        head = 0
        while head < size:
            y, x = region[head] // columns, region[head] % columns
            head += 1
            touches |= y == 0 or x == 0 or y == rows - 1 or x == columns - 1
            for v in range(max(y - 1, 0), min(y + 2, rows)):
                for u in range(max(x - 1, 0), min(x + 2, columns)):
                    if not seen[v, u]:
                        seen[v, u] = True
                        region[size] = v * columns + u
                        size += 1
        if touches or size > dead_px:
            for i in range(size):
                dead[region[i] // columns, region[i] % columns] = True
    return dead


@numba.njit(cache=True, nogil=True)
def _grow(mask: NDArray[np.bool_], pixels: int) -> NDArray[np.bool_]:
    """Widen `mask` by `pixels` along its rows."""
    rows, columns = mask.shape
    out = np.zeros((rows, columns), np.bool_)
    for y in range(rows):
        reach = -1
        for x in range(columns):
            reach = x + pixels if mask[y, x] else reach
            out[y, x] = x <= reach
        reach = columns
        for x in range(columns - 1, -1, -1):
            reach = x - pixels if mask[y, x] else reach
            out[y, x] |= x >= reach
    return out


class PowerMean:
    """Running mean of power over dates; memory does not grow with their number."""

    def __init__(self, bands: int, shape: tuple[int, int]) -> None:
        self._sum = np.zeros((bands, *shape), np.float64)
        self.count = np.zeros(shape, np.uint16)
        """(y, x): number of valid dates."""

    def add(self, power: NDArray[np.float32], valid: NDArray[np.bool_]) -> None:
        """Add one date: power (bands, y, x), one validity (y, x) for all bands."""
        if power.shape != self._sum.shape or valid.shape != self.count.shape:
            raise ValueError(f"expected {self._sum.shape}, got power {power.shape} and valid {valid.shape}")
        np.add(self._sum, power, out=self._sum, where=valid)
        self.count += valid

    @property
    def mean(self) -> NDArray[np.float32]:
        """(bands, y, x) mean power; 0 where no date is valid (see `count`)."""
        return (self._sum / np.maximum(self.count, 1)).astype(np.float32)


def decibel(power: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Backscatter in dB, NaN where not valid; the last step of all.

    Parameters
    ----------
    power : (…, y, x) linear power. A power that is not above zero is nodata even if `valid` says otherwise,
        so that −inf never comes out.
    valid : (y, x).
    """
    known = np.broadcast_to(valid, power.shape) & (power > 0) & np.isfinite(power)
    out = np.full(power.shape, np.nan, np.float32)
    np.log10(power, out=out, where=known)
    np.multiply(out, np.float32(10), out=out, where=known)
    return out


def orbit_of(granule: Granule, *, orbit_key: str | None = ORBIT_KEY) -> Orbit:
    """Flight direction of a granule; raises ItemError where the item says something else than the two."""
    state = granule.properties.get(orbit_key) if orbit_key else None
    if state is None:
        return "unknown"
    lowered = str(state).lower()
    if lowered == "ascending":
        return "ascending"
    if lowered == "descending":
        return "descending"
    raise ItemError(
        "orbit-state",
        f"item {granule.id} names no orbit direction",
        value=state,
        remedy="expected ascending or descending; name the right property in the source definition",
    )


def pick_orbit(
    granules: Sequence[Granule],
    area: shapely.Geometry,
    *,
    orbit: Literal["auto", "ascending", "descending"] = "auto",
    orbit_key: str | None = ORBIT_KEY,
) -> tuple[Orbit, list[Granule]]:
    """Granules of one flight direction, and that direction.

    Slopes look different from the other side, so the directions are never mixed. "auto" takes the one
    whose footprints cover more of `area` (longitude and latitude); equal ones are told apart by the
    number of granules, then "ascending" is taken. A source that never tells the direction is taken as it is.

    Raises
    ------
    ItemError
        When some items tell the direction and others do not.
    CatalogError
        When there are granules, but none of the direction asked for.
    """
    groups: dict[Orbit, list[Granule]] = {}
    for granule in granules:
        groups.setdefault(orbit_of(granule, orbit_key=orbit_key), []).append(granule)
    if not groups:
        return (orbit if orbit != "auto" else "unknown"), []
    if "unknown" in groups and len(groups) > 1:
        raise ItemError(
            "orbit-mixed",
            "some items name no orbit direction, so ascending and descending could be mixed",
            value=groups["unknown"][0].id,
            remedy="correct the items, or narrow the time window to those that are complete",
        )
    if orbit != "auto":
        if orbit not in groups:
            raise CatalogError(
                "orbit-absent",
                f"no Sentinel-1 item is from a {orbit} orbit",
                value=", ".join(sorted(groups)),
                remedy="use orbit: auto, or widen the time window",
            )
        return orbit, groups[orbit]

    def cover(direction: Orbit) -> tuple[float, int, bool]:
        union = shapely.union_all([granule.footprint for granule in groups[direction]])
        # Rounded, so that two directions that both cover everything are equal.
        return round(union.intersection(area).area, 9), len(groups[direction]), direction == "ascending"

    best = max(groups, key=cover)
    return best, groups[best]


def describe(
    granules: Iterable[Granule],
    *,
    kind: Kind,
    calibration: Calibration,
    orbit_key: str | None = ORBIT_KEY,
) -> Radar:
    """What a set of granules holds, as the source definition declares it and every item confirms.

    Raises
    ------
    ItemError
        When the product is not on the map grid, an item is calibrated otherwise than declared, or
        directions are mixed.
    """
    if kind == "grd":
        raise ItemError(
            "not-terrain-corrected",
            "ground range detected images are displaced by relief and do not fit the other layers",
            value=f"kind: {kind}, calibration: {calibration}",
            remedy="use a source of terrain-corrected backscatter (kind: rtc or gtc)",
        )
    orbits: set[Orbit] = set()
    platforms: set[str] = set()
    for granule in granules:
        orbits.add(orbit_of(granule, orbit_key=orbit_key))
        platforms.add(str(granule.properties.get("platform", "unknown")).lower())
        for key in CALIBRATION_KEYS:
            told = granule.properties.get(key)
            if told is not None and _plain(told) != calibration:
                raise ItemError(
                    "calibration-mixed",
                    f"item {granule.id} is not {calibration}, as the source definition declares",
                    value=f"{key}={told}",
                    remedy="sigma0 and gamma0 differ by the incidence angle; declare each in a definition of its own",
                )
    if len(orbits) > 1:
        raise ItemError(
            "orbit-mixed",
            "granules of different orbit directions may not be composited",
            value=", ".join(sorted(orbits)),
            remedy="choose one direction with pick_orbit",
        )
    return Radar(
        kind=kind,
        calibration=calibration,
        orbit=next(iter(orbits), "unknown"),
        platforms=tuple(sorted(platforms)),
    )


def _plain(calibration: object) -> str:
    """``gamma_0``, ``Gamma0`` and ``gamma naught`` as ``gamma0``."""
    letters = "".join(letter for letter in str(calibration).lower() if letter.isalnum())
    return letters.replace("nought", "0").replace("naught", "0")
