"""Sentinel-2 granules and the Dynamic World scenes made of them, tile by tile."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from rsprep.sources.planted import optics, weather
from rsprep.sources.planted.acquisitions import Optical
from rsprep.sources.planted.cover import CLASSES
from rsprep.sources.planted.ground import points, window
from rsprep.sources.planted.psf import mean_blocks
from rsprep.sources.planted.stac import EO, GRID, Item, Raster, item_path, stamp, write_item
from rsprep.sources.planted.tiles import HalfSpace, Tile, outline
from rsprep.sources.planted.world import Ground, World

S2, DYNAMIC_WORLD = "sentinel-2-l2a", "dynamic-world"
BLOCK = 600
"""Pixels of 10 m that are computed at a time; a multiple of 6."""
CODE_OF_CLASS = np.array([6, 4, 4, 4, 4, 4, 5, 5, 11], np.uint8)
"""SCL code of each Dynamic World class under a clear sky."""
NO_LABEL = 255
"""Nodata of labels; probabilities have NaN there."""


@dataclass(frozen=True, kw_only=True)
class Canvas:
    """What a tile shows on one day, before swaths and processing."""

    bands: dict[str, NDArray[np.uint16]]
    """Reflectance x 1e4 at the band's own resolution, clouds included."""
    codes: NDArray[np.uint8]
    """SCL at 20 m, complete."""


def coarse(grid: GeoBox, factor: int) -> GeoBox:
    """The same ground in pixels `factor` times as wide."""
    rows, columns = (int(n) for n in grid.shape)
    return window(grid, (slice(0, rows), slice(0, columns)), factor)


def write_optical_tile(world: World, tile: Tile, taken: Sequence[Optical], root: Path) -> list[Path]:
    """Write all items of one tile; those already there are left alone. Returns the paths of their JSON."""
    ids = {acquisition: f"{acquisition.platform}_{tile.name}_{acquisition.moment:%Y%m%d}_{acquisition.sequence}_L2A"
           for acquisition in taken}  # fmt: skip
    footprints = {acquisition: outline(tile.grid, acquisition.cuts) for acquisition in taken}
    seen = [acquisition for acquisition in taken if not footprints[acquisition].is_empty]
    moments = sorted({acquisition.moment for acquisition in seen})
    labels = {moment: f"DW_{tile.name}_{moment:%Y%m%d}" for moment in moments}
    paths = [item_path(root, S2, ids[acquisition]) for acquisition in seen]
    paths += [item_path(root, DYNAMIC_WORLD, name) for name in labels.values()]
    if all(path.exists() for path in paths):
        return paths
    canvases, probabilities = _paint(world, tile.grid, moments)
    for acquisition in seen:
        if not item_path(root, S2, ids[acquisition]).exists():
            item = _scene(tile, acquisition, ids[acquisition], canvases[acquisition.moment])
            write_item(root, Item(footprint=footprints[acquisition], **item))
    for moment in moments:
        parts = [acquisition for acquisition in seen if acquisition.moment == moment]
        if not item_path(root, DYNAMIC_WORLD, labels[moment]).exists():
            valid = _clear(canvases[moment].codes) & _observed(tile.grid, [part.cuts for part in parts])
            footprint = footprints[parts[0]]
            for part in parts[1:]:
                footprint = footprint.union(footprints[part])
            source = [ids[part] for part in parts]
            item = _labels(tile, moment, labels[moment], probabilities, valid, source)
            write_item(root, Item(footprint=footprint, **item))
    return paths


def _paint(
    world: World, grid: GeoBox, moments: Sequence[dt.datetime]
) -> tuple[dict[dt.datetime, Canvas], NDArray[np.float32]]:
    """The tile on every day, and its class probabilities, computed block by block."""
    rows, columns = (int(n) for n in grid.shape)
    factor = {band: optics.RESOLUTION[band] // 10 for band in optics.BANDS}
    canvases = {
        moment: Canvas(
            bands={b: np.empty((rows // factor[b], columns // factor[b]), np.uint16) for b in optics.BANDS},
            codes=np.empty((rows // 2, columns // 2), np.uint8),
        )
        for moment in moments
    }
    probabilities = np.empty((9, rows, columns), np.float32)
    for where in blocks(rows, columns):
        part = window(grid, where)
        grounds = world.grounds(part, (10, 20, 60))
        probabilities[(slice(None), *where)] = in_steps(grounds[10].probabilities)
        views = {10: grounds[10], 20: _shrunk(grounds[20], 2), 60: _shrunk(grounds[60], 6)}
        for moment, canvas in canvases.items():
            _paint_day(world, views, part, moment, canvas, where)
    return canvases, probabilities


def _paint_day(
    world: World, views: dict[int, Ground], part: GeoBox, moment: dt.datetime, canvas: Canvas,
    where: tuple[slice, slice],
) -> None:  # fmt: skip
    opacity, shade, code = world.clouds(coarse(part, 2), moment)
    veils = {
        10: (opacity.repeat(2, 0).repeat(2, 1), shade.repeat(2, 0).repeat(2, 1)),
        20: (opacity, shade),
        60: (mean_blocks(opacity[np.newaxis], 3)[0], mean_blocks(shade[np.newaxis], 3)[0]),
    }
    for resolution, view in views.items():
        names = [band for band in optics.BANDS if optics.RESOLUTION[band] == resolution]
        seen = world.reflectance(view, moment, names)
        tint = weather.CLOUD[[optics.BANDS.index(band) for band in names]]
        weather.veil(seen, *veils[resolution], tint)
        inside = shrunk(where, resolution // 10)
        for name, values in zip(names, np.rint(seen), strict=True):
            canvas.bands[name][inside] = values
    shares = views[20].probabilities
    ground_code = CODE_OF_CLASS[shares.argmax(axis=0)]
    ground_code[shares.max(axis=0) < 0.42] = 7
    dark = world.reflectance(views[20], moment, ("B8A",))[0] < 700
    ground_code[dark & (ground_code == 4)] = 2
    canvas.codes[shrunk(where, 2)] = np.where(code > 0, code, ground_code)


def blocks(rows: int, columns: int) -> Iterator[tuple[slice, slice]]:
    """Cut a raster into blocks of at most BLOCK pixels a side."""
    for row in range(0, rows, BLOCK):
        for column in range(0, columns, BLOCK):
            yield slice(row, min(row + BLOCK, rows)), slice(column, min(column + BLOCK, columns))


def shrunk(where: tuple[slice, slice], factor: int) -> tuple[slice, slice]:
    """The same block in pixels `factor` times as wide."""
    rows, columns = where
    return slice(rows.start // factor, rows.stop // factor), slice(columns.start // factor, columns.stop // factor)


def _shrunk(ground: Ground, factor: int) -> Ground:
    grid = coarse(ground.grid, factor)
    return Ground(
        grid=grid,
        points=points(grid),
        elevation=mean_blocks(ground.elevation[np.newaxis], factor)[0],
        layers=mean_blocks(ground.layers, factor),
    )


def in_steps(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities in steps of 1/1024 that still sum to 1 exactly: files shrink to a fifth."""
    steps = np.rint(probabilities * 1024)
    top = probabilities.argmax(axis=0)[np.newaxis]
    rest = 1024 - steps.sum(axis=0, keepdims=True)
    np.put_along_axis(steps, top, np.take_along_axis(steps, top, 0) + rest, 0)
    return np.asarray(steps / np.float32(1024), np.float32)


def _clear(codes: NDArray[np.uint8]) -> NDArray[np.bool_]:
    clear = ~np.isin(codes, (weather.SHADOW, weather.MEDIUM, weather.HIGH, weather.CIRRUS))
    return np.asarray(clear.repeat(2, 0).repeat(2, 1))


def _observed(grid: GeoBox, parts: Sequence[tuple[HalfSpace, ...]]) -> NDArray[np.bool_]:
    """Pixels (y, x) whose centre is inside all cuts of at least one part."""
    shape = tuple(int(n) for n in grid.shape)
    if not all(parts):
        return np.ones(shape, np.bool_)
    where = points(grid)
    seen = np.zeros(shape, np.bool_)
    for cuts in parts:
        inside = np.ones(shape, np.bool_)
        for cut in cuts:
            inside &= cut.side(where) > 0
        seen |= inside
    return seen


def _scene(tile: Tile, acquisition: Optical, name: str, canvas: Canvas) -> dict[str, Any]:
    """Fields of the item of one Sentinel-2 granule."""
    inside = {factor: _observed(coarse(tile.grid, factor), (acquisition.cuts,)) for factor in (1, 2, 6)}
    rasters = []
    for band, values in canvas.bands.items():
        factor = optics.RESOLUTION[band] // 10
        numbers = np.rint(values * np.float32(acquisition.gain)).astype(np.uint16) + np.uint16(acquisition.offset)
        numbers[~inside[factor]] = 0
        rasters.append(Raster(key=band, values=numbers, grid=coarse(tile.grid, factor), nodata=0))
    codes = np.where(inside[2], canvas.codes, np.uint8(0))
    rasters.append(Raster(key="SCL", values=codes, grid=coarse(tile.grid, 2), nodata=0, classes=True))
    seen = max(int(inside[2].sum()), 1)
    moment = acquisition.moment
    processed = moment + dt.timedelta(days=1 if acquisition.baseline < "04.00" else 900)
    safe = (
        f"{acquisition.platform}_MSIL2A_{moment:%Y%m%dT%H%M%S}_N{acquisition.baseline.replace('.', '')}"
        f"_R{acquisition.relative_orbit:03d}_T{tile.name}_{processed:%Y%m%dT%H%M%S}.SAFE"
    )
    properties = {
        "platform": f"sentinel-{acquisition.platform[1:].lower()}",
        "constellation": "sentinel-2",
        "instruments": ["msi"],
        "created": stamp(processed),
        "eo:cloud_cover": round(100 * float(np.isin(codes, (8, 9, 10)).sum()) / seen, 4),
        "grid:code": f"MGRS-{tile.name}",
        "s2:mgrs_tile": tile.name,
        "s2:datatake_id": acquisition.datatake,
        "s2:product_uri": safe,
        "s2:processing_baseline": acquisition.baseline,
        "s2:nodata_pixel_percentage": round(100 - 100 * seen / codes.size, 4),
        "earthsearch:boa_offset_applied": False,
    }
    return {"id": name, "collection": S2, "datetime": moment, "properties": properties,
            "extensions": (EO, GRID), "rasters": rasters}  # fmt: skip


def _labels(
    tile: Tile, moment: dt.datetime, name: str, probabilities: NDArray[np.float32], valid: NDArray[np.bool_],
    source: list[str],
) -> dict[str, Any]:  # fmt: skip
    """Fields of the item of one Dynamic World scene: no label where the optical scene saw no ground."""
    label = np.where(valid, probabilities.argmax(axis=0), NO_LABEL).astype(np.uint8)
    shares = np.where(valid, probabilities, np.float32("nan"))
    names = tuple(title.replace(" ", "_") for title in CLASSES)
    rasters = [
        Raster(key="label", values=label, grid=tile.grid, nodata=NO_LABEL, classes=True),
        Raster(key="probabilities", values=shares, grid=tile.grid, nodata=float("nan"), names=names),
    ]
    properties = {"grid:code": f"MGRS-{tile.name}", "s2:mgrs_tile": tile.name, "derived_from": source}
    return {"id": name, "collection": DYNAMIC_WORLD, "datetime": moment, "properties": properties,
            "extensions": (GRID,), "rasters": rasters}  # fmt: skip
