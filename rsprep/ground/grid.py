"""From an area of interest to shards of chips.

A chip belongs to the UTM zone of its centre. With ``partial="drop"`` a chip is planned when it lies
wholly in the AOI and comes near no chip at home in the zone to the west, planned or not: no two chips
share ground, and a strip narrower than a chip may stay empty along a boundary. With ``partial="keep"``
every chip is planned that owns ground of the AOI (see :mod:`rsprep.ground.boundary`): each point of the AOI
belongs to exactly one chip, to within the pixels that the boundary cuts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from rsprep.config import Grid, Split
from rsprep.errors import AoiError, ConfigError
from rsprep.ground.aoi import Aoi
from rsprep.ground.boundary import meet_west, near_boundary, owned_mask
from rsprep.ground.cover import MAX_CHIPS, cover
from rsprep.ground.lattice import Lattice
from rsprep.ground.shards import Chip, Shard
from rsprep.ground.splits import BUFFER_REASON, SPLITS, assign, check_blocks
from rsprep.ground.zones import METRES_PER_DEGREE, ZONE_WIDTH, Zone, host_of, zones_served

__all__ = ["Chip", "Lattice", "Plan", "Shard", "area_in_zone", "lattices_for", "plan_grid", "zones_near"]

_DENSE = 0.005
"""Degrees between points along an AOI's edges before projecting: they bend 3 mm or less in between."""
_SLIVER_PX = 3
"""What owns less than a strip this wide (pixels, a chip long) is checked for owning a pixel at all."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All shards of a build, in the order of the store."""

    shards: tuple[Shard, ...]
    lattices: Mapping[int, Lattice]
    """EPSG code to lattice, for every zone that holds chips."""

    @property
    def chips(self) -> Iterator[Chip]:
        """Every planned chip, in the order of the store."""
        return (chip for shard in self.shards for _, chip in shard.planned)

    @property
    def n_chips(self) -> int:
        return sum(1 for _ in self.chips)

    def counts(self) -> dict[str, int]:
        """Chips to build by split, and chips given up by reason."""
        return dict(Counter(chip.reject or chip.split for chip in self.chips))

    def zones(self) -> dict[str, int]:
        """Planned chips by zone."""
        return dict(Counter(chip.lattice.zone.name for chip in self.chips))


@dataclass(frozen=True, kw_only=True)
class _Cells:
    """Chips of one zone as columns, all (n,)."""

    row: NDArray[np.int64]
    col: NDArray[np.int64]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    inside: NDArray[np.bool_]
    clipped: NDArray[np.bool_]

    def __getitem__(self, keep: NDArray[np.bool_]) -> _Cells:
        return _Cells(**{name: column[keep] for name, column in vars(self).items()})


def plan_grid(aoi: Aoi, grid: Grid, split: Split, offsets: Mapping[int, tuple[float, float]] | None = None) -> Plan:
    """Cut `aoi` into chips and shards.

    Parameters
    ----------
    aoi : area of interest.
    grid : chip size, resolution, block size and what to do with chips that stick out.
    split : spatial blocks and buffer.
    offsets : EPSG code to (x, y) metres that the pixel lattice is off multiples of the resolution
        (``snap="source"``). The ground of zones that are absent is served by a neighbour that is there: it is
        that neighbour's granules that reach into it. Give the neighbours of the AOI's zones too where they
        are known: they decide what is covered along the boundary.

    Returns
    -------
    Plan : shards in Morton order, zone by zone.

    Raises
    ------
    AoiError : ``no-chip`` when nothing fits, ``too-many`` beyond `MAX_CHIPS`.
    ConfigError : ``chip-too-large`` for chips that a zone cannot hold, ``block-too-small`` for split blocks.
    """
    side = grid.chip_size * grid.resolution
    reach = _check_chip_size(aoi, side)
    check_blocks(side, split)
    shards: list[Shard] = []
    total = 0
    for zone in _zones(aoi, offsets, reach):
        lattice, west = lattices_for(zone, grid, offsets)
        cells = _cells_of(aoi.geometry, lattice, west, reach, keep=grid.partial == "keep")
        total += len(cells.row)
        if total > MAX_CHIPS:
            raise AoiError(
                "too-many",
                f"the area holds more than {MAX_CHIPS:,} chips",
                value=aoi.describe(),
                remedy="take a smaller area, larger chips (--chip-size) or a coarser --resolution",
            )
        shards += _shards_of(cells, lattice, west, grid.block_chips, split, first=len(shards))
    if not shards:
        raise _no_chip(aoi, grid, offsets)
    return Plan(shards=tuple(shards), lattices={shard.epsg: shard.lattice for shard in shards})


def _zones(aoi: Aoi, offsets: Mapping[int, tuple[float, float]] | None, reach: float) -> list[Zone]:
    """Zones to plan in: those of the ground; on a source's lattice only zones in which the source has granules."""
    near = zones_near(aoi.geometry, reach)
    return zones_served(near, offsets) if offsets else near


def zones_near(geometry: shapely.Geometry, reach: float = 0.0) -> list[Zone]:
    """Zones whose strip, widened by `reach` degrees, holds some of `geometry`; in order of number, north first."""
    _, south, _, north = geometry.bounds
    sides = [is_south for is_south, present in ((False, north > 0), (True, south < 0)) if present]
    return [
        Zone(number, is_south)
        for number in range(1, 61)
        if not _window(geometry, Zone(number, False), reach).is_empty
        for is_south in sides
    ]


def lattices_for(
    zone: Zone, grid: Grid, offsets: Mapping[int, tuple[float, float]] | None = None
) -> tuple[Lattice, Lattice]:
    """Lattice of a zone and of its western neighbour, or of the zone that serves the neighbour's ground."""
    known = offsets or {}
    neighbour = host_of(zone.west, known) if known else zone.west
    lattice, west = (
        Lattice.make(one, grid.chip_size, grid.resolution, known.get(one.epsg, (0.0, 0.0))) for one in (zone, neighbour)
    )
    return lattice, west


def area_in_zone(geometry: shapely.Geometry, zone: Zone, reach: float) -> shapely.Geometry:
    """The part of a lon/lat area within `reach` degrees of a zone, in the zone's CRS, joined across 180°."""
    dense = shapely.segmentize(_window(geometry, zone, reach), _DENSE)

    def to_zone(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.stack(zone.project(points[:, 0], points[:, 1]), axis=-1)

    return shapely.transform(dense, to_zone)


def _window(geometry: shapely.Geometry, zone: Zone, reach: float) -> shapely.Geometry:
    """The part of an area near a zone, in longitudes that run on across 180°."""
    west, east = zone.west_edge - reach, zone.west_edge + zone.width + reach
    pieces = []
    left, _, right, _ = geometry.bounds
    for turn in (-360.0, 0.0, 360.0):
        if west - turn < right and east - turn > left:
            piece = shapely.intersection(geometry, shapely.box(west - turn, -90, east - turn, 90))
            pieces += [
                shapely.transform(part, lambda points, turn=turn: points + np.array([turn, 0.0]))
                for part in shapely.get_parts(piece)
                if part.geom_type == "Polygon"
            ]
    return shapely.union_all(pieces) if pieces else shapely.MultiPolygon()


def _cells_of(geometry: shapely.Geometry, lattice: Lattice, west: Lattice, reach: float, *, keep: bool) -> _Cells:
    """Chips of one zone that are planned."""
    zone = lattice.zone
    row, col, inside = cover(area_in_zone(geometry, zone, reach), lattice)
    if not keep:
        row, col, inside = row[inside], col[inside], inside[inside]
    lon, lat = zone.unproject(*lattice.centres(row, col))
    cells = _Cells(row=row, col=col, lon=lon, lat=lat, inside=inside, clipped=np.zeros(len(row), bool))
    offset = zone.offset_of(lon)
    # west of the boundary lie the chips that fill the gap: only wanted where every point must be covered
    cells = cells[(offset < zone.width) & (offset >= (-reach if keep else 0))]
    near = near_boundary(lattice, cells.lon, cells.lat)
    if not near.any():
        return cells
    edge = cells[near]
    overlaps, rest = meet_west(lattice, west, edge.row, edge.col)
    wanted = ~near
    if not keep:
        wanted[near] = ~overlaps
        return cells[wanted]
    area = area_in_zone(geometry, west.zone, ZONE_WIDTH / 2)
    wanted[near] = _owns_ground(area, rest, edge, lattice, west)
    cells.clipped[near] = overlaps
    return cells[wanted]


def _owns_ground(
    area: shapely.Geometry, rest: NDArray[np.object_], edge: _Cells, lattice: Lattice, west: Lattice
) -> NDArray[np.bool_]:
    """Which boundary chips own a pixel and ground of the AOI; `area` and `rest` are in the western CRS."""
    shapely.prepare(area)
    owns: NDArray[np.bool_] = shapely.area(rest) > 0
    owns &= shapely.intersects(area, rest)
    owns[owns] = shapely.area(shapely.intersection(area, rest[owns])) > 1e-3
    for at in np.flatnonzero(owns & (shapely.area(rest) < _SLIVER_PX * lattice.resolution * lattice.side)):
        owns[at] = owned_mask(lattice, west, int(edge.row[at]), int(edge.col[at])).any()
    return owns


def _shards_of(cells: _Cells, lattice: Lattice, west: Lattice, n: int, settings: Split, *, first: int) -> list[Shard]:
    """Shards of one zone in Morton order; the first one gets the index `first`."""
    split, given_up = assign(lattice, cells.row, cells.col, cells.lon, cells.lat, settings)
    blocks: dict[tuple[int, int], list[Chip | None]] = {}
    columns = (cells.row, cells.col, cells.lon, cells.lat, split, cells.inside, cells.clipped, given_up)
    for row, col, lon, lat, part, inside, clipped, near in zip(*(c.tolist() for c in columns), strict=True):
        slots = blocks.setdefault((row // n, col // n), [None] * (n * n))
        slots[lattice.slot(row, col, n)] = Chip(
            lattice=lattice,
            row=row,
            col=col,
            lon=lon,
            lat=lat,
            split=SPLITS[part],
            inside=inside,
            clipped=clipped,
            reject=BUFFER_REASON if near else None,
        )
    return [
        Shard(
            index=first + place,
            lattice=lattice,
            west=west,
            block_row=block[0],
            block_col=block[1],
            block_chips=n,
            chips=tuple(blocks[block]),
        )
        for place, block in enumerate(sorted(blocks, key=_morton))
    ]


def _morton(block: tuple[int, int]) -> int:
    """Place along the Z-order curve: neighbours in the plan are neighbours on the ground."""
    row, col = (int(format(index, "b"), 4) for index in block)  # spreads the bits two apart
    return 2 * row + col


def _check_chip_size(aoi: Aoi, side: float) -> float:
    """Refuse chips that a zone cannot hold; return how far (degrees) beyond a zone its chips may reach."""
    _, south, _, north = aoi.geometry.bounds
    metres = METRES_PER_DEGREE * float(np.cos(np.radians(max(-south, north))))
    if side > ZONE_WIDTH * metres / 8:
        raise ConfigError(
            "chip-too-large",
            "a chip may be an eighth of a UTM zone wide, where the area's zones are narrowest: "
            f"{ZONE_WIDTH * metres / 8000:.0f} km",
            value=f"{side / 1000:g} km",
            remedy="lower --chip-size or --resolution",
        )
    return 2 * side / metres


def _no_chip(aoi: Aoi, grid: Grid, offsets: Mapping[int, tuple[float, float]] | None) -> AoiError:
    """The error for an area in which no chip fits, with a size that would."""
    if grid.partial == "keep":
        return AoiError(
            "no-chip", "the area is too small to own a pixel", value=aoi.describe(), remedy="widen the area"
        )
    fits = next((size for size in _smaller(grid.chip_size) if _fits(aoi, grid, size, offsets)), None)
    remedy = "use --partial keep"
    if fits:
        remedy += f", or --chip-size {fits}, the largest multiple of 16 that fits"
    return AoiError(
        "no-chip",
        f"no chip of {grid.chip_size} x {grid.chip_size} px at {grid.resolution:g} m lies wholly in the area",
        value=aoi.describe(),
        remedy=remedy,
    )


def _smaller(size: int) -> Iterable[int]:
    return range((size - 1) // 16 * 16, 15, -16)


def _fits(aoi: Aoi, grid: Grid, size: int, offsets: Mapping[int, tuple[float, float]] | None) -> bool:
    smaller = grid.model_copy(update={"chip_size": size})
    reach = _check_chip_size(aoi, size * grid.resolution)
    return any(
        len(_cells_of(aoi.geometry, *lattices_for(zone, smaller, offsets), reach, keep=False).row)
        for zone in _zones(aoi, offsets, reach)
    )
