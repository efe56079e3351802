"""Where networks are put."""

from __future__ import annotations

import torch

from rsmodels.errors import ModelError


def device_of(wanted: str) -> torch.device:
    """The device that ``auto``, ``cpu`` or ``cuda`` means here: a GPU for auto where torch can use one.

    Raises
    ------
    ModelError : ``no-gpu`` where CUDA is asked for and not there.
    """
    there = torch.cuda.is_available()
    if wanted == "cuda" and not there:
        raise ModelError(
            "no-gpu", "there is no GPU here that torch can use", value=wanted, remedy="--device auto or cpu"
        )
    return torch.device("cuda" if there and wanted != "cpu" else "cpu")
