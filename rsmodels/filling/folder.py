"""The folder that rasters and pictures are filled into: what lies in it, and what of it is done."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from rsmodels.filling.work import Done
from rsmodels.records import as_json
from rsmodels.tiling.folder import Layout
from rsprep.files import write_text

RECORD, FILLED = "inpaint.json", "filled"
LAYOUT = Layout(noun="an inpainting", done="filled", record=RECORD, folders=("images", FILLED))


def read_done(path: Path) -> Done | None:
    """What :func:`write_done` wrote; None where it is not there."""
    return Done(**json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None


def write_done(path: Path, done: Done) -> None:
    """Write down that a raster is done; `path` appears whole."""
    write_text(path, as_json(asdict(done)))
