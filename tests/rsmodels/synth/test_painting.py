from __future__ import annotations

import torch

from rsmodels.data.fields import Field
from rsmodels.synth.painting import painted_where

LABEL = Field(name="landcover", variable="lulc", kind="classes", classes=("a",), codes=(0,))
RADAR = Field(name="radar", variable="s1", kind="radar", bands=("VV",))


def test_an_image_counts_where_conditions_are_known_or_only_classes_are_unknown() -> None:
    label, radar = (torch.tensor(row).view(1, 1, 1, 3) for row in ([True, False, True], [True, True, False]))
    valid = {"landcover": label, "radar": radar}
    assert painted_where([LABEL, RADAR], valid).flatten().tolist() == [True, False, False]
    assert painted_where([RADAR], valid).flatten().tolist() == [True, True, False]
    assert painted_where([LABEL], {"landcover": label}).flatten().tolist() == [True, True, True]
