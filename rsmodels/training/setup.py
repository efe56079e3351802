"""From settings to everything a run works with: data sets, fields, normaliser, task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsmodels.data.fields import Field
from rsmodels.data.lineage import Seen, check_training_mix, refuse_leaks, seen_by
from rsmodels.data.normalise import Normaliser
from rsmodels.data.order import Stream
from rsmodels.data.source import ChipSource, check_alike
from rsmodels.errors import ModelError
from rsmodels.tasks.base import Task
from rsmodels.tasks.models import model
from rsmodels.tasks.settings import RunSettings
from rsmodels.training.helpers import find_helpers, make_helpers, targets
from rsmodels.training.load import Trained
from rsprep.cloud.address import absolute


@dataclass(frozen=True, kw_only=True, eq=False)
class Material:
    """What a run learns from."""

    sources: tuple[ChipSource, ...]
    fields: tuple[Field, ...]
    stream: Stream
    steps: int
    """Steps of the whole run."""
    seen: Seen
    parents: tuple[dict[str, Any], ...]
    """What the checkpoint tells of each data set."""
    helpers: Mapping[str, Trained]
    """Trained networks that it learns from, by what they are to it."""

    @property
    def chip_px(self) -> int:
        """Pixels along a chip's side."""
        return self.sources[0].schema.chip_px


def gather(settings: RunSettings) -> Material:
    """Open the data sets and see that they can be trained on.

    Raises
    ------
    StoreError, ModelError : a data set cannot be read, lacks a field, differs from the others, or holds synthetic chips
        that come from chips which the others hold out (``saw-held-out``); ``batch-too-large``.
    """
    shares = (settings.share, *(1.0 for _ in settings.data[1:]))
    sources = tuple(ChipSource.open(path, share=share) for path, share in zip(settings.data, shares, strict=True))
    if len({source.identity for source in sources}) < len(sources):
        raise ModelError(
            "same-data-set",
            "a data set is named twice",
            value=", ".join(settings.data),
            remedy="name it once; --ratio says how often its chips come",
        )
    fields = settings.fields(sources[0])
    helpers = find_helpers(settings, fields)
    fields += targets(helpers, sources[0])
    check_alike(sources, fields)
    for source in sources:  # one's training chips may lie where another's test chips do
        for judge in sources:
            if judge is not source and not judge.chips.synthetic.all():
                refuse_leaks(seen_by([source], settings.split), judge, who=source.name)
    if settings.split == "train":
        check_training_mix(sources, [source for source in sources if not source.chips.synthetic.all()])
    ratio = settings.ratio or (1,) * len(sources)
    stream = Stream.of(sources, ratio, settings.seed, split=settings.split, window=settings.loading.window)
    _check_batch(settings, sources)
    steps = settings.steps or -(-stream.epoch_length * settings.epochs // settings.batch)
    return Material(
        sources=sources,
        fields=fields,
        stream=stream,
        steps=steps,
        seen=seen_by(sources, settings.split).merge(*(helper.seen for helper in helpers.values())),
        parents=tuple(_parent(source, settings.split, share) for source, share in zip(sources, ratio, strict=True)),
        helpers=helpers,
    )


def _check_batch(settings: RunSettings, sources: Sequence[ChipSource]) -> None:
    """A batch is held in memory; one of more chips than there are would hold each several times."""
    chips = sum(len(source.of_split(settings.split)) for source in sources)
    if settings.batch > chips:
        raise ModelError(
            "batch-too-large",
            f"a batch holds no more chips than there are to train on, which is {chips:,}",
            value=settings.batch,
            remedy="give a smaller --batch",
        )


def fit_normaliser(settings: RunSettings, material: Material) -> Normaliser:
    """Statistics of the training chips; of real ones alone where there are any, so that a mix changes no input."""
    real = [source for source in material.sources if not source.chips.synthetic.all()]
    return Normaliser.fit(
        real or list(material.sources),
        material.fields,
        split=settings.split,
        seed=settings.seed,
        how=settings.normalise,
    )


def make_task(settings: RunSettings, normaliser: Normaliser, material: Material) -> Task:
    """The networks, with random weights, and what they are to achieve."""
    helpers = make_helpers(settings, material.helpers, normaliser)
    return model(settings.model).build(settings, normaliser, material.chip_px, helpers)


def held_out(settings: RunSettings, sources: Sequence[ChipSource]) -> tuple[ChipSource, NDArray[np.int64]] | None:
    """The data set and the slots that validations look at: evenly spread over its chips; None where there are none."""
    if settings.validate_on is None or not (slots := sources[0].of_split(settings.validate_on)).size:
        return None
    every = -(-len(slots) // settings.validate_chips)
    return sources[0], slots[::every]


def _parent(source: ChipSource, split: str, share: int) -> dict[str, Any]:
    return {
        "name": source.name,
        "path": str(absolute(source.folder)),
        "identity": source.identity,
        "split": split,
        "chips": len(source.of_split(split)),
        "synthetic": bool(source.chips.synthetic.all()),
        "share": share,
    }
