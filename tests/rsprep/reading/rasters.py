"""Small rasters and granules for the tests of reading."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from scipy.ndimage import gaussian_filter

from rsprep.granule import Asset, Granule
from rsprep.reading import BandSpec, ControlCache, FileAccess, ReadPolicy, Signer, Window
from rsprep.reading.extent import outline
from rsprep.reading.files import DEFAULT_POLICY
from rsprep.reading.warp import Resampling


def utm(west: float, north: float, shape: tuple[int, int], resolution: float = 10.0, epsg: int = 32632) -> GeoBox:
    return GeoBox(shape, Affine(resolution, 0, west, 0, -resolution, north), f"EPSG:{epsg}")


def beside(grid: GeoBox, epsg: int, shape: tuple[int, int], resolution: float = 10.0) -> GeoBox:
    """A grid of another CRS around the same middle."""
    x, y = grid.affine * (grid.shape[1] / 2, grid.shape[0] / 2)
    x, y = Transformer.from_crs(str(grid.crs), epsg, always_xy=True).transform(x, y)
    west = round(x / resolution - shape[1] / 2) * resolution
    north = round(y / resolution + shape[0] / 2) * resolution
    return utm(west, north, shape, resolution, epsg)


def centres(grid: GeoBox, crs: int | None = None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coordinates of all pixel centres, in the grid's own CRS or in `crs`, straight from the transform."""
    column, row = np.meshgrid(np.arange(grid.shape[1]) + 0.5, np.arange(grid.shape[0]) + 0.5)
    x, y = grid.affine * (column, row)
    if crs is not None:
        x, y = Transformer.from_crs(str(grid.crs), crs, always_xy=True).transform(x, y)
    return np.asarray(x), np.asarray(y)


def landscape(shape: tuple[int, int], seed: int = 0, dtype: str = "uint16") -> NDArray[Any]:
    noise = gaussian_filter(np.random.default_rng(seed).standard_normal(shape), 2.0)
    return (3000 + 4000 * noise).clip(1, 20000).astype(dtype)


def write(path: Path, values: NDArray[Any], grid: GeoBox, nodata: float | None = None, **profile: Any) -> Asset:
    """Write a tiled GeoTIFF and declare it as an item would."""
    with rasterio.open(
        path, "w", driver="GTiff", height=grid.shape[0], width=grid.shape[1], count=1, dtype=values.dtype,
        crs=str(grid.crs), transform=grid.affine, nodata=nodata,
        **{"tiled": True, "blockxsize": 64, "blockysize": 64, "compress": "deflate", **profile},
    ) as file:  # fmt: skip
        file.write(values, 1)
    return Asset(href=str(path), grid=grid)


def read_window(
    asset: Asset,
    target: GeoBox,
    *,
    nodata: float | None,
    dtype: str,
    resampling: Resampling = "bilinear",
    signer: Signer | None = None,
    policy: ReadPolicy = DEFAULT_POLICY,
) -> Window | None:
    """The one window that a target needs of a file."""
    spec = BandSpec(dtype=dtype, nodata=nodata, resampling=resampling)
    return FileAccess(signer, policy).window(asset, spec, ControlCache(target))


def granule(name: str, assets: Mapping[str, Asset], grid: GeoBox) -> Granule:
    return Granule(
        id=name, product="sentinel2", source="planted", collection="planted",
        datetime=dt.datetime(2021, 6, 1, tzinfo=dt.UTC),
        footprint=outline(grid), assets=assets,
    )  # fmt: skip


LAND = landscape((400, 400))
WHOLE = utm(700_000, 5_400_000, (400, 400))


def quarters(folder: Path) -> list[Granule]:
    """Four granules that overlap by 20 px, B02 at 10 m and B05 at 20 m, with a dead triangle in each."""
    granules = []
    for number, (row, column) in enumerate(((0, 0), (0, 180), (180, 0), (180, 180))):
        part = LAND[row : row + 220, column : column + 220].copy()
        part[np.add.outer(np.arange(220), np.arange(220)) < 40] = 0
        grid = utm(700_000 + 10 * column, 5_400_000 - 10 * row, (220, 220))
        coarse = utm(700_000 + 10 * column, 5_400_000 - 10 * row, (110, 110), 20)
        assets = {
            "B02": write(folder / f"{number}-B02.tif", part, grid, 0),
            "B05": write(folder / f"{number}-B05.tif", part[::2, ::2].copy(), coarse, 0),
        }
        granules.append(granule(f"g{number}", assets, grid))
    return granules
