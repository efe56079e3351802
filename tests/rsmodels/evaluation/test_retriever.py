"""Evaluation of a matcher of views: ranks among all places of the split."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from torch import Tensor, nn

from rsmodels.data.batch import ChipBatch
from rsmodels.data.lineage import seen_by
from rsmodels.data.normalise import Normaliser
from rsmodels.data.source import ChipSource, field
from rsmodels.errors import ModelError
from rsmodels.tasks.models import resolve
from rsmodels.training.load import Trained
from tests.rsmodels.evaluation.planted import Planted, planted, run
from tests.rsmodels.views import build_views


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> ChipSource:
    return ChipSource.open(build_views(tmp_path_factory.mktemp("views") / "views", n=40))


def matcher(source: ChipSource, slots: list[int], *, collapsed: bool = False) -> Trained:
    """Describes each place by itself, but the first one as the second."""

    def describe(batch: ChipBatch) -> Tensor:
        own = torch.tensor([slots.index(key.slot) for key in batch.chips])
        seen = torch.where(own == 0, 1, own)
        pairs = torch.stack([nn.functional.one_hot(one, len(slots)).float() for one in (seen, own)], dim=1)
        return torch.ones_like(pairs) if collapsed else pairs

    fields = [field(source, "image", "ground"), field(source, "satellite"), field(source, "place")]
    return Trained(
        path=Path("run/checkpoints/step-00000500"),
        address="run/checkpoints/step-00000500",
        task=Planted("retrieval", fields, describe),  # type: ignore[arg-type]  # only what evaluation uses
        network=nn.Identity(),
        normaliser=Normaliser.fit([source], fields),
        settings=resolve({"model": "retrieval", "data": ["x"], "out": "y", "steps": 1}),
        chip_px=source.schema.chip_px,
        manifest_hash="0123456789abcdef" * 4,
        parents=(),
        seen=seen_by([source]),
        device=torch.device("cpu"),
    )


def test_each_view_is_ranked_among_all_places(source: ChipSource, tmp_path: Path) -> None:
    slots = source.of_split("test").tolist()
    count = len(slots)
    found = run(matcher(source, slots), source, tmp_path / "out", batch=3)
    figures = found.record["figures"]
    assert (figures["queries"], figures["places"], figures["median_rank"]) == (count, count, 1)
    assert figures["recall@1"] == pytest.approx(1 - 1 / count)
    # The first view is like the second place, and to all others as alike as to its own.
    assert figures["ap"] == pytest.approx((count - 1 + 1 / count) / count)
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["figures"] == pytest.approx(figures)
    table = pq.read_table(tmp_path / "out" / "chips.parquet").to_pydict()
    assert table["rank"] == [count] + [1] * (count - 1)
    assert table["similarity"] == [0.0] + [1.0] * (count - 1)
    page = found.page.read_text()
    assert f"LPN: Recall@1 {figures['recall@1']:.3f}" in page
    assert f"its place comes as number {count}" in page
    assert "How far down the right place is" in page


def test_a_collapsed_network_finds_nothing(source: ChipSource, tmp_path: Path) -> None:
    slots = source.of_split("test").tolist()
    found = run(matcher(source, slots, collapsed=True), source, tmp_path / "out")
    assert found.record["figures"]["recall@1"] == 0


def test_only_a_matcher_describes(tiny_dataset: Path) -> None:
    source = ChipSource.open(tiny_dataset)
    with pytest.raises(ModelError, match="model/not-a-retriever"):
        planted(source, "segmentation", lambda batch: batch.values["image"]).describe(None)  # type: ignore[arg-type]
