"""An edit keeps label, radar and terrain consistent, and touches nothing else."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rsmodels.data.raw import ChipFields
from rsmodels.data.source import ChipSource, field
from rsmodels.synth.edits import DEVIATIONS, SHARES, ClassFigures, class_figures, connected, exchange

Chip = dict[str, NDArray[Any]]


@pytest.fixture(scope="module")
def reader(tiny_dataset: Path) -> ChipFields:
    source = ChipSource.open(tiny_dataset)
    return ChipFields(source, [field(source, name) for name in ("landcover", "radar", "terrain")])


@pytest.fixture(scope="module")
def figures(reader: ChipFields) -> ClassFigures:
    return class_figures(reader, reader.source.of_split("train"), seed=0)


def chips_of(reader: ChipFields) -> list[Chip]:
    slots = reader.source.of_split("train").tolist()
    return [{name: values.copy() for name, values in reader.read(slot)[0].items()} for slot in slots]


def test_figures_are_those_of_the_train_chips(reader: ChipFields, figures: ClassFigures) -> None:
    chips = chips_of(reader)
    for code in (3, 4):
        radar = np.concatenate([chip["radar"][:, chip["landcover"] == code] for chip in chips], axis=1)
        slope = np.concatenate([chip["terrain"][1][chip["landcover"] == code] for chip in chips])
        assert figures.pixels[code] == radar.shape[1]
        np.testing.assert_allclose(figures.radar_mean[code], np.nanmean(radar, axis=1, dtype=np.float64), rtol=1e-6)
        np.testing.assert_allclose(figures.slope_mean[code], np.nanmean(slope, dtype=np.float64), rtol=1e-6)
        np.testing.assert_allclose(figures.slope_std[code], np.nanstd(slope, dtype=np.float64), rtol=1e-4)


def test_one_region_takes_another_class_and_its_radar_level(reader: ChipFields, figures: ClassFigures) -> None:
    edited = 0
    for chip in chips_of(reader):
        before = {name: values.copy() for name, values in chip.items()}
        after = exchange(chip, figures, seed=5)
        for name, values in before.items():
            np.testing.assert_array_equal(chip[name], values)
        if after is None:
            continue
        edited += 1
        changed = after["landcover"] != before["landcover"]
        (old,) = np.unique(before["landcover"][changed])
        (new,) = np.unique(after["landcover"][changed])
        assert old != 255
        assert SHARES[0] <= changed.mean() <= SHARES[1]
        row, column = np.argwhere(changed)[0]
        np.testing.assert_array_equal(changed, connected(before["landcover"] == old, row, column))
        step = (figures.radar_mean[new] - figures.radar_mean[old])[:, None, None]
        expected = np.where(changed, before["radar"] + step, before["radar"])
        np.testing.assert_allclose(after["radar"], expected, rtol=1e-5)
        np.testing.assert_array_equal(after["terrain"], before["terrain"])
        slope = np.nanmean(before["terrain"][1][changed])
        assert abs(slope - figures.slope_mean[new]) <= DEVIATIONS * figures.slope_std[new]
    assert edited > 10


def test_the_seed_decides(reader: ChipFields, figures: ClassFigures) -> None:
    chip = chips_of(reader)[0]
    made = [exchange(chip, figures, seed) for seed in (1, 1, 2, 3, 4)]
    labels = [one["landcover"].tobytes() for one in made if one is not None]
    assert labels[0] == labels[1]
    assert len(set(labels)) > 1


def test_no_lake_is_laid_on_a_hillside(figures: ClassFigures) -> None:
    chip = {
        "landcover": np.full((32, 32), 4, np.uint8),
        "radar": np.zeros((2, 32, 32), np.float32),
        "terrain": np.zeros((4, 32, 32), np.float32),
    }
    chip["landcover"][:10, :10] = 3
    flat = np.zeros(9)
    flat[[3, 4]] = 30.0
    figures = replace(figures, slope_mean=flat, slope_std=np.full(9, 2.0))
    for slope, allowed in ((3.0, {0, 1, 2, 5, 6, 7, 8}), (27.0, {4}), (15.0, set()), (np.nan, set())):
        chip["terrain"][1] = slope
        made = [exchange(chip, figures, seed) for seed in range(8)]
        taken = {int(one["landcover"][0, 0]) for one in made if one is not None}
        assert taken <= allowed
        assert bool(taken) == bool(allowed)


def test_a_chip_of_one_class_is_left_alone(figures: ClassFigures) -> None:
    for code in (4, 255):
        chip = {
            "landcover": np.full((32, 32), code, np.uint8),
            "radar": np.zeros((2, 32, 32), np.float32),
            "terrain": np.full((4, 32, 32), figures.slope_mean[4], np.float32),
        }
        assert exchange(chip, figures, seed=1) is None


def test_regions_hang_together_edge_to_edge() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        same = rng.random((17, 23)) < 0.6
        row, column = (int(rng.integers(size)) for size in same.shape)
        np.testing.assert_array_equal(connected(same, row, column), flooded(same, row, column))


def flooded(same: NDArray[np.bool_], row: int, column: int) -> NDArray[np.bool_]:
    """The same by walking from pixel to pixel."""
    region = np.zeros_like(same)
    waiting = deque([(row, column)] if same[row, column] else [])
    while waiting:
        y, x = waiting.popleft()
        if 0 <= y < same.shape[0] and 0 <= x < same.shape[1] and same[y, x] and not region[y, x]:
            region[y, x] = True
            waiting.extend([(y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)])
    return region
