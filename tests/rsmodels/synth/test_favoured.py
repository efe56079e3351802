"""`favour_rare` on a planted data set: the rare class gains, and none is lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import rsprep
from rsmodels.data.source import ChipSource
from rsmodels.errors import ModelError
from rsmodels.synth.finish import METRICS
from rsmodels.synth.job import synth_augment
from tests.rsmodels import conftest as tiny
from tests.rsmodels.synth.conftest import NOISY, train_tiny

RARE, COMMON = 4, 1
"""Classes 1, 2 and 7 are in all chips; the rare one covers a fifth of every fourteenth."""


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty chips, mostly of one class."""
    whole = tiny.tiny_chip

    def planted_chip(number: int, settings: tiny.TinySettings, split: str) -> dict[str, NDArray[Any]]:
        arrays = whole(number, settings, split)
        classes = np.full_like(arrays["lulc"], COMMON)
        classes[:10] = 2
        classes[10:12] = 7
        if number % 14 == 0:
            classes[20:31, 10:30] = RARE
        return {**arrays, "lulc": classes}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiny, "tiny_chip", planted_chip)
        return tiny.build_tiny(tmp_path_factory.mktemp("planted") / "planted")


@pytest.fixture(scope="module")
def painter(planted: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_tiny(planted, tmp_path_factory.mktemp("painter") / "run", **NOISY)


def shares(data: Path, run: Path, out: Path, **changes: Any) -> dict[str, dict[str, Any]]:
    """The record of each class of a synthetic data set, which tells the truth of it."""
    values = {"data": str(data), "checkpoint": str(run), "out": str(out), "catalog": str(out.parent / "catalog")}
    made = synth_augment({**values, "device": "cpu", **changes})
    record = json.loads((made.dataset / METRICS).read_text())["classes"]
    labels = rsprep.open(made.dataset)["lulc"]
    codes, real = np.asarray(labels), rsprep.open(data)
    kept = ChipSource.open(data, share=changes.get("share", 1.0))
    names = kept.chips.chip_id[kept.chips.split == "train"]
    lent = np.asarray(real["lulc"])[np.isin(real["chip_id"].to_numpy(), names)]
    for code, one in enumerate(record):
        assert one["synthetic_pixels"] == (codes == code).sum()
        assert one["real_pixels"] == (lent == code).sum()
    page = (made.dataset / "report.html").read_text()
    assert "synthetic pixels" in page
    return {one["name"]: one for one in record}


def test_a_rare_class_gains_and_none_is_lost(planted: Path, painter: Path, tmp_path: Path) -> None:
    plain = shares(planted, painter, tmp_path / "plain", n="3x", samples=2)
    favoured = shares(planted, painter, tmp_path / "favoured", n="3x", samples=2, favour_rare=True)
    names = list(plain)
    assert plain[names[RARE]]["gain"] == pytest.approx(1)
    assert favoured[names[RARE]]["gain"] > 1.3
    assert favoured[names[COMMON]]["gain"] < 1
    for name, one in favoured.items():
        assert (one["synthetic_pixels"] > 0) == (plain[name]["real_pixels"] > 0)


def test_edits_make_regions_rarer_only(planted: Path, painter: Path, tmp_path: Path) -> None:
    favoured = shares(planted, painter, tmp_path / "favoured", n="9x", turns=False, favour_rare=True, share=0.6)
    gains = [one["gain"] for one in favoured.values()]
    assert gains[RARE] > 3
    assert all(gain is None or gain > 0.2 for gain in gains)


def test_the_same_settings_choose_the_same_chips(planted: Path, painter: Path, tmp_path: Path) -> None:
    first = shares(planted, painter, tmp_path / "first", n=13, favour_rare=True)
    assert first == shares(planted, painter, tmp_path / "second", n=13, favour_rare=True)
    again = shares(planted, painter, tmp_path / "first", n=13, favour_rare=True)  # done already
    assert again == first


def test_no_more_than_a_parent_can_give(planted: Path, painter: Path, tmp_path: Path) -> None:
    found = shares(planted, painter, tmp_path / "all", n="8x", edits=False, favour_rare=True)
    assert all(one["gain"] in (None, pytest.approx(1)) for one in found.values())  # all that there is
    with pytest.raises(ModelError, match="too-many"):
        shares(planted, painter, tmp_path / "more", n=161, edits=False, favour_rare=True)
