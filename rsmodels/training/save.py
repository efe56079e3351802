"""What goes into a run's checkpoints, and how a run takes it up again."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from rsmodels.data.lineage import FILE_NAME as SEEN
from rsmodels.data.normalise import Normaliser
from rsmodels.errors import ModelError
from rsmodels.records import as_json, number
from rsmodels.training import checkpoint
from rsmodels.training.card import card
from rsmodels.training.state import optimiser_state, restore_optimisers
from rsprep.settings import dump_config

if TYPE_CHECKING:
    from rsmodels.training.loop import Trainer
    from rsmodels.training.setup import Material

MODEL, AVERAGE, STATE, REST = "model.safetensors", "ema.safetensors", "train_state.safetensors", "train_state.json"
NORMALISER, CONFIG, PARENTS, SCORES, CARD = "normaliser.json", "config.yaml", "parents.json", "metrics.json", "card.md"


def save(
    trainer: Trainer, material: Material, normaliser: Normaliser, scores: Mapping[str, float], score: float | None
) -> Path:
    """Write a checkpoint of the run as it is now; returns its folder."""
    moments, rest = optimiser_state(trainer.optimisers)
    tensors = {MODEL: trainer.task.networks.state_dict(), STATE: moments}
    if trainer.average:
        tensors[AVERAGE] = trainer.average.network.state_dict()
    texts = {
        CONFIG: dump_config(trainer.settings),
        NORMALISER: json.dumps(normaliser.to_json(), indent=1) + "\n",
        REST: rest + "\n",
        PARENTS: json.dumps({"chip_px": material.chip_px, "data": material.parents}, indent=2) + "\n",
        SCORES: as_json({"step": trainer.step, **scores}),
        CARD: card(trainer.settings, material, normaliser, trainer.task, trainer.step, trainer.steps, scores),
    }
    with tempfile.TemporaryDirectory() as folder:
        material.seen.write(Path(folder, SEEN))
        files = {SEEN: Path(folder, SEEN)}
        return checkpoint.write(trainer.run, trainer.step, tensors=tensors, texts=texts, files=files, score=score)


def restore(trainer: Trainer, manifest: checkpoint.Manifest, material: Material) -> None:
    """Put a run back to where a checkpoint left it.

    Raises
    ------
    ModelError : ``other-data`` if the data sets hold other chips than those that the run was begun with.
    """
    record = json.loads(checkpoint.read_text(manifest, PARENTS))
    before, now = (
        [(one["identity"], one["share"]) for one in parents] for parents in (record["data"], material.parents)
    )
    if before != now:
        raise ModelError(
            "other-data",
            "the data sets hold other chips than when the run was begun",
            value=", ".join(one["name"] for one in material.parents),
            remedy="train on the same data to go on, or choose another --out",
        )
    trainer.task.networks.load_state_dict(checkpoint.read_tensors(manifest, MODEL))
    if trainer.average:
        trainer.average.network.load_state_dict(checkpoint.read_tensors(manifest, AVERAGE))
    rest = checkpoint.read_text(manifest, REST)
    restore_optimisers(trainer.optimisers, checkpoint.read_tensors(manifest, STATE), rest)
    trainer.step = manifest.step
    torch.manual_seed(trainer.settings.seed)


def saved_normaliser(manifest: checkpoint.Manifest) -> Normaliser:
    """The normaliser that a checkpoint's networks were trained with."""
    return Normaliser.from_json(json.loads(checkpoint.read_text(manifest, NORMALISER)))


def saved_scores(manifest: checkpoint.Manifest) -> dict[str, float]:
    """The scores of the last validation before a checkpoint."""
    record: dict[str, float | None] = json.loads(checkpoint.read_text(manifest, SCORES))
    return {name: number(value) for name, value in record.items() if name != "step"}
