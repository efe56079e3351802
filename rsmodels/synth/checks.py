"""What must hold before a synthetic chip is made; each refusal has a name, and nothing is written by then."""

from __future__ import annotations

import numpy as np

from rsmodels.data.lineage import Seen, refuse_leaks, seen_by
from rsmodels.data.source import ChipSource
from rsmodels.errors import ModelError
from rsmodels.synth.settings import SynthSettings
from rsmodels.training.load import Trained


def check_generator(trained: Trained, source: ChipSource) -> None:
    """See that the checkpoint is a generator for chips such as those of `source`.

    Raises
    ------
    ModelError : ``not-a-generator``, ``other-chip-size``, ``no-such-field``, ``no-such-band``, ``unlike-data-sets``.
    """
    if trained.kind != "generator":
        raise ModelError(
            "not-a-generator",
            "the checkpoint makes no images",
            value=f"{trained.path}: {trained.settings.model}",
            remedy="give the checkpoint of a generator, such as rs-spade or pix2pix",
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
