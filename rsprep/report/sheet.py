"""Many small pictures on one sheet, for any corpus."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from rsprep.report.data import Rgb

GAP = 6
CAPTION = 15


def contact_sheet(images: Sequence[Rgb], captions: Sequence[str], columns: int) -> Rgb:
    """Lay pictures out in rows on white, each with its caption below.

    Parameters
    ----------
    images : (y, x, 3) uint8, of any sizes; cells are as large as the largest.
    captions : one a picture; cut with an ellipsis where they are wider than a cell. All empty: no room is kept.
    columns : pictures a row.

    Returns
    -------
    (y, x, 3) uint8.

    Raises
    ------
    ValueError : no pictures, not one caption a picture, fewer than one column, or a picture that is not RGB uint8.
    """
    if not images or len(images) != len(captions) or columns < 1:
        raise ValueError(f"{len(images)} pictures, {len(captions)} captions, {columns} columns make no sheet")
    for image in images:
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(f"expected (y, x, 3) uint8, got {image.shape} {image.dtype}")
    height = max(image.shape[0] for image in images)
    width = max(image.shape[1] for image in images)
    below = CAPTION if any(captions) else 0
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    size = (columns * (width + GAP) + GAP, rows * (height + below + GAP) + GAP)
    sheet = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(11)
    for i, (image, caption) in enumerate(zip(images, captions, strict=True)):
        x = GAP + (i % columns) * (width + GAP)
        y = GAP + (i // columns) * (height + below + GAP)
        sheet.paste(Image.fromarray(image), (x, y))
        pen.text((x, y + height + 1), _fitted(caption, width, font), fill="#333333", font=font)
    return np.asarray(sheet)


def _fitted(caption: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    line = " ".join(caption.split())
    if font.getlength(line) <= width:
        return line
    while line and font.getlength(line + "…") > width:
        line = line[:-1]
    return line + "…" if line else ""
