"""What a comparison tells of a synthetic data set: its size, who made it, and of which real chips it knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rsmodels.data.lineage import seen_by
from rsmodels.data.source import ChipSource
from rsmodels.downstream.settings import DownstreamSettings
from rsprep.cloud.objects import as_bytes
from rsprep.strict_yaml import load_yaml

LOCK = "config.lock.yaml"


@dataclass(frozen=True, kw_only=True, eq=False)
class Made:
    """A synthetic data set."""

    source: ChipSource
    share: float
    """Share of the real train chips that its settings name."""
    beyond: int
    """Real train chips that its generator saw or its chips come from, and that True is not given."""
    checkpoints: tuple[str, ...]
    """Hashes of the generators' checkpoints."""

    def record(self) -> dict[str, Any]:
        """As in ``downstream.json``."""
        return {
            "name": self.source.name,
            "identity": self.source.identity,
            "chips": {"train": len(self.source.of_split("train"))},
            "checkpoints": list(self.checkpoints),
            "share": self.share,
            "beyond_share": self.beyond,
        }


def made_of(source: ChipSource, settings: DownstreamSettings, real: ChipSource) -> Made:
    """What is told of `source`, which is mixed with `real`, of which only a share may be trained on."""
    return Made(
        source=source,
        share=_share(source),
        beyond=_beyond(source, settings.real, real) if settings.share < 1 else 0,
        checkpoints=tuple(sorted(set(source.column("checkpoint").tolist()))),
    )


def _share(source: ChipSource) -> float:
    """From the settings that it was made with; 1 where they know of none."""
    found = load_yaml((as_bytes(source.folder / LOCK) or b"{}").decode())
    return float(found.get("share", 1.0))


def _beyond(source: ChipSource, path: str, real: ChipSource) -> int:
    whole = ChipSource.open(path)
    train = {digest for digest, split in zip(whole.chips.digest, whole.chips.split, strict=True) if split == "train"}
    outside = train - set(real.chips.digest[real.chips.split == "train"])
    known = seen_by([source]).digest
    return int(np.isin(np.array(sorted(outside), known.dtype), known).sum())
