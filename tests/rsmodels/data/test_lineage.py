"""What was seen is written down whole, and nothing that is held out is seen unnoticed."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pyproj import Transformer

from rsmodels.data.lineage import FILE_NAME, Seen, check_training_mix, refuse_leaks, seen_by
from rsmodels.data.source import ChipIndex, ChipSource
from rsmodels.errors import ModelError
from rsprep.store.schema import Schema

SIDE = 1280.0
ZONE = 32633


@dataclass(frozen=True, kw_only=True, eq=False)
class Set(ChipSource):
    """A data set without a store."""

    parent_digest: NDArray[Any] = field(default_factory=lambda: np.zeros(0, str))

    def column(self, name: str) -> NDArray[Any]:
        assert name == "parent_digest"
        return self.parent_digest


def placed(
    name: str,
    places: list[tuple[float, float]],
    splits: list[str],
    *,
    epsg: int = ZONE,
    side: float = SIDE,
    synthetic: bool = False,
) -> Set:
    """Chips with their upper-left corners at `places`, in metres."""
    count = len(places)
    x, y = np.array(places, np.float64).reshape(count, 2).T
    chips = ChipIndex(
        slot=np.arange(count),
        chip_id=np.array([f"{name}-{i}" for i in range(count)]),
        split=np.array(splits),
        digest=np.array([f"{name}{i:x}".encode().hex() for i in range(count)]),
        epsg=np.full(count, epsg, np.int32),
        x_origin=x,
        y_origin=y,
        side=side,
        synthetic=np.full(count, synthetic),
    )
    schema = Schema(variables=(), chip_px=128, resolution=10.0, slots_per_shard=4)
    return Set(path=Path(name, "chips.zarr"), schema=schema, identity=f"identity-of-{name}", chips=chips)


def as_synthetic(folder: Path, parents: list[str], seen: Seen, split: str = "train") -> Set:
    """A synthetic data set, a chip a parent, with what its generator and its parents are."""
    folder.mkdir()
    seen.write(folder / FILE_NAME)
    count = len(parents)
    made = placed(folder.name, [(np.nan, np.nan)] * count, [split] * count, epsg=0, synthetic=True)
    return replace(made, path=folder / "chips.zarr", parent_digest=np.array(parents))


REAL = placed("real", [(0, 0), (SIDE, 0), (9e4, 0), (9e4, 9e4)], ["train", "train", "val", "test"])


def test_a_data_set_that_is_split_by_ground_passes() -> None:
    refuse_leaks(seen_by([REAL]), REAL)


def test_chips_that_touch_share_no_ground() -> None:
    ring = [(x * SIDE, y * SIDE) for x in (-1, 0, 1) for y in (-1, 0, 1)]
    splits = ["test" if place == (0, 0) else "train" for place in ring]
    touching = placed("ring", ring, splits)
    refuse_leaks(seen_by([touching]), touching)
    nudged = placed("nudged", [(SIDE - 1, 0)], ["train"])
    with pytest.raises(
        ModelError, match=r"saw-held-out.*1 chip\(s\) that share ground with val and test chips of ring"
    ):
        refuse_leaks(seen_by([nudged]), touching)


@given(
    west=st.floats(-3 * SIDE, 3 * SIDE),
    north=st.floats(-3 * SIDE, 3 * SIDE),
    side=st.sampled_from([10.0, 640.0, SIDE, 5000.0]),
)
def test_ground_is_shared_when_squares_overlap(west: float, north: float, side: float) -> None:
    judge = placed("judge", [(0, 0)], ["test"])
    seen = seen_by([placed("other", [(west, north)], ["train"], side=side)])
    across, down = min(west + side, SIDE) - max(west, 0), min(north, 0) - max(north - side, -SIDE)
    if abs(across) < 2e-3 or abs(down) < 2e-3:
        return  # a millimetre either way is no overlap
    if min(across, down) > 0:
        with pytest.raises(ModelError, match="share ground"):
            refuse_leaks(seen, judge)
    else:
        refuse_leaks(seen, judge)


def test_ground_is_shared_across_zones() -> None:
    judge = placed("judge", [(700_000, 5_300_000)], ["test"])
    x, y = Transformer.from_crs(ZONE, 32634, always_xy=True).transform(700_000, 5_300_000)
    for shift, leaks in ((0, True), (SIDE - 60, True), (2 * SIDE, False), (4e5, False)):
        seen = seen_by([placed("neighbour", [(x + shift, y)], ["train"], epsg=32634)])
        if leaks:
            with pytest.raises(ModelError, match="share ground"):
                refuse_leaks(seen, judge)
        else:
            refuse_leaks(seen, judge)
    far = seen_by([placed("far", [(500_000, 5_300_000)], ["train"], epsg=32601)])
    refuse_leaks(far, judge)


def test_equal_pixels_are_seen_wherever_they_lie() -> None:
    pictures = placed("pictures", [(np.nan, np.nan)] * 2, ["train", "test"], epsg=0)
    refuse_leaks(seen_by([pictures]), pictures)
    copied = placed("copied", [(np.nan, np.nan)], ["train"], epsg=0)
    copied = replace(copied, chips=replace(copied.chips, digest=pictures.chips.digest[1:]))
    with pytest.raises(ModelError, match=r"1 chip\(s\) that are val and test chips of pictures"):
        refuse_leaks(seen_by([copied]), pictures)
    refuse_leaks(seen_by([copied]), pictures, splits=["val"])


def test_a_picture_is_known_by_its_name_within_its_data_set() -> None:
    pictures = placed("pictures", [(np.nan, np.nan)] * 2, ["train", "test"], epsg=0)
    seen = {"digest": ["00"], "chip_id": ["pictures-1"], "epsg": [0], "x_origin": [0], "y_origin": [0]}
    with pytest.raises(ModelError, match="saw-held-out"):
        refuse_leaks(Seen.of(**seen, side=1.0, dataset=pictures.identity, split="train"), pictures)
    refuse_leaks(Seen.of(**seen, side=1.0, dataset="another", split="train"), pictures)


def test_what_was_seen_is_written_and_read_as_it_was(tmp_path: Path) -> None:
    pictures = placed("pictures", [(np.nan, np.nan)] * 3, ["train"] * 3, epsg=0)
    seen = seen_by([REAL, pictures, REAL])
    assert len(seen) == 5
    seen.write(tmp_path / "a.parquet")
    back = Seen.read(tmp_path / "a.parquet")
    for name in vars(seen):
        np.testing.assert_array_equal(getattr(back, name), getattr(seen, name))
    seen_by([pictures]).merge(seen_by([REAL])).write(tmp_path / "b.parquet")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["a.parquet", "b.parquet"]
    assert len(Seen.nothing().merge(seen)) == 5


def test_nothing_is_seen_and_read_back(tmp_path: Path) -> None:
    Seen.nothing().write(tmp_path / "none.parquet")
    assert len(Seen.read(tmp_path / "none.parquet")) == 0
    refuse_leaks(Seen.nothing(), REAL)
    assert len(seen_by([REAL], "nosplit")) == 0
    refuse_leaks(seen_by([REAL]), REAL, splits=["nosplit"])


@pytest.mark.parametrize("wrong", ["absent", "text", "other"])
def test_a_list_that_cannot_be_read_is_an_error(tmp_path: Path, wrong: str) -> None:
    path = tmp_path / "seen.parquet"
    if wrong == "text":
        path.write_text("seen")
    if wrong == "other":
        pq.write_table(pa.table({"digest": ["a"]}), path)
    with pytest.raises(ModelError, match="no-lineage"):
        Seen.read(path)


def test_synthetic_chips_bring_along_what_is_behind_them(tmp_path: Path) -> None:
    parent = str(REAL.chips.digest[0])
    made = as_synthetic(tmp_path / "made", [parent, parent], seen_by([REAL]))
    seen = seen_by([made])
    assert sorted(seen.dataset.astype(str).tolist()) == [made.identity] * 2 + [REAL.identity] * 2
    check_training_mix([REAL, made], [REAL])
    grandchild = as_synthetic(tmp_path / "grand", [str(made.chips.digest[0])], seen)
    check_training_mix([grandchild], [REAL])
    assert len(seen_by([grandchild])) == 5


@pytest.mark.parametrize("leak", ["a parent", "the generator", "an ancestor"])
def test_synthetic_chips_from_held_out_ones_are_refused(tmp_path: Path, leak: str) -> None:
    train, test = (seen_by([REAL], split) for split in ("train", "test"))
    parent = str(REAL.chips.digest[3 if leak == "a parent" else 0])
    made = as_synthetic(tmp_path / "made", [parent], train.merge(test))
    if leak == "an ancestor":
        made = as_synthetic(tmp_path / "again", [str(made.chips.digest[0])], seen_by([made]))
    with pytest.raises(ModelError, match="saw-held-out"):
        check_training_mix([REAL, made], [REAL])
    check_training_mix([REAL, made], [])


def test_a_parent_that_the_list_leaves_out_is_an_error(tmp_path: Path) -> None:
    made = as_synthetic(tmp_path / "made", [str(REAL.chips.digest[3])], seen_by([REAL]))
    with pytest.raises(ModelError, match=r"no-lineage.*parents of 1 synthetic"):
        check_training_mix([made], [REAL])
    (tmp_path / "made" / FILE_NAME).unlink()
    with pytest.raises(ModelError, match="no-lineage"):
        seen_by([made])


def test_synthetic_chips_judge_nothing(tmp_path: Path) -> None:
    made = as_synthetic(tmp_path / "made", [str(REAL.chips.digest[0])], seen_by([REAL]), split="test")
    for sources, judges in (([made], [REAL]), ([REAL], [made])):
        with pytest.raises(ModelError, match="synthetic-held-out"):
            check_training_mix(sources, judges)


def test_many_chips_are_checked_quickly() -> None:
    count = 400
    across, down = (values.ravel() for values in np.meshgrid(np.arange(count), np.arange(count)))
    places = np.stack([across * SIDE, down * SIDE], axis=1).tolist()
    splits = np.where(across % 4 == 3, "test", "train").tolist()
    large = placed("large", places, splits)
    began = time.perf_counter()
    refuse_leaks(seen_by([large]), large)
    assert time.perf_counter() - began < 20
