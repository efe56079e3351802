"""Areas across a UTM boundary and the antimeridian: all ground, none of it twice, and the truth on both sides."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
import xarray as xr
from numpy.typing import NDArray
from pyproj import Transformer

import rsprep
from rsprep.inspection import inspect
from rsprep.job.verify import verify
from rsprep.sources.planted import World, optics, publish
from rsprep.sources.planted.world import away_from_edges, margin
from tests.rsprep.truth import FAR_FROM_EDGE, grid_of, noon, rows_of

DAY, RADAR_DAY = dt.date(2021, 6, 7), dt.date(2021, 6, 10)
"""Clear at both places."""
WORLD = World(seed=0)
SOUTH, NORTH = 45.004, 45.012
CHIP = 32


@dataclass(frozen=True, kw_only=True)
class Place:
    """A published strip of ground across a boundary of zones."""

    root: Path
    boundary: float
    zones: tuple[int, int]
    """EPSG codes, west and east."""

    def build(self, out: Path, partial: str, **more: Any) -> xr.Dataset:
        west, east = self.boundary - 0.010, (self.boundary + 0.010 + 180) % 360 - 180
        outcome = rsprep.build(
            {
                "aoi": f"{west},{SOUTH},{east},{NORTH}",
                "out": str(out / partial),
                "catalog": str(out / "catalog"),
                "source": "planted",
                "endpoint": str(self.root / "catalog.json"),
                "grid": {"chip_size": CHIP, "partial": partial},
                "split": {"buffer_m": 0},
                **more,
            }
        )
        assert outcome.failures == 0
        assert outcome.data.counts.rejected == 0
        return rsprep.open(out / partial).load()

    def ground(self, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Longitudes and latitudes of `count` points in the area."""
        rng = np.random.default_rng(0)
        return self.boundary + rng.uniform(-0.010, 0.010, count), rng.uniform(SOUTH, NORTH, count)


@pytest.fixture(scope="module", params=[6.0, 180.0], ids=["6E", "antimeridian"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Place:
    boundary = float(request.param)
    root = tmp_path_factory.mktemp("boundary") / "source"
    north, south, far = 45.016, 45.0, 0.018
    if boundary == 180:
        area = shapely.union_all(
            [shapely.box(180 - far, south, 180, north), shapely.box(-180, south, -180 + far, north)]
        )
    else:
        area = shapely.box(boundary - far, south, boundary + far, north)
    publish(
        0, area, root, start=DAY, end=RADAR_DAY, dates=[DAY],
        radar_dates=[RADAR_DAY], granule_km=3, frame_km=6, dem_degrees=0.05,
    )  # fmt: skip
    return Place(root=root, boundary=boundary, zones=(32631, 32632) if boundary == 6 else (32660, 32601))


def coverage(chips: xr.Dataset, lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.int64]:
    """How many chips have a pixel of every layer at each point."""
    count = np.zeros(len(lon), np.int64)
    points = {
        epsg: Transformer.from_crs(4326, epsg, always_xy=True).transform(lon, lat)
        for epsg in set(chips.epsg.to_numpy().tolist())
    }
    for at in range(chips.sizes["chip"]):
        chip = chips.isel(chip=at)
        x, y = points[int(chip.epsg)]
        column = np.floor((np.asarray(x) - float(chip.x_origin)) / 10).astype(int)
        row = np.floor((float(chip.y_origin) - np.asarray(y)) / 10).astype(int)
        inside = (column >= 0) & (column < CHIP) & (row >= 0) & (row < CHIP)
        count[inside] += whole_pixels(chip)[row[inside], column[inside]]
    return count


def whole_pixels(chip: xr.Dataset) -> NDArray[np.bool_]:
    """(y, x) True where every layer has a value; all of them have one at the same pixels."""
    layers: list[NDArray[np.bool_]] = [
        chip.s2_valid.to_numpy() == 1,
        (chip.s2.to_numpy() != -32768).all(axis=0),
        np.isfinite(chip.s1.to_numpy()).all(axis=0),
        chip.lulc.to_numpy() != 255,
        np.isfinite(chip.terrain.to_numpy()[[0, 1, 3]]).all(axis=0),
    ]
    for layer in layers[1:]:
        np.testing.assert_array_equal(layer, layers[0])
    return layers[0]


def check_truth(chips: xr.Dataset, edge_px: int = 0) -> None:
    """Every layer against the world, classes as many pixels away from edges as a warp may move them."""
    right, errors, heights, found, expected = [], [], [], [], []
    index = [optics.BANDS.index(band) for band in chips.s2_band.to_numpy().tolist()]
    for at in range(chips.sizes["chip"]):
        chip = chips.isel(chip=at)
        here = whole_pixels(chip)
        truth = WORLD.truth(grid_of(chip), noon(DAY), ("elevation", "lulc", "probabilities", "s1", "s2"))
        far = here & (margin(truth["probabilities"]) > FAR_FROM_EDGE)
        far &= away_from_edges(truth["lulc"], edge_px)
        right.append((chip.lulc.to_numpy() == truth["lulc"])[far])
        optical = truth["s2"][index].astype(float)
        errors.append((np.abs(chips.s2.to_numpy()[at] - optical) / optical)[:, here])
        heights.append((chip.terrain.to_numpy()[0] - truth["elevation"])[here])
        found.append(10 ** (chip.s1.to_numpy().astype(float) / 10)[:, here])
        expected.append(truth["s1"]["ascending"][:, here])
    assert np.concatenate(right).mean() >= 0.999
    assert np.concatenate(errors, axis=1).mean(axis=1).max() < 0.01
    assert np.sqrt(np.mean(np.concatenate(heights) ** 2)) < 0.5
    power = np.concatenate(found, axis=1).mean(axis=1) / np.concatenate(expected, axis=1).mean(axis=1)
    assert np.abs(10 * np.log10(power)).max() < 0.1


def test_all_ground_is_covered_once_and_only_once(place: Place, tmp_path: Path) -> None:
    """Pitfalls 37 and 38: the pixel of the eastern lattice is the measure, so each of its centres counts once."""
    chips = place.build(tmp_path, "keep")
    assert set(chips.epsg.to_numpy().tolist()) == set(place.zones)
    lon, lat = place.ground(40_000)
    # a point within half a pixel's diagonal of the seam may fall to both sides or to none: one in a few hundred
    count = coverage(chips, lon, lat)
    assert (count == 1).mean() > 0.998
    assert count.mean() == pytest.approx(1, abs=5e-4)
    # pixel centres, by which ownership is decided, never do
    east = Transformer.from_crs(4326, place.zones[1], always_xy=True)
    x, y = east.transform(lon, lat)
    centres = np.floor(np.asarray(x) / 10) * 10 + 5, np.floor(np.asarray(y) / 10) * 10 + 5
    lon, lat = east.transform(*centres, direction="INVERSE")
    offset = (np.asarray(lon) - place.boundary + 180) % 360 - 180
    within = (np.abs(offset) < 0.010) & (lat > SOUTH) & (lat < NORTH)
    np.testing.assert_array_equal(coverage(chips, np.asarray(lon)[within], np.asarray(lat)[within]), 1)
    check_truth(chips)
    assert verify(tmp_path / "keep").ok
    assert inspect(tmp_path / "keep").sections


def test_whole_chips_share_no_ground(place: Place, tmp_path: Path) -> None:
    """Pitfall 38: chips of both zones, each with all of its pixels, and no point in two of them."""
    chips = place.build(tmp_path, "drop")
    assert set(chips.epsg.to_numpy().tolist()) == set(place.zones)
    assert all(whole_pixels(chips.isel(chip=at)).all() for at in range(chips.sizes["chip"]))
    count = coverage(chips, *place.ground(40_000))
    assert count.max() == 1
    assert verify(tmp_path / "drop").ok


def test_granules_of_the_neighbouring_zone_serve_as_well(place: Place, tmp_path: Path) -> None:
    """Pitfall 34: reflectance and classes warped across the boundary, to a fraction of a pixel, are still true."""
    root = tmp_path / "source"
    shutil.copytree(place.root, root)
    eastern = f"_{place.zones[1] % 100:02d}T"
    for name in ("sentinel-2-l2a", "dynamic-world"):
        path = root / name / "collection.json"
        collection = json.loads(path.read_text())
        links = collection["links"]
        collection["links"] = [link for link in links if eastern not in link["href"]]
        assert 0 < len(links) - len(collection["links"]) <= 2
        path.write_text(json.dumps(collection))
    western = Place(root=root, boundary=place.boundary, zones=place.zones)
    chips = western.build(tmp_path, "drop", sentinel2={"bands": ["B02", "B05", "B08", "B09"]})
    chips = chips.isel(chip=chips.epsg.to_numpy() == place.zones[1])
    names = {name for row in rows_of(tmp_path / "drop") for name in row.stats["sources"]["sentinel2"]}
    assert {name[4:6] for name in names} == {f"{place.zones[0] % 100:02d}"}
    check_truth(chips, edge_px=1)
