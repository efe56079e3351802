"""What can be trained, by name, with its presets."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from rsmodels.data.normalise import Normaliser
from rsmodels.data.scenes import SCENE
from rsmodels.errors import ModelError
from rsmodels.generators.base import IMAGE, conditions_of
from rsmodels.generators.colorization import CHANNELS, ColorizationTask
from rsmodels.generators.colorization_settings import ColorizationSettings
from rsmodels.generators.gan import GanTask
from rsmodels.generators.inpainting import InpaintTask
from rsmodels.generators.inpainting_settings import CoarseToFineSettings, InpaintSettings, InpaintUNetSettings
from rsmodels.generators.semantic import SemanticTask
from rsmodels.generators.semantic_settings import (
    CladeSettings,
    CsebganSettings,
    InadeSettings,
    Pix2PixHDSettings,
    SemanticSettings,
    SpadeSettings,
    VspadeSettings,
)
from rsmodels.generators.settings import GanSettings, GeneratorSettings, Pix2PixSettings, RsSpadeSettings
from rsmodels.nets.bmmaenet import BmmaeNet
from rsmodels.nets.clade import CladeGenerator
from rsmodels.nets.csebgan import CsebganGenerator
from rsmodels.nets.hrnet import HrNet
from rsmodels.nets.inade import InadeGenerator
from rsmodels.nets.inpainting import CoarseToFine, InpaintUNet
from rsmodels.nets.pix2pixhd import Pix2PixHDGenerator
from rsmodels.nets.rs_spade import RsSpadeGenerator
from rsmodels.nets.rs_unet import RsUNet
from rsmodels.nets.scene_vgg import SceneVgg
from rsmodels.nets.segmenter import Segmenter
from rsmodels.nets.spade import SpadeGenerator
from rsmodels.nets.unet import UNetGenerator
from rsmodels.nets.views import ViewMatcher
from rsmodels.nets.vspade import ImageEncoder, VspadeGenerator
from rsmodels.tasks.base import Task
from rsmodels.tasks.classification import ClassificationSettings, ClassificationTask
from rsmodels.tasks.frozen import Helpers
from rsmodels.tasks.presets import PRESETS
from rsmodels.tasks.retrieval import RetrievalSettings, RetrievalTask
from rsmodels.tasks.segmentation import HrNetSettings, SegmentationSettings, SegmentationTask, SegmenterSettings
from rsmodels.tasks.settings import RunSettings
from rsprep.settings import Section, laid_over, make_settings

Build = Callable[[Any, Normaliser, int, Helpers | None], Task]


@dataclass(frozen=True, kw_only=True)
class Model:
    """One entry of the registry."""

    settings: type[RunSettings]
    build: Build
    """Settings, normaliser, pixels along a chip's side, and what it looks through while it learns, to the task."""
    title: str


def _paired(generator: Callable[..., nn.Module]) -> Build:
    """A generator that is trained as pix2pix is."""

    def build(settings: GanSettings, normaliser: Normaliser, chip_px: int, helpers: Helpers | None) -> Task:
        return GanTask(settings, normaliser, _generator(generator, settings, normaliser, chip_px))

    return build


def _painted(generator: Callable[..., nn.Module], encoder: Callable[..., nn.Module] | None = None) -> Build:
    """A generator of a label map, with an encoder of real images if it is a variational one."""

    def build(settings: SemanticSettings, normaliser: Normaliser, chip_px: int, helpers: Helpers | None) -> Task:
        made = _generator(generator, settings, normaliser, chip_px)
        eye = None if encoder is None else encoder(normaliser.channels(IMAGE), chip_px, _network(settings))
        return SemanticTask(settings, normaliser, made, encoder=eye, helpers=helpers)

    return build


def _generator(
    generator: Callable[..., nn.Module], settings: GeneratorSettings, normaliser: Normaliser, chip_px: int
) -> nn.Module:
    conditions = conditions_of(normaliser, settings.conditions)
    return generator(conditions, normaliser.channels(IMAGE), chip_px, _network(settings))


def _network(settings: RunSettings) -> Section:
    network: Section = settings.network  # type: ignore[attr-defined]  # every model's settings have one of their own
    return network


def _segmenting(network: Callable[[int, int, Any], Segmenter]) -> Build:
    """A segmentation network: bands, classes and settings of its own."""

    def build(settings: SegmenterSettings, normaliser: Normaliser, chip_px: int, helpers: Helpers | None) -> Task:
        bands, classes = normaliser.channels(IMAGE), normaliser.channels("label")
        return SegmentationTask(settings, normaliser, network(bands, classes, _network(settings)))

    return build


def _inpainting(network: Callable[[int, Any], nn.Module]) -> Build:
    """A network that fills what a mask hides: bands and settings of its own."""

    def build(settings: InpaintSettings, normaliser: Normaliser, chip_px: int, helpers: Helpers | None) -> Task:
        made = network(normaliser.channels(IMAGE), _network(settings))
        if helpers is not None and isinstance(made, CoarseToFine):  # else its weights come from a checkpoint
            made.begin()
        return InpaintTask(settings, normaliser, made, chip_px, helpers=helpers)

    return build


def _colouring(settings: ColorizationSettings, normaliser: Normaliser, chip_px: int, helpers: Helpers | None) -> Task:
    """A network that gives grey images their colours."""
    return ColorizationTask(settings, normaliser, BmmaeNet(CHANNELS, settings.network))


def _classification(
    settings: ClassificationSettings, normaliser: Normaliser, chip_px: int, helpers: Helpers | None
) -> Task:
    network = SceneVgg(normaliser.channels(IMAGE), normaliser.channels(SCENE), settings.network)
    if helpers is not None:  # else its weights come from a checkpoint
        network.begin()
    return ClassificationTask(settings, normaliser, network)


def _matching(settings: RetrievalSettings, normaliser: Normaliser, chip_px: int, helpers: Helpers | None) -> Task:
    """Two branches that describe views of a place alike."""
    ground, satellite, places = (normaliser.channels(name) for name in (IMAGE, "satellite", "place"))
    return RetrievalTask(settings, normaliser, ViewMatcher(ground, satellite, places, settings.network))


MODELS: Mapping[str, Model] = {
    "rs-spade": Model(settings=RsSpadeSettings, build=_paired(RsSpadeGenerator), title="RS-SPADE"),
    "pix2pix": Model(settings=Pix2PixSettings, build=_paired(UNetGenerator), title="pix2pix"),
    "csebgan": Model(settings=CsebganSettings, build=_painted(CsebganGenerator), title="CSEBGAN"),
    "spade": Model(settings=SpadeSettings, build=_painted(SpadeGenerator), title="SPADE"),
    "vspade": Model(settings=VspadeSettings, build=_painted(VspadeGenerator, ImageEncoder), title="VSPADE"),
    "clade": Model(settings=CladeSettings, build=_painted(CladeGenerator), title="CLADE"),
    "inade": Model(settings=InadeSettings, build=_painted(InadeGenerator), title="INADE"),
    "pix2pixhd": Model(settings=Pix2PixHDSettings, build=_painted(Pix2PixHDGenerator), title="pix2pixHD"),
    "inpaint": Model(settings=CoarseToFineSettings, build=_inpainting(CoarseToFine), title="coarse-to-fine inpainting"),
    "inpaint-unet": Model(settings=InpaintUNetSettings, build=_inpainting(InpaintUNet), title="U-Net inpainting"),
    "bmmaenet": Model(settings=ColorizationSettings, build=_colouring, title="BMMAENet"),
    "segmentation": Model(settings=SegmentationSettings, build=_segmenting(RsUNet), title="RS-UNet"),
    "hrnet": Model(settings=HrNetSettings, build=_segmenting(HrNet), title="HRNet"),
    "retrieval": Model(settings=RetrievalSettings, build=_matching, title="LPN"),
    "classification": Model(settings=ClassificationSettings, build=_classification, title="VGG16-BN"),
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
    values : ``model``, optionally ``preset`` (one name, or several of which later ones go over earlier ones, as a list
        or with commas), and any keys of that model's settings.

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
    return make_settings(entry.settings, laid_over(base, given))


def preset(name: str, chosen: str | Sequence[str]) -> dict[str, Any]:
    """What presets of the model `name` set, later ones over earlier; ModelError ``no-such-preset``."""
    model(name)
    known = PRESETS[name]
    merged: dict[str, Any] = {}
    for one in [part.strip() for part in chosen.split(",")] if isinstance(chosen, str) else chosen:
        if one not in known:
            raise ModelError(
                "no-such-preset",
                f"{name} has no preset of this name",
                value=one,
                remedy=f"one of {', '.join(known)}",
            )
        merged = laid_over(merged, known[one])
    return merged
