"""What is kept when a loss is no number any more: the batch that did it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor

from rsmodels.data.batch import ChipBatch
from rsmodels.errors import TrainError


def not_finite(run: Path, step: int, phase: str, batch: ChipBatch, parts: Mapping[str, Tensor]) -> TrainError:
    """Save the batch of a step whose loss is not finite, and give the error to stop with.

    ``RUN/not-finite-00000123/`` holds ``batch.safetensors`` (``values/…`` and ``valid/…``) and ``about.json`` with the
    parts of the loss and the chips.
    """
    folder = run / f"not-finite-{step:08d}"
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"values/{name}": tensor for name, tensor in batch.values.items()}
    tensors |= {f"valid/{name}": tensor for name, tensor in batch.valid.items()}
    save_file(
        {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, folder / "batch.safetensors"
    )
    about = {
        "step": step,
        "phase": phase,
        "loss": {name: str(float(value.detach())) for name, value in parts.items()},
        "chips": [key._asdict() for key in batch.chips],
    }
    (folder / "about.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    odd = [name for name, value in parts.items() if not bool(value.isfinite().all())]
    return TrainError(
        "not-finite",
        f"the loss of the {phase} is not a number at step {step}",
        value=", ".join(odd) or "the sum",
        remedy=f"look at {folder}; go on from the last checkpoint with a lower learning rate, --clip 1, or fp32",
    )
