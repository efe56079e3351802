"""Publish a piece of the planted world as the providers of Sentinel-1, Sentinel-2, Dynamic World and the DEM do."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from functools import partial
from pathlib import Path

import shapely

from rsprep.errors import ConfigError, TimeError
from rsprep.sources.planted.acquisitions import optical_acquisitions, radar_passes, spread_days
from rsprep.sources.planted.cogs import write_text
from rsprep.sources.planted.dem import DEM, TILE_LIST, corners, write_dem_tile, write_tile_list
from rsprep.sources.planted.optical import DYNAMIC_WORLD, S2, write_optical_tile
from rsprep.sources.planted.sar import S1, frames, write_frame
from rsprep.sources.planted.stac import write_catalog, write_collection
from rsprep.sources.planted.tiles import granule_tiles
from rsprep.sources.planted.world import World

Progress = Callable[[int, int, str], None]
"""Called with pieces done, pieces in all, and what was just finished."""
TITLES = {
    S2: "Sentinel-2 level 2A",
    S1: "Sentinel-1 radiometrically terrain corrected",
    DYNAMIC_WORLD: "Dynamic World",
    DEM: "Copernicus DEM GLO-30",
}
_ARGUMENTS = "publication.json"


def publish(
    seed: int,
    area: shapely.Geometry,
    out: Path,
    *,
    start: dt.date,
    end: dt.date,
    dates: int | Sequence[dt.date] = 4,
    radar_dates: int | Sequence[dt.date] = 4,
    granule_km: float = 24.0,
    frame_km: float = 24.0,
    dem_degrees: float = 0.25,
    workers: int = 2,
    progress: Progress | None = None,
) -> Path:
    """Write COGs and a static STAC catalog of the planted world over `area`.

    Parameters
    ----------
    seed : of the world.
    area : polygon in longitude and latitude, cut at the antimeridian if it crosses it.
    out : folder; finished files in it that come from the same arguments are kept (resume).
    start, end : first and last day.
    dates, radar_dates : days of Sentinel-2 and Sentinel-1 acquisitions, or how many to spread over the period.
    granule_km, frame_km : sides of optical granules and largest side of radar scenes.
    dem_degrees : side of a DEM tile.
    workers : threads; one granule each at a time (about 60 bytes a pixel and date).
    progress : called after every piece.

    Returns
    -------
    Path of ``catalog.json``, which is written last. The same arguments give the same bytes.

    Raises
    ------
    ConfigError
        ``out`` holds another publication, the area is empty or lies beyond 80° S or 84° N.
    TimeError
        The period ends before it starts.
    """
    if end < start:
        raise TimeError(
            "reversed", "the period ends before it starts", value=f"{start} .. {end}", remedy="swap start and end"
        )
    if area.is_empty or area.area == 0:
        raise ConfigError("empty-area", "the area to publish is empty", value=area.wkt, remedy="give a polygon")
    if not (area.bounds[1] >= -80 and area.bounds[3] <= 84):
        raise ConfigError(
            "beyond-utm", "the area reaches beyond the UTM zones", value=area.bounds, remedy="stay within 80 S and 84 N"
        )
    days = spread_days(start, end, dates) if isinstance(dates, int) else sorted(dates)
    passes = spread_days(start, end, radar_dates) if isinstance(radar_dates, int) else sorted(radar_dates)
    _claim(out, {
        "seed": seed, "area": shapely.to_wkt(area, rounding_precision=9), "dates": [str(day) for day in days],
        "radar_dates": [str(day) for day in passes], "granule_km": granule_km, "frame_km": frame_km,
        "dem_degrees": dem_degrees,
    })  # fmt: skip
    world = World(seed=seed)
    optical, radar = optical_acquisitions(area, days), radar_passes(area, passes)
    jobs: list[tuple[str, str, Callable[[], list[Path]]]] = [
        ("optical", tile.name, partial(write_optical_tile, world, tile, optical, out))
        for tile in granule_tiles(area, granule_km)
    ]
    jobs += [
        ("radar", f"frame {number}", partial(write_frame, world, grid, number, radar, out))
        for number, grid in enumerate(frames(area, frame_km))
    ]
    jobs += [
        ("dem", f"{west:g} {south:g}", partial(_dem_job, world, west, south, dem_degrees, out))
        for west, south in corners(area, dem_degrees)
    ]
    written = _run(jobs, workers, progress)
    by_collection: dict[str, list[Path]] = {name: [] for name in TITLES}
    for path in sorted(written):
        by_collection[path.parent.parent.name].append(path)
    write_tile_list(out, by_collection[DEM])
    for name, items in by_collection.items():
        link = {"rel": "tile-list", "href": f"./{TILE_LIST}", "type": "text/plain", "title": "tiles that exist"}
        write_collection(
            out, name, title=TITLES[name], items=items, extra_links=[link] if name == DEM else [],
            summaries={"rsprep:tile_degrees": [dem_degrees]} if name == DEM else None,
        )  # fmt: skip
    return write_catalog(out, list(by_collection))


def _dem_job(world: World, west: float, south: float, degrees: float, out: Path) -> list[Path]:
    path = write_dem_tile(world, west, south, degrees, out)
    return [] if path is None else [path]


def _run(
    jobs: Sequence[tuple[str, str, Callable[[], list[Path]]]], workers: int, progress: Progress | None
) -> list[Path]:
    """Run the jobs in threads; the first failure stops what has not begun and is raised."""
    written: list[Path] = []
    with ThreadPoolExecutor(max_workers=workers) as pool:
        futures: dict[Future[list[Path]], str] = {pool.submit(job): f"{kind} {name}" for kind, name, job in jobs}
        try:
            for done, future in enumerate(as_completed(futures), start=1):
                written += future.result()
                if progress is not None:
                    progress(done, len(jobs), futures[future])
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return written


def _claim(out: Path, arguments: dict[str, object]) -> None:
    """Make sure that `out` is empty or comes from the same arguments."""
    path = out / _ARGUMENTS
    text = json.dumps(arguments, indent=1) + "\n"
    if path.exists():
        if path.read_text(encoding="utf-8") != text:
            raise ConfigError(
                "other-publication",
                "the folder holds a planted world made with other arguments",
                value=str(out),
                remedy=f"give another folder, or the arguments listed in {path}",
            )
        return
    if out.exists() and any(out.iterdir()):
        raise ConfigError(
            "not-empty", "the folder holds files of another kind", value=str(out), remedy="give an empty folder"
        )
    write_text(path, text)
