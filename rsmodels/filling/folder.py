"""The folder that rasters and pictures are filled into: what lies in it, and whether a job can go on there."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rsmodels.errors import ModelError
from rsmodels.filling.work import Done
from rsmodels.records import as_json
from rsprep.files import write_text

WORK, JOB, RECORD, PAGE = ".work", "job.json", "inpaint.json", "report.html"
IMAGES, FILLED = "images", "filled"


def read_done(path: Path) -> Done | None:
    """What :func:`write_done` wrote; None where it is not there."""
    return Done(**json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None


def write_done(path: Path, done: Done) -> None:
    """Write down that a raster is done; `path` appears whole."""
    write_text(path, as_json(asdict(done)))


def check_goes_on(out: Path, identity: dict[str, Any]) -> bool:
    """See that `out` is new, or holds the same job; True where that is done already. Writes nothing.

    Raises
    ------
    ModelError : ``not-a-folder``, ``not-an-inpainting``, ``other-inpainting`` with what differs.
    """
    if out.exists() and not out.is_dir():
        raise ModelError("not-a-folder", "OUT is a file", value=str(out), remedy="choose another OUT")
    there = sorted(path.name for path in out.iterdir()) if out.is_dir() else []
    strange = [name for name in there if name not in (WORK, RECORD, PAGE, IMAGES, FILLED)]
    kept = next((file for file in (out / RECORD, out / WORK / JOB) if file.is_file()), None)
    if strange or (there and kept is None and there != [WORK]):
        raise ModelError(
            "not-an-inpainting",
            "OUT holds other files",
            value=f"{out}: {', '.join((strange or there)[:3])}",
            remedy="choose another OUT, or an empty folder",
        )
    if kept is None:
        return False
    before = json.loads(kept.read_text(encoding="utf-8"))["identity"]
    differing = [key for key in {**before, **identity} if before.get(key) != identity.get(key)]
    if differing:
        raise ModelError(
            "other-inpainting",
            "OUT was filled otherwise, or from other files",
            value="; ".join(f"{key}: {before.get(key)!r} before, {identity.get(key)!r} now" for key in differing),
            remedy="give the command as it was, or choose another OUT",
        )
    return kept.name == RECORD
