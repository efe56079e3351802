"""Turning: terrain that is turned is the terrain of the turned ground, and everything else goes with it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from rsmodels.data.augment import (
    ELEMENTS,
    Jitter,
    Photometry,
    composed,
    element_of,
    hillshade,
    inverse,
    turn,
)
from rsmodels.data.fields import Field
from rsprep.products.terrain import terrain
from rsprep.store.schema import TERRAIN_BANDS

TERRAIN = Field(name="terrain", variable="terrain", kind="terrain", bands=TERRAIN_BANDS)
IMAGE = Field(name="image", variable="s2", kind="optical", bands=("B02", "B03"))
SIZE = 24


def ground(seed: int, *, roughness: float = 3.0, flat: bool = False, gap: bool = False) -> NDArray[np.float32]:
    """Elevation with a halo; hills, if asked with a lake and with nodata."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(0, roughness, (SIZE + 2, SIZE + 2))
    height = 500 + np.cumsum(np.cumsum(steps, axis=0), axis=1) / 8
    if flat:
        height[8:16, 4:12] = 480
    if gap:
        height[2:4, 15:18] = np.nan
    return height.astype(np.float32)


def moved(values: NDArray[np.float32], element: int) -> NDArray[np.float32]:
    """The pixels alone, one step after the other."""
    if element >= 4:
        values = np.fliplr(values)
    for _ in range(element % 4):
        values = np.rot90(values)
    return np.ascontiguousarray(values)


def apart(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    """Angle between two directions, degrees."""
    return np.abs((first - second + 180) % 360 - 180)


@pytest.mark.parametrize("element", range(ELEMENTS))
@given(seed=st.integers(0, 10_000), light=st.sampled_from([(315.0, 45.0), (120.0, 30.0)]), flat=st.booleans())
def test_turned_terrain_is_terrain_of_turned_ground(
    element: int, seed: int, light: tuple[float, float], flat: bool
) -> None:
    height = ground(seed, flat=flat, gap=bool(seed % 2))
    azimuth, altitude = light
    layers = terrain(height, resolution=10.0, azimuth=azimuth, altitude=altitude)
    expected = terrain(moved(height, element), resolution=10.0, azimuth=azimuth, altitude=altitude)
    found = turn({"terrain": layers}, element, [TERRAIN], light=light)["terrain"]
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_allclose(found[1], expected[1], atol=1e-3)
    assert np.nanmax(apart(found[2], expected[2])) < 0.01
    assert np.nanmin(found[2]) >= 0
    assert np.nanmax(found[2]) < 360
    np.testing.assert_allclose(found[3], expected[3], atol=0.02)


def test_turning_pixels_alone_would_be_wrong() -> None:
    """The test above tells right from wrong."""
    height = ground(1)
    naive = moved(terrain(height, resolution=10.0)[2], 1)
    right = terrain(moved(height, 1), resolution=10.0)[2]
    assert np.nanmin(apart(naive, right)) > 80


@pytest.mark.parametrize("element", range(ELEMENTS))
def test_all_layers_turn_together(element: int) -> None:
    rng = np.random.default_rng(0)
    where = rng.integers(0, 255, (SIZE, SIZE)).astype(np.uint8)
    image = np.stack([where, where]).astype(np.int16)
    image[:, 3, 5] = -32768
    arrays = {"image": image, "clear": where, "label": where}
    turned = turn(arrays, element, [IMAGE, TERRAIN])
    np.testing.assert_array_equal(turned["label"], moved(where, element))
    np.testing.assert_array_equal(turned["clear"], turned["label"])
    known = turned["image"][0] != -32768
    assert (~known).sum() == 1
    for band in turned["image"]:
        np.testing.assert_array_equal(band[known], turned["label"][known])
    # A stack of chips turns chip by chip.
    np.testing.assert_array_equal(turn({"x": np.stack([image, image])}, element, [])["x"][1], turned["image"])


def test_elements_are_the_dihedral_group() -> None:
    square = np.arange(9).reshape(1, 3, 3)
    table = {turn({"x": square}, element, [])["x"].tobytes(): element for element in range(ELEMENTS)}
    assert len(table) == ELEMENTS
    for first, then in itertools.product(range(ELEMENTS), repeat=2):
        both = turn(turn({"x": square}, first, []), then, [])["x"]
        assert table[both.tobytes()] == composed(first, then)
    for element in range(ELEMENTS):
        assert composed(element, inverse(element)) == composed(inverse(element), element) == 0


@pytest.mark.parametrize("element", range(ELEMENTS))
def test_turned_back_is_as_before(element: int) -> None:
    layers = terrain(ground(5, flat=True, gap=True), resolution=10.0)
    kept = layers.copy()
    back = turn(turn({"terrain": layers}, element, [TERRAIN]), inverse(element), [TERRAIN])["terrain"]
    np.testing.assert_array_equal(layers, kept)  # what was given is not touched
    np.testing.assert_array_equal(back[:2], kept[:2])
    assert np.nanmax(apart(back[2], kept[2])) < 1e-3
    np.testing.assert_allclose(back[3], kept[3], atol=0.02)
    if element == 0:
        np.testing.assert_array_equal(back, kept)


def test_hillshade_is_that_of_the_store() -> None:
    layers = terrain(ground(2, roughness=20.0, flat=True, gap=True), resolution=10.0)
    shade = hillshade(layers[1], layers[2])
    np.testing.assert_array_equal(np.isnan(shade), np.isnan(layers[3]))
    np.testing.assert_allclose(shade, layers[3], atol=0.02)
    assert np.nanmin(layers[3]) == 1.0  # some of it faces away from the light


def test_elements_are_drawn_evenly_by_seed_and_position() -> None:
    drawn = [element_of(3, position) for position in range(4000)]
    counts = np.bincount(drawn, minlength=ELEMENTS)
    assert (abs(counts - 500) < 5 * np.sqrt(500)).all()
    assert drawn[17] == element_of(3, 17)
    assert drawn != [element_of(4, position) for position in range(4000)]


def test_jitter_depends_on_seed_and_position_alone() -> None:
    image = np.random.default_rng(0).random((5, SIZE, SIZE)).astype(np.float32)
    one, other = (Photometry(Jitter(chance=1.0), 7) for _ in range(2))
    first = one(image, 3)
    one(image, 4)
    assert first.shape == image.shape
    assert first.dtype == np.float32
    np.testing.assert_array_equal(one(image, 3), first)
    np.testing.assert_array_equal(other(image, 3), first)
    assert not np.array_equal(one(image, 4), first)
    assert not np.array_equal(Photometry(Jitter(chance=1.0), 8)(image, 3), first)
    assert first.min() >= 0
    assert first.max() <= 1


def test_jitter_stays_within_its_ranges() -> None:
    image = np.full((3, SIZE, SIZE), 0.5, np.float32)
    jitter = Jitter(brightness=0.1, contrast=0.0, noise=0.0, chance=1.0)
    shifts = np.array([Photometry(jitter, 1)(image, position).mean() - 0.5 for position in range(30)])
    assert abs(shifts).max() <= 0.1 + 1e-6
    assert shifts.std() > 0.02
    noisy = Photometry(Jitter(brightness=0.0, contrast=0.0, noise=0.05, chance=1.0), 1)
    assert max(noisy(image, position).std() for position in range(30)) <= 0.055
    still = Photometry(Jitter(chance=0.0), 1)
    np.testing.assert_array_equal(still(image, 0), image)
