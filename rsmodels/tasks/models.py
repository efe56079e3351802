"""What can be trained, by name, with its presets."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rsmodels.data.normalise import Normaliser
from rsmodels.errors import ModelError
from rsmodels.generators.base import conditions_of
from rsmodels.generators.gan import GanTask
from rsmodels.generators.settings import Pix2PixSettings, RsSpadeSettings
from rsmodels.nets.rs_spade import RsSpadeGenerator
from rsmodels.nets.unet import UNetGenerator
from rsmodels.tasks.base import Task
from rsmodels.tasks.presets import PRESETS
from rsmodels.tasks.segmentation import SegmentationSettings, SegmentationTask
from rsmodels.tasks.settings import RunSettings
from rsprep.settings import make_settings


@dataclass(frozen=True, kw_only=True)
class Model:
    """One entry of the registry."""

    settings: type[RunSettings]
    build: Callable[[Any, Normaliser, int], Task]
    """Settings, normaliser and pixels along a chip's side to the task."""
    title: str


def _pix2pix(settings: Pix2PixSettings, normaliser: Normaliser, chip_px: int) -> Task:
    conditions = conditions_of(normaliser, settings.conditions)
    return GanTask(
        settings, normaliser, UNetGenerator(conditions, normaliser.channels("image"), chip_px, settings.network)
    )


def _rs_spade(settings: RsSpadeSettings, normaliser: Normaliser, chip_px: int) -> Task:
    conditions = conditions_of(normaliser, settings.conditions)
    return GanTask(
        settings, normaliser, RsSpadeGenerator(conditions, normaliser.channels("image"), chip_px, settings.network)
    )


MODELS: Mapping[str, Model] = {
    "rs-spade": Model(settings=RsSpadeSettings, build=_rs_spade, title="RS-SPADE"),
    "pix2pix": Model(settings=Pix2PixSettings, build=_pix2pix, title="pix2pix"),
    "segmentation": Model(settings=SegmentationSettings, build=SegmentationTask, title="RS-UNet"),
}


def model(name: str) -> Model:
    """The entry of this name; ModelError ``no-such-model`` with what there is."""
    if name not in MODELS:
        close = difflib.get_close_matches(name, MODELS, n=1)
        raise ModelError(
            "no-such-model",
            "nothing of this name can be trained",
            value=name,
            remedy=f"did you mean {close[0]!r}?" if close else f"one of {', '.join(MODELS)}",
        )
    return MODELS[name]


def resolve(values: Mapping[str, Any]) -> RunSettings:
    """Settings of a run: a preset, and over it what was given.

    Parameters
    ----------
    values : ``model``, optionally ``preset``, and any keys of that model's settings.

    Raises
    ------
    ModelError : ``no-such-model``, ``no-such-preset``; ConfigError for any other key or value that is wrong.
    """
    given = dict(values)
    entry = model(str(given.get("model", "")))
    chosen = given.pop("preset", None)
    base = {} if chosen is None else preset(given["model"], chosen)
    if "steps" in given or "epochs" in given:
        base = {key: value for key, value in base.items() if key not in ("steps", "epochs")}
    return make_settings(entry.settings, _over(base, given))


def preset(name: str, chosen: str) -> dict[str, Any]:
    """What the preset `chosen` of the model `name` sets; ModelError ``no-such-preset`` with those there are."""
    model(name)
    known = PRESETS[name]
    if chosen not in known:
        raise ModelError(
            "no-such-preset",
            f"{name} has no preset of this name",
            value=chosen,
            remedy=f"one of {', '.join(known)}",
        )
    return dict(known[chosen])


def _over(base: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """`given` laid over `base`, sections key by key."""
    merged = dict(base)
    for key, value in given.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _over(merged[key], value) if both else value
    return merged
