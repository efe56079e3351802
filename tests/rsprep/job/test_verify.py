from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import zarr

from rsprep.job.verify import verify
from rsprep.stac.catalog import write_catalog
from rsprep.store.strict import open_strict, read_slots
from rsprep.store.write import shard_file, write_shard
from tests.rsprep.store.fixtures import build_small, small_schema


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    build_small(tmp_path, excluded=(1,), failed=(2,))
    write_catalog(tmp_path)
    return tmp_path


def test_a_sound_data_set_passes(dataset: Path) -> None:
    report = verify(dataset)
    assert report.ok, report
    assert report.checked == 7
    assert (report.counts.planned, report.counts.rejected, report.counts.quarantined) == (12, 1, 4)


def test_a_flipped_byte_is_found_and_its_chip_is_named(dataset: Path) -> None:
    file = shard_file(dataset / "chips.zarr", small_schema(), "s2", 1)
    content = bytearray(file.read_bytes())
    content[3000] ^= 1  # within the first chip of the shard
    file.write_bytes(content)
    report = verify(dataset)
    assert [name for name, _ in report.lost] == ["33N-0000-0002"]
    assert not report.altered
    assert report.checked == 7


def test_pixels_that_were_changed_by_a_writer_are_found(dataset: Path) -> None:
    """Pitfall 2: a digest a chip; the shard itself is whole and its checksums fit."""
    schema, path = small_schema(), dataset / "chips.zarr"
    arrays = {name: read_slots(open_strict(path), name, 4, 4).copy() for name in schema.names}
    arrays["lulc"][2, 5, 5] = (arrays["lulc"][2, 5, 5] + 1) % 9
    write_shard(path, schema, 1, arrays)
    report = verify(dataset)
    assert report.altered == (("33N-0001-0002", "its pixels differ from what was committed"),)
    assert not report.lost


def test_pixels_in_a_slot_without_a_chip_are_found(dataset: Path) -> None:
    schema, path = small_schema(), dataset / "chips.zarr"
    arrays = {name: read_slots(open_strict(path), name, 0, 4).copy() for name in schema.names}
    arrays["lulc"][1, 0, 0] = 3
    write_shard(path, schema, 0, arrays)
    assert verify(dataset).altered == (("33N-0000-0001", "it is not committed, but its slot holds pixels"),)


def test_a_deleted_shard_is_found(dataset: Path) -> None:
    """Pitfall 2: verify names every chip that went with the file."""
    shard_file(dataset / "chips.zarr", small_schema(), "terrain", 1).unlink()
    report = verify(dataset)
    assert len(report.lost) == 4
    assert all("missing-shard" in reason for _, reason in report.lost)


def test_a_chip_that_is_there_twice_is_found(dataset: Path) -> None:
    names = zarr.open_group(dataset / "chips.zarr", mode="r+")["chip_id"]
    assert isinstance(names, zarr.Array)
    names[5] = "33N-0000-0002"
    report = verify(dataset)
    assert ("33N-0000-0002", "2 slots have this name") in report.duplicated
    assert ("33N-0000-0003", "chip_id differs from the journal") in report.altered


def test_ground_that_is_covered_twice_and_chips_off_the_lattice_are_found(dataset: Path) -> None:
    x = zarr.open_group(dataset / "chips.zarr", mode="r+")["x_origin"]
    assert isinstance(x, zarr.Array)
    values = np.asarray(x[:])
    values[5] = values[4]
    values[7] += 3.0
    x[:] = values
    report = verify(dataset)
    assert report.duplicated == (("33N-0000-0002", "2 chips cover the same ground"),)
    assert ("33N-0001-0003", "it is off the lattice of its zone") in report.altered


def test_rows_lost_from_index_and_journal_are_found(dataset: Path) -> None:
    path = dataset / "items.parquet"
    table = pq.read_table(path)
    pq.write_table(table.slice(1), path)
    assert verify(dataset).lost == (("33N-0000-0000", "the index lacks it"),)
    pq.write_table(table.take([0, 0, *range(1, table.num_rows)]), path)
    assert verify(dataset).duplicated == (("33N-0000-0000", "the index has it twice"),)
    path.write_bytes(b"PAR1 no more")
    assert verify(dataset).other[0][0] == "items.parquet"
    pq.write_table(table, path)
    with sqlite3.connect(dataset / "journal.sqlite") as journal:
        journal.execute("DELETE FROM chips WHERE slot = 4")
    journal.close()
    report = verify(dataset)
    assert ("journal", "12 chips were planned, 11 are accounted for") in report.other
    assert ("33N-0000-0002", "the index has it, but it is not committed") in report.altered


def test_stale_metadata_is_found(dataset: Path) -> None:
    """Pitfall 3: an array that was changed after the seal disagrees with the gathered metadata."""
    path = dataset / "chips.zarr"
    root = (path / "zarr.json").read_bytes()
    array = zarr.open_group(path, mode="r+", use_consolidated=False)["lulc"]
    array.update_attributes({"nodata": 0})
    (path / "zarr.json").write_bytes(root)
    assert ("store", "the consolidated metadata is stale") in verify(dataset).other


def test_an_unfinished_build_is_not_sound(tmp_path: Path) -> None:
    build_small(tmp_path)
    write_catalog(tmp_path)
    with sqlite3.connect(tmp_path / "journal.sqlite") as journal:
        journal.execute("UPDATE shards SET state = 'planned' WHERE shard_index = 2")
        journal.execute("UPDATE chips SET state = 'planned' WHERE shard_index = 2")
    journal.close()
    report = verify(tmp_path)
    assert report.other == (("journal", "the build is not finished: 4 chips are pending"),)
    assert report.checked == 8
