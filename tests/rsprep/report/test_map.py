"""The map: every chip where it lies, and one piece across 180°."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsprep.report import map as chip_map
from rsprep.report.colours import QUARANTINED, REJECTED
from rsprep.report.map import draw_map, widest_gap_end
from tests.rsprep.report.samples import chip_table


def chip_x(text: str) -> np.ndarray:
    """x of every corner of every chip drawn."""
    paths = re.findall(r'<path d="(M[^"]+z)"', text)
    return np.array([float(x) for path in paths for x in re.findall(r"[ML](-?[\d.]+) ", path)])


def test_antimeridian_map_is_one_piece() -> None:
    """A row of 12 chips over 180° is drawn exactly as wide as the same row elsewhere."""
    here = draw_map(chip_table(lon=15.0, lat=0.0), ())
    there = draw_map(chip_table(lon=179.85, lat=0.0), ())
    np.testing.assert_allclose(chip_x(there), chip_x(here), atol=0.11)
    assert "179.9°E" in there
    assert "179.9°W" in there


def test_chip_whose_corners_straddle_180_is_not_torn() -> None:
    table = chip_table(1, lon=180.0)
    assert np.ptp(table.corners[0, :, 0]) > 300, "the sample must straddle"
    np.testing.assert_allclose(chip_x(draw_map(table, ())), chip_x(draw_map(chip_table(1, lon=15.0), ())), atol=0.11)


def test_the_cut_of_the_aoi_at_180_is_not_drawn() -> None:
    west = np.array([[179.7, -16.4], [180, -16.4], [180, -16.8], [179.7, -16.8], [179.7, -16.4]])
    east = np.array([[-180, -16.4], [-179.6, -16.4], [-179.6, -16.8], [-180, -16.8], [-180, -16.4]])
    text = draw_map(None, (west, east))
    outlines = re.findall(r'd="([^"]+)" class="aoi"', text)
    assert [path.count("M") for path in outlines] == [2, 2]
    assert [path.count("L") for path in outlines] == [3, 3]
    # The two halves meet: the largest x of the west is the smallest of the east.
    xs = [[float(x) for x in re.findall(r"[ML](-?[\d.]+) ", path)] for path in outlines]
    assert max(xs[0]) == pytest.approx(min(xs[1]), abs=0.11)


def test_aoi_wider_than_half_the_earth_keeps_its_shape() -> None:
    ring = np.array([[-150.0, 10], [150, 10], [150, 50], [-150, 50], [-150, 10]])
    text = draw_map(None, (ring,))
    xs = [float(x) for x in re.findall(r"[ML](-?[\d.]+) ", re.findall(r'd="([^"]+)" class="aoi"', text)[0])]
    assert max(xs) - min(xs) > 500


@given(st.lists(st.tuples(st.floats(-180, 180), st.floats(0, 40)), min_size=1, max_size=12))
def test_map_begins_where_nothing_lies(spans: list[tuple[float, float]]) -> None:
    """No interval is cut by the beginning of the map, unless the whole circle is covered."""
    start = widest_gap_end([(west, west + width) for west, width in spans])
    assert -180 <= start < 180
    covered = np.zeros(3600, dtype=bool)
    for west, width in spans:
        steps = np.arange(np.floor(west * 10), np.ceil((west + width) * 10) + 1).astype(int) % 3600
        covered[steps] = True
    if not covered.all():
        before = [(start - 1e-6 - west) % 360.0 < width for west, width in spans if width > 1e-5]
        assert not any(before)


def test_states_have_their_own_looks() -> None:
    text = draw_map(chip_table(), ())
    assert f'fill="none" stroke="{REJECTED}"' in text
    assert f'fill="{QUARANTINED}"' in text
    assert "33N-0001-0006: quarantined, read/timeout" in text


def test_many_chips_stay_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the limits the chips become one path a colour, then one picture."""
    monkeypatch.setattr(chip_map, "NAMED_CHIPS", 20)
    monkeypatch.setattr(chip_map, "DRAWN_CHIPS", 100)
    merged = draw_map(chip_table(60, step=0.01), ())
    assert 'pointer-events="all"><path d="M' in merged
    assert "<title>" not in merged
    assert len(chip_x(merged)) == 60 * 4
    picture = draw_map(chip_table(200, step=0.01), ())
    assert "data:image/png" in picture
    assert len(chip_x(picture)) == 0


def test_twenty_thousand_chips() -> None:
    text = draw_map(chip_table(20_000, lon=-20.0, step=0.002), ())
    assert len(text) < 500_000


def test_tiny_chips_remain_visible() -> None:
    far = np.array([[0.0, 0.0], [60.0, 0.0], [60.0, 40.0], [0.0, 0.0]])
    xs = chip_x(draw_map(chip_table(1, lon=30.0, lat=20.0), (far,)))
    assert np.ptp(xs) >= chip_map.LEAST_PX - 0.11


def test_scale_bar_is_true_at_the_equator() -> None:
    """Bar length in drawing units × kilometres a unit equals what the bar says."""
    table = chip_table(11, lon=0.0, lat=0.0, step=0.1)
    text = draw_map(table, ())
    bar = float(re.findall(r'd="M[\d.]+ [\d.]+v4h([\d.]+)v-4"', text)[0])
    said = float(re.findall(r">([\d,]+) km<", text)[0].replace(",", ""))
    km_per_unit = 1.1 * 111.32 / np.ptp(chip_x(text))
    assert bar * km_per_unit == pytest.approx(said, rel=0.01)


def test_nothing_to_map() -> None:
    assert "nothing to map" in draw_map(None, ())
