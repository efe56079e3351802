"""A mask lies on an image's grid, or holds whole pixels of it; any other is refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from affine import Affine

from rsmodels.errors import ModelError
from rsmodels.filling.grids import Grid, nesting

UTM = "EPSG:32633"


def grid(
    shape: tuple[int, int] = (40, 60),
    *,
    corner: tuple[float, float] | None = (500_000.0, 5_300_000.0),
    pixel: float = 10.0,
    crs: str | None = UTM,
) -> Grid:
    transform = None if corner is None else Affine(pixel, 0, corner[0], 0, -pixel, corner[1])
    return Grid(path=Path("x.tif"), shape=shape, crs=crs, transform=transform)


def test_the_same_grid() -> None:
    found = nesting(grid(), grid())
    box = slice(3, 9), slice(50, 60)
    assert found.window(box) == box
    mask = np.arange(60).reshape(6, 10)
    assert np.array_equal(found.spread(mask, box), mask)


def test_a_mask_of_coarser_pixels_that_begins_within_one() -> None:
    """As the scene classification of Sentinel-2 lies over a clip of the 10 m bands."""
    mask = grid((21, 31), corner=(500_000.0 - 10, 5_300_000.0 + 10), pixel=20.0)
    found = nesting(grid(), mask)
    codes = np.arange(21 * 31).reshape(21, 31)
    whole = found.spread(codes[found.window((slice(0, 40), slice(0, 60)))], (slice(0, 40), slice(0, 60)))
    rows, columns = (np.arange(40) + 1) // 2, (np.arange(60) + 1) // 2
    assert np.array_equal(whole, codes[rows][:, columns])
    box = slice(7, 12), slice(13, 14)
    assert np.array_equal(found.spread(codes[found.window(box)], box), whole[box])


def test_a_mask_without_a_place_fits_by_its_size() -> None:
    assert nesting(grid(), grid(corner=None, crs=None)).times == 1
    with pytest.raises(ModelError, match=r"model/mask-grid.*another size"):
        nesting(grid(corner=None), grid((40, 61), corner=None))


@pytest.mark.parametrize(
    ("mask", "why"),
    [
        (grid(crs="EPSG:32632"), "another CRS"),
        (grid(corner=(500_004.0, 5_300_000.0)), "part of a pixel"),
        (grid(pixel=15.0), "do not hold whole pixels"),
        (grid(pixel=5.0), "do not hold whole pixels"),
        (grid((39, 60)), "does not cover"),
        (grid(corner=(500_010.0, 5_300_000.0)), "does not cover"),
        (grid((19, 30), pixel=20.0), "does not cover"),
    ],
)
def test_any_other_grid_is_refused(mask: Grid, why: str) -> None:
    with pytest.raises(ModelError, match=f"model/mask-grid.*{why}") as error:
        nesting(grid(), mask)
    assert "gdalwarp" in error.value.remedy
