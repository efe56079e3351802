from __future__ import annotations

import datetime as dt
import math

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from rsprep.sources.planted import World, optics, radar
from rsprep.sources.planted.ground import points, window
from rsprep.sources.planted.relief import relief
from rsprep.sources.planted.simulate import REGION
from rsprep.sources.planted.world import away_from_edges, margin
from tests.rsprep.sources.planted.conftest import means

SUMMER = dt.datetime(2021, 7, 10, 10, tzinfo=dt.UTC)
WINTER = dt.datetime(2021, 1, 10, 10, tzinfo=dt.UTC)


def grid_at(lon: float, lat: float, epsg: int, size: int = 40, metres: float = 10.0) -> GeoBox:
    """A grid whose middle pixel has its centre exactly at a place."""
    x, y = Transformer.from_crs(4326, epsg, always_xy=True).transform(lon, lat)
    half = (size // 2 + 0.5) * metres
    return GeoBox((size, size), Affine(metres, 0, x - half, 0, -metres, y + half), f"EPSG:{epsg}")


@pytest.mark.parametrize(
    ("lon", "lat", "one", "other"),
    [
        (12.0, 48.2, 32632, 32633),
        (12.003, 65.0, 32632, 32633),
        (180.0, 52.1, 32660, 32601),
        (-180.0, -17.3, 32760, 32701),
        (15.4, 0.0, 32633, 32733),
    ],
)
def test_a_place_looks_the_same_in_every_zone_and_on_both_sides_of_the_antimeridian(
    lon: float, lat: float, one: int, other: int
) -> None:
    world = World(seed=3)
    here, there = (world.truth(grid_at(lon, lat, epsg), SUMMER) for epsg in (one, other))
    middle = (20, 20)
    assert here["elevation"][middle] == pytest.approx(there["elevation"][middle], abs=0.02)
    assert here["probabilities"][:, *middle] == pytest.approx(there["probabilities"][:, *middle], abs=0.03)
    assert here["s2"][:, *middle] == pytest.approx(there["s2"][:, *middle], rel=0.03)


def test_longitude_180_and_minus_180_are_one_meridian() -> None:
    world = World(seed=3)
    step = 1 / 3600
    east = GeoBox((30, 4), Affine(step, 0, 180 - 2 * step, 0, -step, 52.0), "EPSG:4326")
    west = GeoBox((30, 4), Affine(step, 0, -180 - 2 * step, 0, -step, 52.0), "EPSG:4326")
    np.testing.assert_allclose(world.elevation(east), world.elevation(west), atol=1e-3)


def test_a_part_of_a_grid_has_the_values_of_the_whole() -> None:
    world, grid = World(seed=1), grid_at(12.7, 48.1, 32633, 90)
    whole, part = world.truth(grid, SUMMER), world.truth(window(grid, (slice(13, 77), slice(29, 90))), SUMMER)
    np.testing.assert_allclose(whole["elevation"][13:77, 29:90], part["elevation"], atol=0.02)
    np.testing.assert_allclose(whole["s2"][:, 13:77, 29:90], part["s2"], atol=3)
    np.testing.assert_allclose(whole["probabilities"][:, 13:77, 29:90], part["probabilities"], atol=1e-3)


def test_control_points_are_within_a_centimetre() -> None:
    grid = grid_at(14.2, 63.0, 32632, 300)
    rows, columns = np.indices((300, 300)) + 0.5
    x, y = grid.transform.c + 10 * columns, grid.transform.f - 10 * rows
    lon, lat = np.radians(Transformer.from_crs(32632, 4326, always_xy=True).transform(x, y))
    exact = 6_371_000 * np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
    assert np.abs(points(grid) - exact).max() < 0.01


@pytest.mark.parametrize(("seed", "lon", "lat", "epsg"), [(0, 12.7, 48.2, 32633), (5, -70.1, -33.0, 32719)])
def test_truth_keeps_its_promises(seed: int, lon: float, lat: float, epsg: int) -> None:
    truth = World(seed=seed).truth(grid_at(lon, lat, epsg, 60, 60.0), SUMMER)
    assert truth["elevation"].dtype == np.float32
    assert truth["elevation"].min() >= 0
    np.testing.assert_allclose(truth["probabilities"].sum(axis=0), 1, atol=1e-5)
    assert truth["probabilities"].min() >= 0
    np.testing.assert_array_equal(truth["lulc"], truth["probabilities"].argmax(axis=0))
    assert truth["s2"].dtype == np.int16
    assert 100 <= truth["s2"].min() <= truth["s2"].max() <= 8000
    for orbit in ("ascending", "descending"):
        assert np.isfinite(truth["s1"][orbit]).all()
        assert truth["s1"][orbit].min() > 0


def test_the_same_seed_gives_the_same_world_and_another_seed_another() -> None:
    grid = grid_at(12.7, 48.2, 32633)
    one, same, other = (World(seed=seed).truth(grid, SUMMER) for seed in (0, 0, 1))
    for key in ("elevation", "lulc", "s2", "probabilities"):
        np.testing.assert_array_equal(one[key], same[key])
    assert np.abs(one["elevation"] - other["elevation"]).max() > 1


def test_the_sea_is_flat_and_wet_and_high_ground_has_snow() -> None:
    coarse = window(REGION, (slice(0, 3200), slice(0, 3600)), 10)
    world = World(seed=0)
    truth = world.truth(coarse, SUMMER, ("elevation", "lulc"))
    sea = truth["elevation"] == 0
    assert 0.05 < sea.mean() < 0.3
    assert (truth["lulc"][sea] == 0).mean() > 0.98
    assert np.median(truth["elevation"][truth["lulc"] == 8]) > 1500
    assert truth["elevation"][truth["lulc"] == 4].max() < 1000
    shares = np.bincount(truth["lulc"].ravel(), minlength=9) / truth["lulc"].size
    assert len(shares) == 9
    assert shares.min() > 0.004


@pytest.mark.parametrize("resolution", [10, 20, 60])
def test_a_band_is_as_smooth_as_its_resolution_can_carry(resolution: int) -> None:
    """Area means, interpolated back half a native pixel away, recover truth within 1 %."""
    names = [band for band in optics.BANDS if optics.RESOLUTION[band] == resolution]
    index = [optics.BANDS.index(name) for name in names]
    factor = resolution // 10
    truth = World(seed=0).truth(grid_at(12.85, 48.2, 32633, 240), SUMMER, ("s2",))["s2"][index].astype(float)
    at = (np.arange(240) + 0.5) / factor - 0.5
    if resolution == 10:
        at = at + 0.5
    low = np.clip(np.floor(at).astype(int), 0, 240 // factor - 2)
    share = at - low
    errors = []
    for band in truth:
        native = means(band, factor)
        rows = native[low] * (1 - share[:, None]) + native[low + 1] * share[:, None]
        back = rows[:, low] * (1 - share) + rows[:, low + 1] * share
        target = band
        if resolution == 10:
            # Half a pixel off the lattice the truth is read between its own pixels with a wider stencil.
            kernel = np.array([-1, 9, 9, -1]) / 16
            target = np.apply_along_axis(np.convolve, 0, band, kernel, "same")
            target = np.apply_along_axis(np.convolve, 1, target, kernel, "same")
            target = np.roll(target, (-1, -1), (0, 1))
        inner = slice(12, -12)
        errors.append(np.abs(back / target - 1)[inner, inner].mean())
    assert max(errors) < 0.01


def test_seasons_turn_with_the_hemisphere_and_meet_at_the_equator() -> None:
    red, infrared = optics.BANDS.index("B04"), optics.BANDS.index("B08")
    summer, winter = optics.spectra(SUMMER), optics.spectra(WINTER)
    broadleaf = 2
    for season, table in ((1, summer), (2, winter)):
        warm, cold = table[0] + table[season], table[0] + table[3 - season]
        green = [(s[broadleaf, infrared] - s[broadleaf, red]) for s in (warm, cold)]
        assert green[0] > 2 * green[1]
    layers = np.zeros((len(summer[0]) + 3, 1, 3), np.float32)
    layers[broadleaf], layers[len(summer[0])] = 1, 1
    out = np.empty((12, 1, 3), np.float32)
    optics.reflectance(layers, np.array([[-1e-5, 0, 1e-5]], np.float32), summer, optics.sun(SUMMER), out)
    np.testing.assert_allclose(out[:, 0, 0], out[:, 0, 2], rtol=1e-3)


def test_slopes_that_face_the_sun_and_the_radar_are_brighter() -> None:
    materials = len(radar.powers(SUMMER))
    layers = np.zeros((materials + 3, 1, 2), np.float32)
    layers[3], layers[materials] = 1, 1
    layers[materials + 1] = [[0.3, -0.3]]  # rises toward the east: faces west; then the other way round
    light = np.empty((12, 1, 2), np.float32)
    optics.reflectance(layers, np.full((1, 2), 0.74, np.float32), optics.spectra(SUMMER), optics.sun(SUMMER), light)
    assert (light[:, 0, 1] > 1.1 * light[:, 0, 0]).all()  # the sun stands in the south-east
    for orbit, bright in (("ascending", 0), ("descending", 1)):
        power = np.empty((2, 1, 2), np.float32)
        radar.backscatter(layers, radar.powers(SUMMER), radar.LOOK_AZIMUTH[orbit], power)
        assert power[0, 0, bright] > 1.5 * power[0, 0, 1 - bright]


def test_speckle_has_unit_mean_and_five_looks() -> None:
    power = np.ones((2, 400, 400), np.float32)
    radar.speckle(power, 0, 0, 7)
    assert power.mean() == pytest.approx(1, abs=0.005)
    assert power.var() == pytest.approx(1 / radar.LOOKS, rel=0.03)
    assert abs(np.corrcoef(power[0].ravel(), power[1].ravel())[0, 1]) < 0.01
    part = np.ones((2, 50, 60), np.float32)
    radar.speckle(part, 100, 200, 7)
    np.testing.assert_array_equal(part, power[:, 100:150, 200:260])


def test_clear_ground_is_untouched_and_shadows_lie_away_from_the_sun() -> None:
    world = World(seed=0)
    moment = dt.datetime(2021, 8, 18, tzinfo=dt.UTC)
    grid = grid_at(12.75, 48.25, 32633, 300, 40.0)
    opacity, shade, code = world.clouds(grid, moment)
    clear = code == 0
    assert set(np.unique(code)) <= {0, 3, 8, 9, 10}
    assert 0.1 < clear.mean() < 0.9
    assert opacity[clear].max() == 0
    assert shade[clear].max() == 0
    east, north = optics.toward_sun(optics.sun(moment), math.sin(math.radians(48.25)))
    across, up = round(1300 * east / 40), round(1300 * north / 40)
    assert across > 5
    assert up < -5
    moved = np.roll(opacity, (up, -across), (0, 1))[60:-60, 60:-60] / 0.97
    here = shade[60:-60, 60:-60] / 0.7
    assert np.corrcoef(moved.ravel(), here.ravel())[0, 1] > 0.95


def test_days_run_from_clear_to_mostly_cloudy() -> None:
    world, grid = World(seed=0), grid_at(12.7, 48.2, 32633, 60, 400.0)
    first = dt.datetime(2021, 6, 1, tzinfo=dt.UTC)
    cloudy = [float((world.weather(grid, first + dt.timedelta(days=day)) > 0).mean()) for day in range(12)]
    assert min(cloudy) < 0.05
    assert max(cloudy) > 0.6


def test_relief_has_no_steps() -> None:
    """Neighbours 10 m apart differ by less than a cliff of 80 degrees, across the crests and the shore too."""
    grid = grid_at(12.85, 48.15, 32633, 400)
    where = points(grid)
    land = np.empty((4, 400, 400), np.float32)
    relief(where, World(seed=0)._key, land)
    assert np.abs(np.diff(land[0], axis=0)).max() < 10 * math.tan(math.radians(80))


def test_margin_and_edges() -> None:
    shares = np.array([[[0.6, 0.5]], [[0.3, 0.5]], [[0.1, 0.0]]], np.float32)
    np.testing.assert_allclose(margin(shares), [[0.3, 0.0]])
    labels = np.zeros((7, 7), np.uint8)
    labels[:, 5:] = 1
    expected = np.zeros((7, 7), bool)
    expected[1:-1, 1:4] = True
    np.testing.assert_array_equal(away_from_edges(labels, 1), expected)
