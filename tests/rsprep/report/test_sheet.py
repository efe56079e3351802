"""Contact sheets and pictures inside the page."""

from __future__ import annotations

import base64
import io
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image

from rsprep.report.images import data_uri
from rsprep.report.sheet import GAP, contact_sheet


def decode(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.split(",", 1)[1])))


def test_every_picture_is_on_the_sheet_unchanged() -> None:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (10 + i, 20, 3)).astype(np.uint8) for i in range(5)]
    sheet = contact_sheet(images, [""] * 5, 2)
    assert sheet.shape == (3 * (14 + GAP) + GAP, 2 * (20 + GAP) + GAP, 3)
    for i, image in enumerate(images):
        y, x = GAP + (i // 2) * (14 + GAP), GAP + (i % 2) * (20 + GAP)
        np.testing.assert_array_equal(sheet[y : y + image.shape[0], x : x + 20], image)


def test_captions_are_written_and_stay_in_their_cell() -> None:
    image = np.full((20, 60, 3), 200, dtype=np.uint8)
    sheet = contact_sheet([image, image], ["a caption far too long for sixty pixels", ""], 2)
    below = sheet[GAP + 20 :]
    assert (below[:, : GAP + 60] < 128).any()
    assert (below[:, GAP + 60 + 2 :] == 255).all()


@pytest.mark.parametrize(("count", "captions", "columns"), [(0, 0, 1), (2, 1, 1), (2, 2, 0)])
def test_impossible_sheets(count: int, captions: int, columns: int) -> None:
    with pytest.raises(ValueError, match="make no sheet"):
        contact_sheet([np.zeros((2, 2, 3), dtype=np.uint8)] * count, ["a"] * captions, columns)


def test_sheet_of_floats_is_refused() -> None:
    with pytest.raises(ValueError, match="uint8"):
        contact_sheet([cast("Any", np.zeros((2, 2, 3)))], ["a"], 1)


def test_few_colours_survive_exactly_even_when_shrunk() -> None:
    """Classes are never mixed: a picture of nine colours still has those nine, and no tenth, at half its size."""
    palette = np.random.default_rng(1).integers(0, 256, (9, 3)).astype(np.uint8)
    image = palette[np.random.default_rng(2).integers(0, 9, (512, 512))]
    shown = decode(data_uri(image, longest=256)).convert("RGB")
    assert shown.size == (256, 256)
    assert {tuple(c) for c in np.asarray(shown).reshape(-1, 3)} == {tuple(c) for c in palette}


def test_many_colours_become_a_small_jpeg() -> None:
    y, x = np.indices((300, 200))
    image = np.stack([y % 256, x % 256, (x + y) % 256], axis=-1).astype(np.uint8)
    uri = data_uri(image)
    assert uri.startswith("data:image/jpeg;base64,")
    assert decode(uri).size == (171, 256)
