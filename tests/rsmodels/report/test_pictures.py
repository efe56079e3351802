from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from rsmodels.data.fields import IGNORE, Field
from rsmodels.data.fit import Scaling
from rsmodels.data.normalise import Normaliser
from rsmodels.data.source import ChipSource, field
from rsmodels.report.pictures import (
    CLASS_COLOURS,
    ERROR_STOPS,
    ERROR_TOP,
    class_colours,
    colours_of,
    error_map,
    grid_png,
    key_of,
    mistakes,
    paint,
)
from rsprep.report.colours import hatch, rgb

BANDS = ("B02", "B03", "B04", "B08")
OPTICAL = Field(name="image", variable="s2", kind="optical", bands=BANDS)
RADAR = Field(name="radar", variable="s1", kind="radar", bands=("VV", "VH"))
CLASSES = Field(name="label", variable="lulc", kind="classes", classes=("a", "b", "c"), codes=(0, 1, 2))
TERRAIN = Field(name="terrain", variable="terrain", kind="terrain", bands=("elevation", "slope", "aspect", "hillshade"))
MASK = Field(name="cloud", variable="cloud", kind="mask")


def normaliser(**optical_changes: Any) -> Normaliser:
    optical = Scaling(
        field=OPTICAL, dtype="int16", fill=-32768, nodata=-32768, scale=1e-4, low=(0,) * 4, high=(4000,) * 4
    )
    optical = replace(optical, **optical_changes)
    radar = Scaling(
        field=RADAR, dtype="float32", fill=float("nan"), nodata=float("nan"), low=(-12, -18), high=(-7, -13)
    )
    rest = [
        Scaling(field=one, dtype="uint8", fill=255, nodata=None, low=(0, 0), high=(1, 1))
        for one in (CLASSES, TERRAIN, MASK)
    ]
    return Normaliser(scalings={one.field.name: one for one in (optical, radar, *rest)})


def as_values(reflectance: Tensor) -> Tensor:
    """Reflectance (..., y, x) as the normaliser below has it: 0 to 0.4 becomes −1 to 1."""
    return reflectance / 0.2 - 1.0


def test_true_colour_is_red_green_blue_and_is_clamped_before_the_cast() -> None:
    reflectance = torch.zeros(2, 4, 8, 8)
    reflectance[0, 2], reflectance[0, 1] = 0.3, 0.15
    reflectance[1] = 0.6  # a wrap would make this dark
    first, second = paint(OPTICAL, as_values(reflectance), normaliser())
    assert first.dtype == np.uint8
    assert first.shape == (8, 8, 3)
    assert first[0, 0].tolist() == [255, round(255 * 0.5 ** (1 / 1.8)), 0]
    assert (second == 255).all()
    assert (paint(OPTICAL, torch.full((1, 4, 8, 8), -3.0), normaliser())[0] == 0).all()


def test_true_colour_looks_the_same_whatever_the_curve_of_the_normaliser() -> None:
    share = torch.linspace(0, 1, 64).repeat(4, 64, 1)[None]
    linear = paint(OPTICAL, share * 2 - 1, normaliser())[0]
    root = paint(OPTICAL, share.sqrt() * 2 - 1, normaliser(curve="root"))[0]
    assert np.abs(linear.astype(int) - root).max() <= 1
    # Pictures of a camera are shown as they are.
    middle = torch.zeros(1, 4, 4, 4)
    assert (paint(OPTICAL, middle, normaliser(scale=1.0))[0] == 128).all()
    assert (paint(OPTICAL, middle, normaliser(scale=1.0, curve="root"))[0] == 64).all()


def test_brighter_ground_is_brighter_in_every_picture_alike() -> None:
    ramp = as_values(torch.linspace(0, 0.3, 64).repeat(4, 64, 1)[None])
    picture = paint(OPTICAL, torch.cat([ramp, as_values((ramp + 1) * 0.1)]), normaliser())
    assert (np.diff(picture[0][0, :, 0].astype(int)) >= 0).all()
    # One fixed stretch: a darker chip stays darker.
    assert picture[1].max() < picture[0].max()
    # Where all ground is bright, as on snow, white is where it is brightest.
    snow = normaliser(low=(5000,) * 4, high=(9000,) * 4)
    assert 0 < paint(OPTICAL, torch.zeros(1, 4, 4, 4), snow)[0].max() < 250


def test_how_to_read_a_picture_is_told() -> None:
    assert key_of(OPTICAL, normaliser()) == "image: B04, B03, B02, reflectance 0.00 to 0.30"
    assert "red VV −22 to −2 dB" in key_of(RADAR, normaliser())
    assert key_of(TERRAIN, normaliser()) == "terrain: hillshade"
    assert key_of(CLASSES, normaliser()) == ""
    one = Field(name="image", variable="image", kind="optical", bands=("red", "green", "blue"))
    assert key_of(one, normaliser(field=one)) == "image: red, green, blue, each over its range"


def test_no_data_is_hatched_and_unknown_classes_are() -> None:
    valid = torch.ones(1, 1, 16, 16, dtype=torch.bool)
    valid[..., :5] = False
    picture = paint(OPTICAL, torch.zeros(1, 4, 16, 16), normaliser(), valid=valid)[0]
    lines = hatch((16, 16))
    assert (picture[:, :5] == lines[:, :5]).all()
    assert not (picture[:, 5:] == lines[:, 5:]).all(axis=-1).any()
    labels = torch.ones(1, 16, 16, dtype=torch.int64)
    labels[:, 8:] = IGNORE
    painted = paint(CLASSES, labels, normaliser(), colours={"label": ("#010203", "#040506", "#070809")})[0]
    assert (painted[:8] == (4, 5, 6)).all()
    assert (painted[8:] == lines[8:]).all()
    assert (paint(CLASSES, labels, normaliser())[0][0, 0] == rgb(CLASS_COLOURS[1])).all()


def test_radar_is_painted_in_fixed_ranges_of_decibels() -> None:
    # VV -12 dB is the middle of -22 to -2, VH -18 of -28 to -8; their difference 6 dB lies at 4/14 of 2 to 16.
    picture = paint(RADAR, torch.zeros(1, 2, 4, 4), normaliser())[0]
    assert picture[0, 0].tolist() == [128, 128, 73]


def test_terrain_is_its_hillshade_and_masks_are_two_colours() -> None:
    values = torch.zeros(1, 5, 4, 4)
    values[:, 4, :2] = 1.0
    picture = paint(TERRAIN, values, normaliser())[0]
    assert (picture[:2] == 255).all()
    assert (np.abs(picture[2:].astype(int) - 128) <= 1).all()
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., 2:] = 1.0
    picture = paint(MASK, mask, normaliser())[0]
    assert (picture[:, 2:] == 255).all()
    assert (picture[:, :2] == rgb("#1b2a41")).all()


def test_error_map_has_one_fixed_scale() -> None:
    target = torch.zeros(4, 8, 8)
    pred = target.clone()
    pred[:, :, 4:] = ERROR_TOP
    pred[:, 0, 0] = 1.0
    valid = torch.ones(1, 8, 8, dtype=torch.bool)
    valid[:, 7] = False
    found = error_map(pred, target, valid)
    assert tuple(found[1, 1]) == rgb(ERROR_STOPS[0])
    assert tuple(found[1, 6]) == tuple(found[0, 0]) == rgb(ERROR_STOPS[-1])
    assert (found[7] == hatch((8, 8))[7]).all()
    # The mean over bands, not the largest.
    pred = target.clone()
    pred[0] = ERROR_TOP
    assert (error_map(pred, target, valid)[1, 1] == error_map(target + ERROR_TOP / 4, target, valid)[1, 1]).all()


def test_mistakes_are_dark_where_classes_differ() -> None:
    truth = torch.tensor([[0, 1], [IGNORE, 2]])
    found = mistakes(torch.tensor([[0, 2], [0, 2]]), truth)
    assert found[0, 0].sum() > 600 > found[0, 1].sum()
    assert (found[1, 0] == hatch((2, 2))[1, 0]).all()
    assert (found[1, 1] == found[0, 0]).all()


def test_classes_without_colours_get_some_that_differ() -> None:
    assert len(set(class_colours(30))) == 30
    assert class_colours(3) == CLASS_COLOURS[:3]


def test_a_data_set_tells_the_colours_of_its_classes(tiny_dataset: Path) -> None:
    source = ChipSource.open(tiny_dataset)
    found = colours_of(source, [field(source, "landcover"), field(source, "image")])
    assert list(found) == ["landcover"]
    assert found["landcover"][0] == "#419bdf"


def test_a_sheet_has_every_picture_in_its_place_and_captions_beside(tmp_path: Path) -> None:
    red, blue = (np.full((20, 20, 3), colour, np.uint8) for colour in ((255, 0, 0), (0, 0, 255)))
    path = grid_png(
        tmp_path / "sheet.png", ("first", "a much longer name"), [("row one\n12 dB", (red, blue)), ("", (blue, red))]
    )
    sheet = np.asarray(Image.open(path))
    assert [file.name for file in tmp_path.iterdir()] == ["sheet.png"]
    reds = np.argwhere((sheet == (255, 0, 0)).all(axis=-1))
    blues = np.argwhere((sheet == (0, 0, 255)).all(axis=-1))
    assert len(reds) == len(blues) == 2 * 400
    assert reds[:, 1].min() == blues[:, 1].min() > 40
    assert reds[0, 0] < reds[-1, 0] - 20
    with pytest.raises(ValueError, match="every row"):
        grid_png(path, ("a",), [("x", (red, blue))])
    with pytest.raises(ValueError, match="every row"):
        grid_png(path, ("a",), [])


def test_tensors_with_gradients_or_in_half_precision_are_painted_too() -> None:
    values: Tensor = torch.zeros(1, 4, 8, 8, dtype=torch.bfloat16, requires_grad=True)
    assert paint(OPTICAL, values, normaliser())[0].shape == (8, 8, 3)
