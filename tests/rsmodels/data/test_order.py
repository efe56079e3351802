"""The order of chips: every chip once an epoch, ratios kept, shuffled and yet shard-friendly."""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsmodels.data.order import Part, Stream
from rsmodels.errors import ModelError


def part(source: int, count: int, per_shard: int = 4, gap: int = 1) -> Part:
    return Part(source=source, slots=np.arange(count) * gap, per_shard=per_shard)


def stream(counts: Sequence[int], ratio: Sequence[float] | None = None, seed: int = 0, **more: int) -> Stream:
    return Stream([part(number, count) for number, count in enumerate(counts)], ratio, seed, **more)


@given(count=st.integers(1, 90), seed=st.integers(0, 9), epoch=st.integers(0, 5), window=st.integers(1, 30))
def test_every_chip_comes_once_an_epoch(count: int, seed: int, epoch: int, window: int) -> None:
    one = stream([count], seed=seed, window=window)
    assert one.epoch_length == count
    keys = one.keys(epoch * count, count)
    assert sorted(key.slot for key in keys) == list(range(count))
    assert {key.source for key in keys} == {0}


@given(
    counts=st.lists(st.integers(1, 40), min_size=1, max_size=4),
    shares=st.lists(st.integers(1, 7), min_size=4, max_size=4),
    first=st.integers(0, 500),
    length=st.integers(1, 60),
)
def test_any_stretch_holds_its_shares(counts: list[int], shares: list[int], first: int, length: int) -> None:
    ratio = shares[: len(counts)]
    mix = stream(counts, ratio)
    found = Counter(key.source for key in mix.keys(first, length))
    for number, share in enumerate(ratio):
        assert abs(found[number] - length * share / sum(ratio)) < 2


@given(counts=st.lists(st.integers(1, 40), min_size=2, max_size=3), at=st.integers(0, 300), seed=st.integers(0, 5))
def test_a_position_tells_all(counts: list[int], at: int, seed: int) -> None:
    whole = stream(counts, seed=seed).keys(0, at + 30)
    assert stream(counts, seed=seed).keys(at, 30) == whole[at:]
    revisited = stream(counts, seed=seed)
    revisited.keys(10_000, 5)
    assert revisited.keys(at, 30) == whole[at:]


@given(counts=st.tuples(st.integers(1, 30), st.integers(1, 30)), ratio=st.tuples(st.integers(1, 5), st.integers(1, 5)))
def test_an_epoch_of_a_mix_is_a_pass_over_its_first_part(counts: tuple[int, int], ratio: tuple[int, int]) -> None:
    mix = stream(counts, ratio)
    keys = mix.keys(0, mix.epoch_length)
    assert sorted(key.slot for key in keys if key.source == 0) == list(range(counts[0]))
    assert keys[-1].source == 0 or counts[0] % mix.shares[0] == 0
    # The other part goes round as often as its share asks for, every chip as often as any other.
    times = Counter(key.slot for key in keys if key.source == 1)
    seen = [times[slot] for slot in range(counts[1])]
    assert max(seen) - min(seen) <= 1


def test_epochs_seeds_and_parts_differ() -> None:
    one = stream([200])
    first, second = (one.keys(epoch * 200, 200) for epoch in (0, 1))
    assert first != second
    assert stream([200], seed=1).keys(0, 200) != first
    mix = stream([200, 200]).keys(0, 400)
    assert [key.slot for key in mix if key.source == 0] != [key.slot for key in mix if key.source == 1]


def test_it_is_shuffled_well_and_friendly_to_shards() -> None:
    """Neighbours in the stream come from far shards of a window, and a window touches no other shard."""
    count, per_shard, window = 6400, 64, 16
    one = Stream([part(0, count, per_shard)], seed=3, window=window)
    slots = np.array([key.slot for key in one.keys(0, count)])
    shards = slots // per_shard
    for first in range(0, count, per_shard * window):
        assert len(np.unique(shards[first : first + per_shard * window])) <= window
    # Two random ones of 100 shards are 33 apart.
    assert np.abs(np.diff(shards)).mean() > 0.8 * 100 / 3
    assert (np.diff(shards) == 0).mean() < 2 / window
    # Where a chip lies says little about when it comes.
    assert abs(np.corrcoef(np.arange(count), slots)[0, 1]) < 0.2


def test_shards_with_gaps_count_as_shards() -> None:
    one = Stream([Part(source=0, slots=np.array([1, 2, 9, 40, 41, 42]), per_shard=4)], window=1)
    shards = [key.slot // 4 for key in one.keys(0, 6)]
    assert sorted(shards) == [0, 0, 2, 10, 10, 10]
    assert sum(np.diff(shards) != 0) == 2


def test_a_stream_travels() -> None:
    one = stream([20, 10], (2, 1))
    one.keys(0, 40)
    assert pickle.loads(pickle.dumps(one)).keys(7, 40) == one.keys(7, 40)  # noqa: S301


@pytest.mark.parametrize("ratio", [(1,), (1, 0), (1, -1), (1, float("inf")), (1, float("nan")), (1, 1e-9)])
def test_shares_must_be_shares(ratio: tuple[float, ...]) -> None:
    with pytest.raises(ModelError, match="model/ratio"):
        stream([4, 4], ratio)


def test_fractions_are_shares_too() -> None:
    assert stream([4, 4], (0.5, 0.25)).shares == (2, 1)
    assert stream([4, 4], (4, 2)).shares == (2, 1)


def test_a_part_without_chips_is_refused() -> None:
    with pytest.raises(ModelError, match="model/no-chips"):
        stream([4, 0])
