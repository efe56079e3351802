"""Pictures inside the page: small, as data URIs."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from rsprep.report.data import Rgb

FEW_COLOURS = 64


def data_uri(image: Rgb, *, longest: int = 256) -> str:
    """`image` as a data URI: PNG when it has few colours (classes, masks), JPEG otherwise.

    Pictures larger than `longest` pixels are shrunk: by nearest neighbour when they have few colours,
    since a mixture of two classes would be a third.
    """
    count = _distinct(image)
    picture = Image.fromarray(image)
    scale = longest / max(picture.size)
    if scale < 1:
        size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        picture = picture.resize(size, Image.Resampling.NEAREST if count <= FEW_COLOURS else Image.Resampling.BOX)
    memory = io.BytesIO()
    if count <= FEW_COLOURS:
        picture.quantize(colors=FEW_COLOURS, dither=Image.Dither.NONE).save(memory, "PNG", optimize=True)
        kind = "png"
    else:
        picture.save(memory, "JPEG", quality=86, subsampling=0, optimize=True)
        kind = "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(memory.getvalue()).decode('ascii')}"


def _distinct(image: Rgb) -> int:
    packed = image.astype(np.uint32) @ np.array([65536, 256, 1], dtype=np.uint32)
    return int(np.unique(packed).size)
