"""Pictures of any variable: alike where they are to be compared."""

from __future__ import annotations

import numpy as np

from rsprep.report.plain import paint
from rsprep.store.schema import Variable


def variable(**attrs: object) -> Variable:
    return Variable(
        name="image", bands=("B02", "B03", "B04"), band_dim="band", dtype="int16", fill=-32768,
        attrs={"picture": "rgb", "rgb_bands": ["B04", "B03", "B02"], "nodata": -32768, **attrs},
    )  # fmt: skip


def test_what_hides_an_image_does_not_darken_the_rest() -> None:
    clean = np.random.default_rng(0).integers(200, 2000, (3, 32, 32)).astype(np.int16)
    occluded = clean.copy()
    occluded[:, :16] = 10_000
    occluded[:, -1] = -32768
    plain = paint(variable(), [clean])[0]
    alike = paint(variable(stretch_without=[10_000]), [occluded])[0]
    darker = paint(variable(), [occluded])[0]
    assert np.abs(plain[16:-1].astype(int) - alike[16:-1]).max() <= 4
    assert darker[16:-1].mean() < plain[16:-1].mean() / 2
    assert (alike[:16] == 255).all()
