from __future__ import annotations

import numpy as np
import pytest

from rsprep.reading import Layer
from tests.rsprep.reading.rasters import utm

GRID = utm(500_000, 5_000_000, (2, 3))


def test_a_band_is_found_by_name() -> None:
    values = np.arange(12, dtype=np.uint16).reshape(2, 2, 3)
    layer = Layer(values=values, valid=np.array([[True, False, True]] * 2), bands=("B02", "B03"), grid=GRID)
    assert layer.band("B03").tolist() == values[1].tolist()
    assert layer.valid_fraction == pytest.approx(4 / 6)
    with pytest.raises(KeyError, match="B11"):
        layer.band("B11")


@pytest.mark.parametrize(
    ("values", "valid", "bands"),
    [
        (np.zeros((2, 3, 2)), np.ones((2, 3), bool), ("a", "b")),
        (np.zeros((2, 2, 3)), np.ones((3, 2), bool), ("a", "b")),
        (np.zeros((2, 2, 3)), np.ones((2, 3), np.uint8), ("a", "b")),
        (np.zeros((2, 2, 3)), np.ones((2, 3), bool), ("a", "a")),
        (np.zeros((2, 2, 3)), np.ones((2, 3), bool), ("a",)),
    ],
)
def test_what_does_not_fit_together_is_refused(values: np.ndarray, valid: np.ndarray, bands: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="layer"):
        Layer(values=values, valid=valid, bands=bands, grid=GRID)
