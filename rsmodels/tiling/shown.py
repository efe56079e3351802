"""What the pages of all who work on images of any size have in common."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rsmodels.tiling.rasters import PICTURES, Raster, thinned
from rsmodels.tiling.tiles import Box, Flags

WHOLE: Final = 512
"""Most pixels along the side of a picture of a whole raster."""
DETAIL: Final = 256
"""Pixels along the side of a detail."""
LISTED: Final = 200
"""Files that the table of a page lists."""


def every(box: Box, longest: int) -> int:
    """Of a part of a raster every so-many-th pixel is shown."""
    side: int = max(one.stop - one.start for one in box)
    return max(1, -(-side // longest))


def before_and_after(
    raster: Raster, bands: tuple[int, ...], out: Path, made: tuple[int, ...], box: Box, step: int
) -> tuple[NDArray[Any], Flags, NDArray[Any]]:
    """Planes of a part of a raster (band, y, x), where they have no data, and the planes of what came of it.

    Shrunk by leaving pixels out, so that no pixel of the pictures mixes several.

    Parameters
    ----------
    bands, made : of the raster and of the file `out`, from 0.
    step : every so-many-th pixel is read.
    """
    before = thinned(raster.path, raster.info.format, bands, box, step)
    after = thinned(out, "PNG" if raster.info.format in PICTURES else "GTiff", made, box, step)
    empty: Flags = ~np.isfinite(before).all(axis=0)
    if raster.info.nodata is not None:
        empty |= (before == raster.info.nodata).any(axis=0)
    return before, empty, after


def detail_caption(box: Box) -> str:
    """Where a detail lies."""
    return f"detail\nrow {box[0].start:,}\ncolumn {box[1].start:,}"


def files_note(record: Mapping[str, Any]) -> str:
    """Below the table of files: tiles, what the model learned from if there is one, and how many files are listed."""
    parts = [f"Tiles of {record['tile']} pixels that share {record['overlap']} with their neighbours."]
    trained = ", ".join(f"{one['name']} ({one['split']})" for one in record["trained_on"])
    if trained:
        parts.append(f"The model learned from {trained}.")
    if len(record["files"]) > LISTED:
        parts.append(f"The first {LISTED} of {len(record['files']):,}.")
    return " ".join(parts)
