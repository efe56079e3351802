"""What a data set is to a trainer."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import rsprep
from rsmodels.data.source import ChipSource, check_alike, field
from rsmodels.errors import ModelError
from rsprep.errors import StoreError
from tests.rsmodels.conftest import BANDS, CLASSES, SIDE, build_tiny


def test_chips_are_those_of_the_store(tiny_dataset: Path) -> None:
    source = ChipSource.open(tiny_dataset)
    dataset = rsprep.open(tiny_dataset)
    items = pq.read_table(tiny_dataset / "items.parquet")
    assert source.name == "tiny"
    assert source.folder == tiny_dataset
    assert len(source.chips) == 27
    for name in ("chip_id", "split", "epsg", "x_origin", "y_origin", "synthetic"):
        np.testing.assert_array_equal(getattr(source.chips, name), dataset[name].to_numpy())
    assert source.chips.slot.tolist() == items.column("rsprep:slot").to_pylist()
    assert source.chips.digest.tolist() == items.column("rsprep:digest").to_pylist()
    assert source.chips.side == 10.0 * SIDE
    slots = {split: source.of_split(split).tolist() for split in ("train", "val", "test")}
    assert sorted(slot for some in slots.values() for slot in some) == source.chips.slot.tolist()
    assert all(slots.values())
    np.testing.assert_array_equal(source.column("lon"), dataset["lon"])


def test_a_choice_of_splits_keeps_the_identity(tiny_dataset: Path) -> None:
    source, train = ChipSource.open(tiny_dataset), ChipSource.open(tiny_dataset / "chips.zarr", splits=["train"])
    assert set(train.chips.split.tolist()) == {"train"}
    assert train.identity == source.identity
    assert len(train.column("valid_fraction")) == len(train.chips)


def test_fields_are_found_by_what_they_are(tiny_dataset: Path) -> None:
    source = ChipSource.open(tiny_dataset)
    image, label = field(source, "image"), field(source, "label")
    assert (image.kind, image.variable, image.bands) == ("optical", "s2", BANDS)
    assert (label.kind, label.variable, label.bands) == ("classes", "lulc", None)
    assert label.codes == tuple(range(CLASSES))
    assert label.classes[0] == "water"
    assert field(source, "radar").kind == "radar"
    assert field(source, "terrain").kind == "terrain"
    assert field(source, "clear", "s2_valid").kind == "mask"
    some = field(source, "image", bands=["B08", "B02"])
    assert source.layer(some).positions == (3, 0)
    assert source.layer(some).clear == "s2_valid"
    assert not source.layer(some).all_bands


@pytest.mark.parametrize(
    ("name", "variable", "bands", "slug"),
    [
        ("height", None, None, "no-such-field"),
        ("image", "planet", None, "no-such-field"),
        ("image", None, ["B99"], "no-such-band"),
        ("image", None, ["B02", "B02"], "no-such-band"),
        ("image", None, [], "no-such-band"),
        ("label", None, ["B02"], "no-such-band"),
        ("terrain", None, ["slope"], "terrain-bands"),
    ],
)
def test_what_is_not_there_is_named(
    tiny_dataset: Path, name: str, variable: str | None, bands: list[str] | None, slug: str
) -> None:
    with pytest.raises(ModelError, match=f"model/{slug}"):
        field(ChipSource.open(tiny_dataset), name, variable, bands)


def test_other_words_are_named(tiny_dataset: Path) -> None:
    source = ChipSource.open(tiny_dataset)
    with pytest.raises(ModelError, match="model/no-such-split"):
        source.of_split("validation")
    with pytest.raises(ModelError, match="model/no-such-split"):
        ChipSource.open(tiny_dataset, splits=["training"])
    with pytest.raises(ModelError, match="model/no-such-column"):
        source.column("colour")


def test_an_index_that_is_absent_or_of_another_store_is_refused(tiny_dataset: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(tiny_dataset, copy)
    other = build_tiny(tmp_path / "other", chips=8)
    shutil.copy(other / "items.parquet", copy / "items.parquet")
    with pytest.raises(StoreError, match="store/other-index"):
        ChipSource.open(copy)
    (copy / "items.parquet").unlink()
    with pytest.raises(StoreError, match="store/no-index"):
        ChipSource.open(copy)
    with pytest.raises(StoreError, match="store/not-found"):
        ChipSource.open(tmp_path / "nothing")
    assert ChipSource.open(other).identity != ChipSource.open(tiny_dataset).identity
    check_alike([ChipSource.open(other), ChipSource.open(tiny_dataset)], [field(ChipSource.open(other), "image")])
