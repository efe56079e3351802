"""Agreement with gdalwarp, an independent implementation, on planted and on real files."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from rsprep.reading.warp import Resampling, warp
from tests.rsprep.reading.rasters import beside, landscape, utm, write
from tests.support import real_data


def gdalwarp(source: Path, target: GeoBox, resampling: str, out: Path) -> NDArray[Any]:
    """Exact transform and no widening of the kernel: its defaults depend on the size of the chunk."""
    tool = shutil.which("gdalwarp")
    if tool is None:
        pytest.skip("gdalwarp (Debian's gdal-bin) is absent")
    box, (height, width) = target.boundingbox, target.shape
    command = [tool, "-q", "-et", "0", "-wo", "XSCALE=1", "-wo", "YSCALE=1", "-r", resampling]
    command += ["-t_srs", str(target.crs), "-te", *map(str, (box.left, box.bottom, box.right, box.top))]
    subprocess.run([*command, "-ts", str(width), str(height), str(source), str(out)], check=True)
    with rasterio.open(out) as file:
        return np.asarray(file.read(1))


@pytest.mark.parametrize("resampling", ["nearest", "bilinear", "cubic"])
@pytest.mark.parametrize("resolution", [10.0, 20.0])
def test_planted_land_across_zones(tmp_path: Path, resampling: Resampling, resolution: float) -> None:
    source = utm(699_960, 5_400_000, (260, 260), resolution)
    values = landscape((260, 260))
    values[100:140, 60:90] = 0
    write(tmp_path / "a.tif", values, source, 0)
    target = beside(source, 32633, (230, 250))
    oracle = gdalwarp(tmp_path / "a.tif", target, resampling, tmp_path / "b.tif")
    result = warp(values, source, target, resampling=resampling, nodata=0)
    differing = np.abs(result.values.astype(int) - oracle)
    inside = result.valid & (oracle > 0)
    assert inside.mean() > 0.6
    # At the rim of nodata the two renormalise cubic weights differently.
    assert (result.valid != (oracle > 0)).mean() < 0.002
    allowed = 0.01 if resampling == "cubic" else 0.002
    assert (differing[inside] > 1).mean() < (0.006 if resampling == "nearest" else allowed)


@pytest.mark.parametrize("band", ["B02", "B05", "B09"])
def test_real_sentinel2_across_zones(tmp_path: Path, band: str) -> None:
    path = real_data("multisource-tiles") / "sentinel-2-l2a" / "433D_629L_3_1" / f"{band}.tif"
    with rasterio.open(path) as file:
        values, source = file.read(1), GeoBox(file.shape, file.transform, file.crs)
    target = beside(source, source.crs.epsg + 1, (200, 200))
    oracle = gdalwarp(path, target, "bilinear", tmp_path / "b.tif").astype(int)
    result = warp(values, source, target, resampling="bilinear", nodata=0)
    inside = result.valid & (oracle > 0)
    assert inside.mean() > 0.7
    assert np.abs(result.values.astype(int) - oracle)[inside].max() <= 1


def test_real_elevation_to_metres(tmp_path: Path) -> None:
    path = real_data("multisource-tiles") / "cop-dem-glo-30" / "433D_629L_3_1" / "data.tif"
    with rasterio.open(path) as file:
        values, source = file.read(1), GeoBox(file.shape, file.transform, file.crs)
    with rasterio.open(path.parents[2] / "truth" / "433D_629L_3_1" / "DEM.tif") as file:
        target = GeoBox(file.shape, file.transform, file.crs)
    oracle = gdalwarp(path, target, "cubic", tmp_path / "b.tif")
    result = warp(values, source, target, resampling="cubic", nodata=-9999)
    assert result.valid.all()
    assert np.abs(result.values - oracle).max() < 0.02
