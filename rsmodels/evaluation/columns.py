"""The columns by which generators are set side by side (CSEBGAN, Table I), each with the name of what measured it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rsmodels.errors import ModelError

COLUMNS = (
    ("frechet", "Fréchet", "↓", 4),
    ("kernel", "kernel", "↓", 4),
    ("miou", "mIoU", "↑", 4),
    ("fwiou", "FWIoU", "↑", 4),
    ("accuracy", "acc", "↑", 4),
    ("diversity", "diversity", "↑", 4),
    ("mcsd", "mCSD", "↑", 4),
    ("mocd", "mOCD", "↓", 4),
    ("d_miou", "d-mIoU", "↑", 2),
    ("d_fwiou", "d-FWIoU", "↑", 2),
    ("d_accuracy", "d-acc", "↑", 2),
)
"""Key, title, which way is better, and digits: of distances those that count, of others those behind the point."""
COLOUR_COLUMNS = (
    ("acc@2", "acc@2 (%)", "↑", 2),
    ("acc@5", "acc@5 (%)", "↑", 2),
    ("psnr", "PSNR (dB)", "↑", 2),
    ("ssim", "SSIM (%)", "↑", 2),
    ("colourfulness", "colourfulness", "", 1),
)
"""The same of colorizers (Wang et al., Tables 1 to 4): shares in percent; of colourfulness that of the real images is
the best."""
DOWNSTREAM = "downstream.json"
SCORES = ("miou", "fwiou", "accuracy")


def columns(record: Mapping[str, Any]) -> dict[str, Any]:
    """One row of the table, from the record of a generator: a number or None a column.

    ``features`` names the features of the Fréchet and kernel distance (the segmenter's where there is one),
    ``distance`` the perceptual distance of diversity, mCSD and mOCD, ``arm`` the runs that the d-columns tell of.
    """
    distances = record["distances"][-1]
    classes = record.get("segmentation", {}).get("made", {})
    diversity, gains = record["diversity"], record.get("downstream") or {}
    found = {name: distances[name] for name in ("frechet", "kernel")}
    found |= {name: classes.get(name) for name in SCORES}
    found |= {name: diversity[name] for name in ("diversity", "mcsd", "mocd")}
    found |= {f"d_{name}": gains.get("relative", {}).get(name) for name in SCORES}
    return found | {"features": distances["extractor"], "distance": diversity["by"], "arm": gains.get("arm")}


def named_by(row: Mapping[str, Any], column: str) -> str:
    """What measured a column, in words; empty where its name says it."""
    if column in ("frechet", "kernel") or (column in SCORES and row[column] is not None):
        return str(row["features"])
    if column in ("diversity", "mcsd", "mocd"):
        return str(row["distance"] or "")
    return str(row["arm"] or "") if column.startswith("d_") else ""


def shown(row: Mapping[str, Any], column: str) -> str:
    """A number of the table as it is read; – where there is none."""
    value = row[column]
    if value is None or math.isnan(value):
        return "–"
    digits = next(digits for key, _, _, digits in COLUMNS if key == column)
    if column.startswith("d_"):
        text = f"{value:+.{digits}f} %"
    else:
        text = f"{value:.{digits}f}" if column in SCORES else f"{value:.{digits}g}"
    return text.replace("-", "−")


def gains_of(folder: str | Path, checkpoint: str) -> dict[str, Any]:
    """What the synthetic chips of a generator gained, from a folder of `rsmodels downstream`.

    Taken are the runs at equal steps where there are such, the first of them.

    Parameters
    ----------
    checkpoint : hash of the generator's checkpoint.

    Returns
    -------
    ``arm`` : title of the runs; ``synthetic`` : data set; ``relative`` : d-X in percent of each score; ``seeds``.

    Raises
    ------
    ModelError : ``no-comparison`` without a record there; ``not-its-chips`` where no mix holds chips of this generator.
    """
    path = Path(folder) / DOWNSTREAM
    if not path.is_file():
        raise ModelError(
            "no-comparison",
            "there is no comparison here",
            value=str(path),
            remedy="give the folder that `rsmodels downstream --out` names, when it is done",
        )
    record = json.loads(path.read_text(encoding="utf-8"))
    synthetic = record["synthetic"] if isinstance(record["synthetic"], list) else []
    own = [one["name"] for one in synthetic if checkpoint in one.get("checkpoints", ())]
    arms = [arm for arm in record["arms"] if arm.get("synthetic") in own and arm["key"] in record["gains"]]
    if not arms:
        raise ModelError(
            "not-its-chips",
            "none of the mixes that were compared holds chips of this generator",
            value=", ".join(one["name"] for one in synthetic) or "real chips alone",
            remedy="compare with synthetic chips that this very checkpoint made",
        )
    arm = next((one for one in arms if one["key"].endswith("-steps")), arms[0])
    scores = record["gains"][arm["key"]]["scores"]
    return {
        "arm": arm["title"],
        "synthetic": arm["synthetic"],
        "seeds": len(record["seeds"]),
        "relative": {name: scores[name]["relative"] for name in SCORES},
    }
