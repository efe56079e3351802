from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from rsprep.store.slots import READ_THROUGH, CommittedSlots

WHOLE = np.arange(64 * 2 * 3 * 3, dtype=np.int16).reshape(64, 2, 3, 3)


@pytest.fixture(scope="module")
def array(tmp_path_factory: pytest.TempPathFactory) -> zarr.Array:
    path = tmp_path_factory.mktemp("slots") / "a.zarr"
    array = zarr.create_array(path, shape=WHOLE.shape, chunks=(1, 2, 3, 3), shards=(16, 2, 3, 3), dtype="int16")
    array[:] = WHOLE
    return array


SIDES = st.builds(slice, st.integers(0, 64), st.integers(0, 64), st.sampled_from([None, 1, 3]))


@settings(deadline=None, max_examples=60)
@given(
    slots=st.sets(st.integers(0, 63)).map(sorted), chips=SIDES, bands=st.slices(2).filter(lambda s: (s.step or 1) > 0)
)
def test_it_is_the_array_of_those_slots(array: zarr.Array, slots: list[int], chips: slice, bands: slice) -> None:
    chosen = np.array(slots, np.int64)
    found = CommittedSlots(array, chosen)
    np.testing.assert_array_equal(found[chips], WHOLE[chosen][chips])
    np.testing.assert_array_equal(found[chips, bands], WHOLE[chosen][chips, bands])


@pytest.mark.parametrize("key", [[2, 0, 2], np.array([1]), slice(None, None, -1), (slice(None), [1, 0])])
def test_lists_and_any_order(array: zarr.Array, key: object) -> None:
    chosen = np.array([3, 9, 40])
    np.testing.assert_array_equal(CommittedSlots(array, chosen)[key], WHOLE[chosen][key])  # type: ignore[index]


def test_a_single_slot_and_a_pixel(array: zarr.Array) -> None:
    found = CommittedSlots(array, np.array([3, 40]))
    np.testing.assert_array_equal(found[1], WHOLE[40])
    assert found[1, 0, 2, 1] == WHOLE[40, 0, 2, 1]


def test_neighbours_are_read_in_one_piece(tmp_path: Path, array: zarr.Array, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = []
    plain = zarr.Array.__getitem__

    def counting(self: zarr.Array, key: object) -> object:
        reads.append(key)
        return plain(self, key)  # type: ignore[arg-type]

    monkeypatch.setattr(zarr.Array, "__getitem__", counting)
    gap = 20 + READ_THROUGH
    slots = np.array([*range(10), 11, 12, *range(13 + gap, 13 + gap + 5)])
    np.testing.assert_array_equal(CommittedSlots(array, slots)[:], WHOLE[slots])
    assert len(reads) == 2
