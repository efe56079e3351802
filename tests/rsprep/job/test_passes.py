"""One pass from granules that overlap, on files that a test makes itself."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from odc.geo.geobox import GeoBox

from rsprep.granule import Granule
from rsprep.job.passes import Blank, Observation, Pass, lay
from rsprep.job.reader import Reader
from rsprep.reading import BandSpec, Layer
from rsprep.reading.files import FileAccess
from rsprep.reading.mosaic import Box
from tests.rsprep.reading.rasters import LAND, WHOLE, beside, granule, quarters, utm, write

SPEC = BandSpec(dtype="uint16", nodata=0)
BANDS = ("B02", "B05")


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as executor:
        yield executor


def reader_of(block: GeoBox, pool: ThreadPoolExecutor) -> Reader:
    return Reader(block=block, accesses={"planted": FileAccess()}, pool=pool)


def laid(reader: Reader, granules: list[Granule], bands: tuple[str, ...] = BANDS, box: Box | None = None) -> Pass:
    def observe(one: Granule, part: Box) -> Observation | None:
        layer = reader.layer(one, bands, SPEC, part)
        return None if layer is None else Observation(values=layer.values, valid=layer.valid)

    return lay(granules, box or reader.everything, Blank(bands=len(bands), dtype="uint16", nodata=0), reader, observe)


@pytest.mark.parametrize("target", [utm(700_100, 5_399_900, (370, 370)), beside(WHOLE, 32633, (300, 300))])
def test_reading_only_what_is_missing_changes_no_pixel(
    tmp_path: Path, pool: ThreadPoolExecutor, target: GeoBox
) -> None:
    """The reference reads every granule whole and lays them on one another with plain numpy."""
    granules = quarters(tmp_path)
    reader = reader_of(target, pool)
    found = laid(reader, granules)
    expected, valid = np.zeros_like(found.values), np.zeros_like(found.observed)
    for one in granules:
        layer = reader.layer(one, BANDS, SPEC, reader.everything)
        assert isinstance(layer, Layer)
        expected = np.where(layer.valid & ~valid, layer.values, expected)
        valid |= layer.valid
    np.testing.assert_array_equal(found.observed, valid)
    np.testing.assert_array_equal(found.values, expected)
    assert [one.id for one, _ in found.origins] == ["g0", "g1", "g2", "g3"]
    assert (sum(mask.astype(int) for _, mask in found.origins) == valid).all()
    assert valid.mean() > 0.9


def test_a_box_has_the_pixels_of_the_whole_block(tmp_path: Path, pool: ThreadPoolExecutor) -> None:
    """No pixel may depend on what else is read: a block that is built again in part must give the same chips."""
    granules = quarters(tmp_path)
    block = lattice_block()
    reader = reader_of(block, pool)
    whole = laid(reader, granules)
    for box in ((slice(64, 192), slice(128, 256)), (slice(0, 64), slice(0, 320))):
        for part in (laid(reader, granules, box=box), laid(reader_of(block[box], pool), granules)):
            np.testing.assert_array_equal(part.values, whole.values[:, *box])
            np.testing.assert_array_equal(part.observed, whole.observed[box])
    assert whole.observed.mean() > 0.7


def test_a_box_beside_the_nodes_differs_by_the_rounding_of_ties_alone(tmp_path: Path, pool: ThreadPoolExecutor) -> None:
    """Chips of 50 px do not begin on nodes: the same positions, another start to count from."""
    granules = quarters(tmp_path)
    reader = reader_of(lattice_block(), pool)
    box = (slice(50, 150), slice(100, 300))
    whole, part = laid(reader, granules).values[:, *box], laid(reader, granules, box=box).values
    difference = np.abs(part.astype(int) - whole)
    assert difference.max() <= 1
    assert difference.mean() < 1e-3


def lattice_block() -> GeoBox:
    """A block in the neighbouring zone that begins on nodes, as all blocks of chips of 64 px do."""
    grid = beside(WHOLE, 32633, (320, 320))
    return utm(round(grid.affine.c / 640) * 640, round(grid.affine.f / 640) * 640, (320, 320), epsg=32633)


def test_what_earlier_granules_fill_is_not_read_again(tmp_path: Path, pool: ThreadPoolExecutor) -> None:
    granules = quarters(tmp_path)
    (tmp_path / "1-B02.tif").unlink()
    reader = reader_of(utm(700_600, 5_399_400, (100, 100)), pool)
    found = laid(reader, granules, ("B02",))
    assert [one.id for one, _ in found.origins] == ["g0"]
    assert reader.failures == []


def test_only_the_cells_around_a_gap_are_read(tmp_path: Path, pool: ThreadPoolExecutor) -> None:
    granules = quarters(tmp_path)
    reader = reader_of(utm(700_600, 5_399_400, (100, 200)), pool)
    parts = []

    def observe(one: Granule, part: Box) -> Observation | None:
        layer = reader.layer(one, ("B02",), SPEC, part)
        parts.append(part)
        return None if layer is None else Observation(values=layer.values, valid=layer.valid)

    lay(granules, reader.everything, Blank(bands=1, dtype="uint16", nodata=0), reader, observe)
    # g0 ends at column 160; nodes lie 64 px apart on the lattice through the CRS origin: 70,060 = 1,094 × 64 + 44.
    assert parts == [(slice(0, 100), slice(0, 200)), (slice(0, 100), slice(148, 200))]


def test_a_mosaic_has_no_seam(tmp_path: Path, pool: ThreadPoolExecutor) -> None:
    """Pitfall 15: granules of one day give one image, pixel for pixel."""
    found = laid(reader_of(WHOLE, pool), quarters(tmp_path), ("B02",))
    np.testing.assert_array_equal(found.values[0][found.observed], LAND[found.observed])
    assert (~found.observed).sum() == sum(range(1, 41))


def test_one_broken_source_of_four_is_counted(tmp_path: Path, pool: ThreadPoolExecutor) -> None:
    """Pitfall 4: it is named with the part of the block that it would have filled, and the rest stays."""
    granules = quarters(tmp_path)
    path = tmp_path / "3-B05.tif"
    path.write_bytes(path.read_bytes()[:3000])
    reader = reader_of(WHOLE, pool)
    found = laid(reader, granules)
    (failure,) = reader.failures
    assert failure.granule_id == "g3"
    assert "read/undecodable" in failure.reason
    assert failure.box[0].stop == failure.box[1].stop == 400
    # Not before what the other three left empty, nor before the granule itself begins.
    assert 110 <= failure.box[0].start <= 180
    assert 110 <= failure.box[1].start <= 180
    assert not found.observed[failure.box].all()
    assert found.observed[:180, 40:180].all()


def test_all_bands_of_a_pixel_come_from_one_granule(tmp_path: Path, pool: ThreadPoolExecutor) -> None:
    """A pixel that one band lacks comes from the next granule in all bands."""
    grid = utm(700_000, 5_400_000, (60, 60))
    first, second = np.full((60, 60), 100, np.uint16), np.full((60, 60), 200, np.uint16)
    holed = first.copy()
    holed[20:30, 20:30] = 0
    granules = [
        granule(
            name,
            {"B02": write(tmp_path / f"{name}.tif", b02, grid), "B05": write(tmp_path / f"{name}5.tif", b05, grid)},
            grid,
        )
        for name, b02, b05 in (("a", first, holed), ("b", second, second))
    ]
    found = laid(reader_of(grid, pool), granules)
    np.testing.assert_array_equal(found.values[0], found.values[1])
    np.testing.assert_array_equal(found.values[0] == 200, holed == 0)
