"""What must hold before a synthetic chip is made; each refusal has a name, and nothing is written by then."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rsmodels.data.fields import Field
from rsmodels.data.lineage import Seen, refuse_leaks, seen_by
from rsmodels.data.source import ChipSource
from rsmodels.errors import ModelError
from rsmodels.nets.noise import NoiseForm
from rsmodels.synth.settings import SynthSettings
from rsmodels.training.load import Trained


def check_generator(trained: Trained, source: ChipSource) -> None:
    """See that the checkpoint is a generator for chips such as those of `source`.

    Raises
    ------
    ModelError : ``not-a-generator``, ``other-chip-size``, ``no-such-field``, ``no-such-band``, ``unlike-data-sets``.
    """
    if trained.kind not in ("generator", "colorization"):
        raise ModelError(
            "not-a-generator",
            "the checkpoint makes no images",
            value=f"{trained.path}: {trained.settings.model}",
            remedy="give the checkpoint of a generator, such as rs-spade or pix2pix, or of bmmaenet",
        )
    if trained.chip_px != source.schema.chip_px:
        raise ModelError(
            "other-chip-size",
            f"the generator was trained on chips of {trained.chip_px} pixels",
            value=f"{source.name}: {source.schema.chip_px}",
            remedy="give a data set with chips of that size, or train a generator on this one",
        )
    for field in trained.fields:
        variable = source.layer(field).variable
        scaling = trained.normaliser[field.name]
        scale = float(variable.attrs.get("scale", 1)) if field.kind == "optical" else 1.0
        here = (variable.dtype, f"{variable.fill:g}", scale)
        there = (scaling.dtype, f"{scaling.fill:g}", float(scaling.scale))
        if here != there:
            raise ModelError(
                "unlike-data-sets",
                f"the generator learned {field.name} with another type, no-data value or scale",
                value=f"{source.name}: {', '.join(map(str, here))}; the generator: {', '.join(map(str, there))}",
                remedy="give a data set that was made like the one it was trained on",
            )


def check_wishes(trained: Trained, settings: SynthSettings) -> None:
    """See that the generator can do what the settings ask for.

    Raises
    ------
    ModelError : ``no-noise``, ``no-classes``.
    """
    if settings.samples > 1 and trained.kind == "generator":
        require_noise(trained, f"samples: {settings.samples}")
    if settings.favour_rare:
        require_label(trained, "favour_rare")


def label_of(fields: Sequence[Field]) -> Field | None:
    """The map of classes that a generator takes; None without one."""
    return next((field for field in fields if field.kind == "classes"), None)


def require_label(trained: Trained, asked: str) -> Field:
    """The map of classes that the generator takes; ModelError ``no-classes`` for one that takes none.

    Parameters
    ----------
    asked : what needs it, as it was asked for.
    """
    label = label_of(trained.fields)
    if label is None:
        raise ModelError(
            "no-classes",
            f"{trained.settings.model} was trained without a map of classes, which {asked} needs",
            value=str(trained.path),
            remedy="give a generator that has land cover among its conditions",
        )
    return label


def require_noise(trained: Trained, asked: str) -> NoiseForm:
    """The noise that the generator draws; ModelError ``no-noise`` for one that makes one image of given conditions."""
    if trained.noise is None:
        raise ModelError(
            "no-noise",
            f"{trained.settings.model} draws no noise: it makes one image of given conditions",
            value=asked,
            remedy="leave it out, or give a generator that draws noise, such as csebgan",
        )
    return trained.noise


def check_lineage(trained: Trained, source: ChipSource, settings: SynthSettings) -> Seen:
    """See that neither the generator nor the parents saw what `source` holds out; returns all that they saw.

    Raises
    ------
    ModelError : ``trained-on-held-out``, ``saw-held-out``, ``synthetic-parents``, ``no-train-chips``,
        ``no-lineage``.
    """
    others = sorted(set(trained.seen.split.astype(str).tolist()) - {"train"})
    if others or not len(trained.seen):
        raise ModelError(
            "trained-on-held-out",
            "a generator of synthetic chips is trained on train chips only, and says so",
            value=f"{trained.path}: {', '.join(others) or 'it names no chip that it saw'}",
            remedy="train it with split train",
        )
    refuse_leaks(trained.seen, source, who="the generator")
    train = source.chips.split == "train"
    if not train.any():
        raise ModelError(
            "no-train-chips", "the data set has no train chip", value=source.name, remedy="give one that has some"
        )
    if (source.chips.synthetic & train).any() and not settings.synthetic_parents:
        raise ModelError(
            "synthetic-parents",
            f"{int((source.chips.synthetic & train).sum()):,} of the train chips were made by a model themselves",
            value=source.name,
            remedy="give the real data set, or allow it with --synthetic-parents",
        )
    behind = seen_by([source])
    refuse_leaks(behind, source, who="the train split, or what is behind it,")
    return trained.seen.merge(behind.take(~np.isin(behind.dataset, [source.identity.encode()])))
