"""A share of the train chips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rsmodels.data.source import ChipSource


def names(source: ChipSource, split: str) -> set[str]:
    return set(source.chips.chip_id[source.chips.split == split].tolist())


def test_shares_lie_within_one_another(tiny_dataset: Path) -> None:
    whole = ChipSource.open(tiny_dataset)
    before: set[str] = set()
    for share in (0.01, 0.25, 0.5, 1.0):
        source = ChipSource.open(tiny_dataset, share=share)
        found = names(source, "train")
        assert len(found) == int(np.ceil(share * len(names(whole, "train"))))
        assert before <= found <= names(whole, "train")
        assert [names(source, split) for split in ("val", "test")] == [names(whole, split) for split in ("val", "test")]
        assert source.identity == whole.identity
        before = found


def test_which_ones_does_not_follow_their_order(tiny_dataset: Path) -> None:
    whole, some = (ChipSource.open(tiny_dataset, share=share) for share in (1.0, 0.5))
    first = whole.of_split("train")[: len(some.of_split("train"))]
    assert not np.array_equal(some.of_split("train"), first)


@pytest.mark.parametrize("share", [0.25, 1.0])
def test_a_share_can_be_read(tiny_dataset: Path, share: float) -> None:
    source = ChipSource.open(tiny_dataset, share=share)
    assert len(source.column("lon")) == len(source.chips)
