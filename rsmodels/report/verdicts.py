"""What a classifier says of a chip, as a picture: a bar a class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from rsprep.report.data import Rgb

MOST, LINE, WIDTH = 8, 24, 192
INK, PAPER, BAR, TRUE = "#1d2126", "#ffffff", "#cfd3d8", "#2fa58b"


def verdict(shares: Tensor, classes: Sequence[str], truth: int) -> Rgb:
    """The likeliest classes with their shares, the likeliest on top; the bar of the true class is coloured.

    Parameters
    ----------
    shares : (K,), from 0 to 1.
    classes : names by index.
    truth : index of the true class; any other number where it is not known.
    """
    order = shares.argsort(descending=True).tolist()[:MOST]
    if 0 <= truth < len(classes) and truth not in order:
        order[-1] = truth  # never hidden
    sheet = Image.new("RGB", (WIDTH, LINE * len(order) + 4), PAPER)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    for row, index in enumerate(order):
        share, top = float(shares[index]), 2 + LINE * row
        pen.rectangle((2, top + 14, 2 + (WIDTH - 5) * share, top + 20), fill=TRUE if index == truth else BAR)
        pen.text((2, top), classes[index].replace("_", " "), fill=INK, font=font)
        pen.text((WIDTH - 3, top), f"{100 * share:.0f} %", fill=INK, font=font, anchor="ra")
    return np.asarray(sheet)
