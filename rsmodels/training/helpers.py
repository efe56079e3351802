"""Trained networks that a run learns from beside its data: a frozen conductor, the eyes of a perceptual loss.

Whatever they were trained on, the run has seen through them: their chips join its lineage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from rsmodels.data.fields import Field
from rsmodels.data.normalise import Normaliser
from rsmodels.errors import ModelError
from rsmodels.generators.semantic_settings import Perceptual, SemanticSettings
from rsmodels.nets.segmenter import Segmenter
from rsmodels.nets.vgg import HOW_TO_GET, load_vgg
from rsmodels.tasks.frozen import FrozenSegmenter, Helpers, RgbMaps, SegmenterMaps
from rsmodels.tasks.settings import RunSettings
from rsmodels.training.load import Trained, load

CONDUCTOR, PERCEPTUAL = "conductor", "perceptual"
COLOURS = (("B04", "B03", "B02"), ("red", "green", "blue"))
"""Names that red, green and blue go by."""


def find_helpers(settings: RunSettings, fields: Sequence[Field]) -> dict[str, Trained]:
    """Load the segmentation runs that the settings name; see that files of weights are named where they are needed.

    Parameters
    ----------
    fields : of the run: the image first.

    Raises
    ------
    ModelError : ``no-perceptual-weights``, ``no-frozen-conductor``, ``no-colours``, ``other-classes``,
        ``not-a-segmenter``, and those of :func:`rsmodels.training.load.load` and :func:`rsmodels.nets.vgg.load_vgg`.
    """
    if not isinstance(settings, SemanticSettings):
        return {}
    found = {}
    if settings.perceptual.weight and _eyes(settings.perceptual, fields[0]):
        found[PERCEPTUAL] = _segmenter(str(settings.perceptual.weights))
    if settings.conductor.kind == "frozen":
        if settings.conductor.checkpoint is None:
            raise ModelError(
                "no-frozen-conductor",
                "a frozen conductor is a segmentation run, and none is named",
                value="conductor.checkpoint: null",
                remedy="train one (`rsmodels train segmentation`) and set conductor.checkpoint, or kind: joint",
            )
        found[CONDUCTOR] = conductor = _segmenter(settings.conductor.checkpoint)
        told, wanted = conductor.normaliser.field("label").classes, fields[1].classes
        if told != wanted:
            raise ModelError(
                "other-classes",
                "the frozen conductor tells other classes apart than the label map has",
                value=f"{', '.join(told)}; wanted: {', '.join(wanted)}",
                remedy="train the conductor on this data set",
            )
    return found


def make_helpers(settings: RunSettings, found: Mapping[str, Trained], normaliser: Normaliser) -> Helpers:
    """The networks, ready to be looked through; raises as `find_helpers`, and ``unlike-bands``."""
    if not isinstance(settings, SemanticSettings):
        return Helpers()
    frozen = {
        name: FrozenSegmenter(cast(Segmenter, one.network), one.normaliser, normaliser) for name, one in found.items()
    }
    how = settings.perceptual
    if not how.weight:
        return Helpers(conductor=frozen.get(CONDUCTOR))
    if PERCEPTUAL in frozen:
        return Helpers(conductor=frozen.get(CONDUCTOR), perceptual=SegmenterMaps(frozen[PERCEPTUAL]))
    eyes = RgbMaps(load_vgg(str(how.weights)), _rgb(how, normaliser.field("image")))
    return Helpers(conductor=frozen.get(CONDUCTOR), perceptual=eyes)


def _eyes(how: Perceptual, image: Field) -> bool:
    """True where the perceptual loss looks through a segmentation run; else VGG's file is seen to be there."""
    if how.weights is None:
        raise ModelError(
            "no-perceptual-weights",
            "the perceptual loss looks through a trained network, and none is named",
            value=f"perceptual.features: {how.features}, perceptual.weights: null",
            remedy="set perceptual.weights to a file of VGG's, or perceptual.features: segmenter and weights to a "
            f"segmentation run, or perceptual.weight: 0 to do without; {HOW_TO_GET}",
        )
    if how.features == "vgg":
        load_vgg(how.weights)
        _rgb(how, image)
    return how.features == "segmenter"


def _rgb(how: Perceptual, image: Field) -> tuple[int, int, int]:
    """Positions of red, green and blue among the image's bands."""
    bands = image.bands or ()
    if how.rgb is not None and max(how.rgb) < len(bands) and min(how.rgb) >= 0:
        return how.rgb
    for names in COLOURS:
        if how.rgb is None and set(names) <= set(bands):
            red, green, blue = (bands.index(name) for name in names)
            return red, green, blue
    raise ModelError(
        "no-colours",
        f"VGG looks at red, green and blue, which are not found among {', '.join(bands) or 'the bands'}",
        value=how.rgb,
        remedy="set perceptual.rgb to their three positions, counted from 0",
    )


def _segmenter(path: str) -> Trained:
    found = load(path, device="cpu")
    found.require("segmentation")
    return found
