"""The model card that goes with every checkpoint, written from what the run knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import rsprep
from rsmodels.data.normalise import Normaliser
from rsmodels.generators.base import GeneratorTask
from rsmodels.tasks.base import Task
from rsmodels.tasks.models import model
from rsmodels.tasks.settings import RunSettings

if TYPE_CHECKING:
    from rsmodels.training.setup import Material

_USES = {
    "generator": (
        "Makes images from conditions, to add to the train split of the data set it was trained on "
        "(`rsmodels synth-augment`). Its images are not observations: they must not be measured on, and must not serve "
        "to validate or test anything."
    ),
    "segmentation": "Finds the class of every pixel of chips like those it was trained on (`rsmodels evaluate`).",
    "classification": "Tells which kind of scene a chip shows (`rsmodels evaluate`).",
    "retrieval": "Finds the place that a view was taken at among views from above (`rsmodels evaluate`).",
    "inpainting": "Fills what a mask hides, such as clouds (`rsmodels inpaint`); what it fills in was never observed.",
    "colorization": "Gives grey images colours (`rsmodels colorize`); they are likely ones, and were never observed.",
}


def card(
    settings: RunSettings,
    material: Material,
    normaliser: Normaliser,
    task: Task,
    step: int,
    steps: int,
    scores: Mapping[str, float],
) -> str:
    """The card as Markdown."""
    lines = [
        f"# {model(settings.model).title}, step {step:,} of {steps:,}",
        "",
        _USES[task.kind],
        "",
        "## Data",
        *_data(material),
        "",
        "## Input and output",
        *_fields(task, normaliser),
        "",
        "## Scores",
        *_scores(settings, material, scores),
        "",
        "## Limits",
        *_limits(settings, task, material),
        "",
        "## Made with",
        f"- rsprep {rsprep.__version__}, seed {settings.seed}, batch {settings.batch}, {settings.precision}",
        f"- {sum(weight.numel() for weight in task.networks[task.main].parameters()):,} weights in use; "
        "all settings in `config.yaml`",
    ]
    return "\n".join(lines) + "\n"


def _data(material: Material) -> Iterator[str]:
    for one in material.parents:
        kind = "synthetic" if one["synthetic"] else "real"
        chips = f"{one['chips']:,} {kind} chips of its {one['split']} split"
        yield f"- {one['name']}: {chips}, identity `{one['identity']}`"
    yield f"- {len(material.seen):,} chips seen in all, those behind synthetic ones included (`seen.parquet`)"


def _fields(task: Task, normaliser: Normaliser) -> Iterator[str]:
    for one in task.fields:
        bands = f", bands {', '.join(one.bands)}" if one.bands else ""
        classes = f", classes {', '.join(one.classes)}" if one.classes else ""
        yield f"- {one.name}: `{one.variable}`{bands}{classes}; {normaliser.channels(one.name)} channels"
    yield "- normalised as `normaliser.json` says; fitted on training chips only"


def _scores(settings: RunSettings, material: Material, scores: Mapping[str, float]) -> Iterator[str]:
    if not scores:
        yield "- none yet"
        return
    yield f"On at most {settings.validate_chips:,} {settings.validate_on} chips of {material.parents[0]['name']}:"
    yield ""
    for name, value in scores.items():
        yield f"- {name}: {value:.4f}"


def _limits(settings: RunSettings, task: Task, material: Material) -> Iterator[str]:
    yield (
        f"- Chips of {material.chip_px} pixels from the data sets above; other sensors, seasons, places and processing "
        "may differ from all it has seen."
    )
    if isinstance(task, GeneratorTask):
        if task.noise is None:
            yield "- It gives one image for given conditions; what they do not tell, it averages or invents."
        else:
            yield "- It gives an image for given conditions and noise; what the conditions do not tell, it invents."
    if settings.split != "train":
        yield f"- It saw the {settings.split} split: it is refused wherever that split is held out."
