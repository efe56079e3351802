"""Arrays to pictures: clamped, comparable, and no-data never in the colour of data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsprep.errors import StoreError
from rsprep.report import colours
from rsprep.report.data import LandClass
from rsprep.report.render import render_chips
from tests.rsprep.report.samples import BANDS, CLASSES, chip_arrays

LAYERS = ["S2 true colour", "S2 clear", "S1", "land cover", "elevation", "slope", "aspect", "hillshade"]


def paint(*chips: dict[str, Any]) -> list[dict[str, Any]]:
    return list(render_chips(chips, bands=BANDS, classes=CLASSES).images)


@given(st.floats(-1e6, 1e6), st.floats(-1e3, 1e3), st.floats(0.001, 1e3))
def test_to_uint8_is_monotone_and_clamped(value: float, low: float, span: float) -> None:
    """Pitfall 53: a value above the range is white, not wrapped around to black."""
    painted = colours.to_uint8(np.array([value]), low, low + span)[0]
    if value >= low + span:
        assert painted == 255
    if value <= low:
        assert painted == 0


def test_bright_cloud_is_white_in_every_channel() -> None:
    """Pitfall 53, through the whole renderer: reflectance far beyond the stretch."""
    chip = chip_arrays(hole=0)
    chip["s2"][:, 3:6, 3:6] = 15000
    chip["s2_valid"][3:6, 3:6] = 0
    assert (paint(chip)[0]["S2 true colour"][3:6, 3:6] == 255).all()


def test_nodata_is_hatched_in_every_layer_and_data_is_not() -> None:
    """A pixel without data has the hatch's colour exactly, whatever the layer and whatever number stands there."""
    size, hole = 24, 6
    chip = chip_arrays(size, hole=hole)
    sign = colours.hatch((size, size))
    images = paint(chip)[0]
    assert list(images) == LAYERS
    hatch_colours = {colours.HATCH_PAPER, colours.HATCH_LINE}
    for name, image in images.items():
        np.testing.assert_array_equal(image[:, :hole], sign[:, :hole], err_msg=name)
        seen = [tuple(int(c) for c in pixel) for pixel in image[:, hole:].reshape(-1, 3)]
        share = sum(pixel in hatch_colours for pixel in seen) / len(seen)
        assert share < 0.01, f"{name} paints data like no-data"


@pytest.mark.parametrize("variable", ["s2", "s1", "terrain"])
def test_nodata_does_not_move_the_stretch(variable: str) -> None:
    """A third chip without any data in a layer leaves the first chip's pictures as they were."""
    first, second, empty = (chip_arrays(seed=seed, hole=0) for seed in range(3))
    empty[variable] = np.full_like(second[variable], -32768 if variable == "s2" else np.nan)
    before, after = paint(first, second)[0], paint(first, second, empty)[0]
    for name in {"s2": ["S2 true colour"], "s1": ["S1"], "terrain": ["elevation", "slope"]}[variable]:
        np.testing.assert_array_equal(after[name], before[name], err_msg=name)


def test_one_stretch_for_all_chips() -> None:
    """The same reflectance has the same colour in a dark and in a bright chip."""
    dark, bright = chip_arrays(seed=1, hole=0), chip_arrays(seed=2, hole=0)
    dark["s2"] //= 4
    for chip in (dark, bright):
        chip["s2"][:, 5, 5] = 700
        chip["terrain"][0, 5, 5] = 480.0
    first, second = paint(dark, bright)
    for name in ("S2 true colour", "elevation"):
        np.testing.assert_array_equal(first[name][5, 5], second[name][5, 5])


def test_clouds_without_a_mask_do_not_darken_the_ground() -> None:
    """A tenth of the chip in cloud, and no mask: the ground still uses most of the range."""
    s2 = np.random.default_rng(4).integers(200, 1200, (3, 20, 20)).astype(np.int16)
    s2[:, :2] = 9000
    image = render_chips([{"s2": s2}], bands={"s2": ("B04", "B03", "B02")}).images[0]["S2 true colour"]
    assert image[2:].max() > 240
    assert (image[:2] == 255).all()


def test_flat_ground_is_not_missing() -> None:
    """Aspect is NaN on flat ground; only where the height is missing too is it no-data."""
    chip = chip_arrays(hole=0)
    chip["terrain"][2, 0:2] = np.nan
    chip["terrain"][:, 4:6] = np.nan
    aspect = paint(chip)[0]["aspect"]
    assert (aspect[0:2] == np.array(colours.rgb(colours.FLAT))).all()
    np.testing.assert_array_equal(aspect[4:6], colours.hatch(aspect.shape[:2])[4:6])


def test_aspect_wheel_closes() -> None:
    wheel = colours.wheel(np.array([[0.0, 360.0, 359.99, 90.0, 180.0]]))[0]
    np.testing.assert_array_equal(wheel[0], wheel[1])
    assert np.abs(wheel[0].astype(int) - wheel[2].astype(int)).max() <= 3
    assert tuple(wheel[3]) == colours.rgb(colours.ASPECT[1])
    assert tuple(wheel[4]) == colours.rgb(colours.ASPECT[2])


def test_land_cover_has_the_palette_s_colours() -> None:
    chip = chip_arrays(hole=0)
    image = paint(chip)[0]["land cover"]
    for code, item in enumerate(CLASSES):
        assert (image[chip["lulc"] == code] == np.array(colours.rgb(item.colour))).all()


def test_unknown_land_cover_code_is_an_error() -> None:
    chip = chip_arrays()
    chip["lulc"][10, 10] = 77
    with pytest.raises(StoreError, match=r"store/unknown-class.*\n.*77"):
        paint(chip)


def test_radar_range_is_fixed() -> None:
    """−22 dB VV is the darkest red and −2 dB the brightest, in every report."""
    chip = chip_arrays(hole=0)
    chip["s1"][0, 0, 0], chip["s1"][0, 0, 1] = -22.0, -2.0
    image = paint(chip)[0]["S1"]
    assert (image[0, 0, 0], image[0, 1, 0]) == (0, 255)


@pytest.mark.parametrize(
    ("names", "title"),
    [
        (("B04", "B03", "B02"), "S2 true colour"),
        (("B03", "B04", "B08"), "S2 false colour"),
        (("B05", "B06", "B07"), "S2 false colour"),
        (("B08", "B04"), "S2 B08"),
        (("B11",), "S2 B11"),
    ],
)
def test_bands_that_exist_are_shown(names: tuple[str, ...], title: str) -> None:
    s2 = np.random.default_rng(0).integers(0, 3000, (len(names), 8, 8)).astype(np.int16)
    rendered = render_chips([{"s2": s2}], bands={"s2": names})
    assert list(rendered.images[0]) == [title] == [legend.layer for legend in rendered.legends]
    grey = rendered.images[0][title]
    assert (grey[..., 0] == grey[..., 2]).all() == (len(names) < 3)


def test_single_polarisation_is_grey() -> None:
    s1 = np.full((1, 4, 4), -12.0, dtype=np.float32)
    image = render_chips([{"s1": s1}], bands={"s1": ("VV",)}).images[0]["S1"]
    assert np.ptp(image) == 0


def test_all_nodata_chip_renders() -> None:
    chip = chip_arrays(hole=24)
    for image in paint(chip)[0].values():
        np.testing.assert_array_equal(image, colours.hatch((24, 24)))


def test_no_chips_and_unlike_chips() -> None:
    assert render_chips([], bands={}).images == ()
    with pytest.raises(ValueError, match="same layers"):
        render_chips(
            [{"lulc": np.zeros((2, 2), np.uint8)}, {}], bands={}, classes=(LandClass(name="a", colour="#000000"),)
        )


def test_colour_must_be_hexadecimal() -> None:
    with pytest.raises(ValueError, match="#rrggbb"):
        colours.rgb("red")
