"""The land-cover layer of a block, on files that a test makes itself."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import rasterio
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox
from rasterio.warp import transform_bounds

from rsprep.config import LandCover
from rsprep.granule import Asset, Granule
from rsprep.job.labels import Offer, landcover
from rsprep.job.reader import Reader
from rsprep.reading.files import FileAccess
from rsprep.sources.definition import LandCoverProduct

BLOCK = GeoBox((32, 32), Affine(10, 0, 500000, 0, -10, 5300000), 32633)
RULES = LandCoverProduct(
    collection="dynamic-world",
    label="label",
    dtype="uint8",
    nodata=255,
    crosswalk="dynamic-world",
    probabilities={number: number + 1 for number in range(9)},
    probabilities_asset="probabilities",
    probabilities_nodata=float("nan"),
)


def probability_granule(folder: Path, name: str, columns: slice, scale: float) -> Granule:
    """A granule on part of the block whose class 4 has nearly all the probability, times `scale`."""
    grid = BLOCK[:, columns]
    pixels = np.full((9, *grid.shape), 0.02 * scale, np.float32)
    pixels[4] = 0.84 * scale
    path = folder / f"{name}.tif"
    with rasterio.open(
        path, "w", driver="GTiff", count=9, dtype="float32", nodata=float("nan"),
        height=grid.shape[0], width=grid.shape[1], crs="EPSG:32633", transform=grid.affine,
    ) as file:  # fmt: skip
        file.write(pixels)
    return Granule(
        id=name,
        product="landcover",
        source="planted",
        collection="dynamic-world",
        datetime=dt.datetime(2021, 6, 1, tzinfo=dt.UTC),
        footprint=shapely.box(*transform_bounds("EPSG:32633", "EPSG:4326", *grid.boundingbox)),
        assets={f"p{band}": Asset(href=str(path), band=band + 1, grid=grid) for band in range(9)},
    )


def test_wrong_probabilities_cost_the_chips_of_their_granule_only(tmp_path: Path) -> None:
    """Pitfall 24: percent read as shares is refused by name, and only where that granule lies."""
    good = probability_granule(tmp_path, "good", slice(0, 16), 1.0)
    percent = probability_granule(tmp_path, "percent", slice(16, 32), 100.0)
    with ThreadPoolExecutor(2) as pool:
        reader = Reader(block=BLOCK, accesses={"planted": FileAccess()}, pool=pool)
        made = landcover(
            [Offer(rules=RULES, granules=(good, percent))],
            LandCover(method="probability"),
            reader,
            16,
        )
    assert (made.arrays["lulc"][:, :16] == 4).all()
    assert (made.arrays["lulc"][:, 16:] == 255).all()
    (failure,) = reader.failures
    assert "raster/probability-sum" in failure.reason
    assert failure.box[1].start <= 16
    assert failure.box[1].stop == 32
