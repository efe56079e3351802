"""Masks in the codes of the store: read from files, and changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image

from rsmodels.data.fields import Field
from rsmodels.editing.masks import class_index, read_mask, region_of, replaced
from rsmodels.errors import ModelError

LABEL = Field(
    name="landcover", variable="mask", kind="classes", classes=("water", "flooded_field", "trees"), codes=(1, 2, 5)
)
MASK = np.array([[1, 1, 2], [2, 0, 1]], np.uint8)


def test_classes_change_places_at_once() -> None:
    changed = replaced(MASK, LABEL, {"water": "flooded field", "flooded_field": "water"})
    assert changed.tolist() == [[2, 2, 1], [1, 0, 2]]
    assert changed.dtype == np.uint8
    assert MASK[0, 0] == 1


@pytest.mark.parametrize(
    ("pairs", "name", "said"),
    [
        ({"watr": "trees"}, "unknown-class", "'water'"),
        ({"water": "tree"}, "unknown-class", "'trees'"),
        ({"water": "xyzzy"}, "unknown-class", "one of water, flooded_field, trees"),
        ({"trees": "water"}, "class-not-in-mask", "water, flooded_field"),
    ],
)
def test_what_is_no_class_is_refused(pairs: dict[str, str], name: str, said: str) -> None:
    with pytest.raises(ModelError, match=name) as caught:
        replaced(MASK, LABEL, pairs)
    assert said in str(caught.value)


def test_a_class_is_known_by_its_name_with_spaces() -> None:
    assert class_index(LABEL, "flooded field") == 1


def test_the_region_is_what_is_another_class_or_drawn_anew() -> None:
    after = replaced(MASK, LABEL, {"flooded_field": "trees"})
    assert region_of(MASK, after, LABEL, ()).tolist() == (MASK == 2).tolist()
    assert region_of(MASK, after, LABEL, (0,)).tolist() == (MASK != 0).tolist()


def png(path: Path, codes: np.ndarray, mode: str = "L") -> Path:
    picture = Image.fromarray(codes.astype(np.uint8), "L" if mode == "P" else None)
    if mode == "P":
        picture.putpalette([10, 20, 30] * 256)
    picture.save(path)
    return path


@pytest.mark.parametrize("mode", ["L", "P"])
@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated:DeprecationWarning")
def test_a_mask_is_read_from_a_picture(tmp_path: Path, mode: str) -> None:
    codes = read_mask(png(tmp_path / "mask.png", MASK, mode), LABEL, MASK, 0)
    np.testing.assert_array_equal(codes, MASK)
    assert codes.dtype == MASK.dtype


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_mask_is_read_from_a_tiff(tmp_path: Path) -> None:
    path = tmp_path / "mask.tif"
    profile = {"driver": "GTiff", "height": 2, "width": 3, "dtype": "int32"}
    with rasterio.open(path, "w", count=1, **profile) as file:
        file.write(MASK.astype(np.int32), 1)
    np.testing.assert_array_equal(read_mask(path, LABEL, MASK, 0), MASK)
    with rasterio.open(path, "w", count=2, **profile) as file:
        file.write(np.stack([MASK, MASK]).astype(np.int32))
    with pytest.raises(ModelError, match="not-a-mask") as caught:
        read_mask(path, LABEL, MASK, 0)
    assert "2 bands" in str(caught.value)


def test_masks_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="mask-size") as caught:
        read_mask(png(tmp_path / "large.png", np.ones((3, 3))), LABEL, MASK, 0)
    assert "3 × 2" in str(caught.value)
    with pytest.raises(ModelError, match="unknown-codes") as caught:
        read_mask(png(tmp_path / "strange.png", MASK + 7 * (MASK == 2)), LABEL, MASK, 0)
    assert "9" in str(caught.value)
    assert "5 trees, 0 unknown" in str(caught.value)


def test_what_is_no_mask_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "text.tif").write_text("no picture")
    files = [tmp_path / name for name in ("text.png", "text.tif", "none.png", "none.tif")]
    for path in [*files, tmp_path, png(tmp_path / "colours.png", np.zeros((2, 3, 3)))]:
        with pytest.raises(ModelError, match="not-a-mask"):
            read_mask(path, LABEL, MASK, 0)
