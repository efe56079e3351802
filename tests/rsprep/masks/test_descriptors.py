"""Descriptors of shapes whose numbers are known: discs, squares, lines, ellipses, rings."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import ConvexHull

from rsprep.masks.descriptors import describe

SIZE = 256


def grid(angle: float = 0.0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coordinates around the centre, x along `angle` degrees counter-clockwise from the rows, y upwards from it."""
    y, x = (SIZE - 1) / 2 - np.mgrid[:SIZE, :SIZE][0], np.mgrid[:SIZE, :SIZE][1] - (SIZE - 1) / 2
    turn = math.radians(angle)
    return x * math.cos(turn) + y * math.sin(turn), y * math.cos(turn) - x * math.sin(turn)


@pytest.mark.parametrize("radius", [20, 60, 100])
def test_disc(radius: float) -> None:
    x, y = grid()
    disc = describe(x**2 + y**2 <= radius**2)
    assert disc.compactness == pytest.approx(1, abs=0.01)
    assert disc.perimeter == pytest.approx(2 * math.pi * radius, rel=0.01)
    assert disc.equivalent_diameter == pytest.approx(2 * radius, rel=0.01)
    assert disc.eccentricity == pytest.approx(0, abs=0.05)
    assert disc.extent == pytest.approx(math.pi / 4, rel=0.02)
    assert disc.solidity > 0.96
    assert disc.holes == 0


def test_square_on_average_over_directions() -> None:
    squares = []
    for angle in np.arange(0, 90, 3):
        x, y = grid(float(angle))
        squares.append(describe((abs(x) <= 50) & (abs(y) <= 50)))
    assert np.mean([square.compactness for square in squares]) == pytest.approx(math.pi / 4, rel=0.02)
    assert np.mean([square.perimeter for square in squares]) == pytest.approx(400, rel=0.01)
    assert squares[0].perimeter == pytest.approx(400, rel=0.06)
    assert min(square.solidity for square in squares) > 0.97
    assert squares[0].solidity == squares[0].extent == 1


def test_line() -> None:
    line = np.zeros((SIZE, SIZE), np.uint8)
    line[100, 20:220] = 1
    found = describe(line)
    assert found.eccentricity > 0.9999
    assert found.orientation == 0
    assert describe(line.T).orientation == 90
    assert found.compactness < 0.02
    assert found.extent == found.solidity == 1
    assert found.area_ratio == 200 / SIZE**2


@pytest.mark.parametrize("angle", [0, 30, 60, 90, -30, -75])
def test_ellipse(angle: float) -> None:
    x, y = grid(angle)
    found = describe((x / 90) ** 2 + (y / 30) ** 2 <= 1)
    assert found.eccentricity == pytest.approx(math.sqrt(1 - 1 / 9), abs=0.001)
    assert found.orientation == pytest.approx(angle, abs=0.2)


def test_holes_are_counted_and_lengthen_the_outline() -> None:
    x, y = grid()
    disc = x**2 + y**2 <= 80**2
    ring = disc & (x**2 + y**2 > 40**2)
    assert describe(ring).holes == 1
    assert describe(ring).perimeter == pytest.approx(2 * math.pi * 120, rel=0.01)
    ring[100, 200] = False
    assert describe(ring).holes == 2


@settings(max_examples=100, deadline=None)
@given(mask=arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=20)))
def test_any_mask(mask: NDArray[np.bool_]) -> None:
    if not mask.any():
        with pytest.raises(ValueError, match="no shape"):
            describe(mask)
        return
    found = describe(mask)
    rows, columns = np.nonzero(mask)
    corners = np.concatenate([np.stack([rows + dy, columns + dx], axis=1) for dy in (0, 1) for dx in (0, 1)])
    assert found.solidity == pytest.approx(mask.sum() / ConvexHull(corners).volume)
    # Holes are 4-connected gaps that do not reach beyond the mask.
    assert found.holes == ndimage.label(np.pad(~mask, 1, constant_values=True))[1] - 1
    assert 0 < found.extent <= 1
    assert 0 <= found.eccentricity < 1
    assert 0 < found.compactness <= 1
    turned = describe(np.rot90(mask))
    assert turned.perimeter == pytest.approx(found.perimeter)
    assert turned.eccentricity == pytest.approx(found.eccentricity, abs=1e-6)
