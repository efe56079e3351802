"""Give grey pictures colours: a folder of them, or one raster of any size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rsmodels.colouring.files import colour_files
from rsmodels.colouring.settings import ColorizeSettings
from rsmodels.tiling.folder import IMAGES, PAGE
from rsprep.job.progress import Progress, Silent
from rsprep.settings import make_settings


@dataclass(frozen=True, kw_only=True, eq=False)
class Colouring:
    """What came out, and where it lies."""

    out: Path
    record: dict[str, Any]
    """As in ``colorize.json``."""

    @property
    def images(self) -> Path:
        """Folder of the coloured files."""
        return self.out / IMAGES

    @property
    def page(self) -> Path:
        return self.out / PAGE


def colorize(settings: ColorizeSettings | Mapping[str, Any], *, progress: Progress | None = None) -> Colouring:
    """Colour pictures or a raster, or go on with it: the same call resumes.

    Parameters
    ----------
    settings : checked settings, or a mapping with their keys.
    progress : who watches; nobody by default.

    Raises
    ------
    InputError : something that was given cannot be used; nothing is written then.
    """
    checked = make_settings(ColorizeSettings, settings)
    return Colouring(out=Path(checked.out), record=colour_files(checked, progress or Silent()))
