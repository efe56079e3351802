"""A trained model, ready to use."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from rsmodels.data.batch import ChipBatch
from rsmodels.data.fields import Field
from rsmodels.data.lineage import FILE_NAME as SEEN
from rsmodels.data.lineage import Seen
from rsmodels.data.normalise import Normaliser
from rsmodels.errors import ModelError
from rsmodels.generators.colorization import ColorizationTask
from rsmodels.generators.inpainting import InpaintTask
from rsmodels.nets.inpainting import Inpainted, composite
from rsmodels.nets.noise import NoiseForm
from rsmodels.tasks.base import Kind, Task
from rsmodels.tasks.models import model, resolve
from rsmodels.tasks.settings import RunSettings
from rsmodels.training import checkpoint
from rsmodels.training.device import device_of
from rsmodels.training.save import AVERAGE, CONFIG, MODEL, PARENTS, saved_normaliser
from rsprep.cloud.address import Address, Place, place
from rsprep.strict_yaml import load_yaml

_CALLED: Mapping[Kind, str] = {
    "generator": "a generator",
    "segmentation": "a segmenter",
    "classification": "a classifier",
    "retrieval": "a retriever",
    "inpainting": "an inpainter",
    "colorization": "a colorizer",
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Trained:
    """What a checkpoint holds, on a device."""

    path: Path
    address: str
    """What to load it by again, in another process, too."""
    task: Task
    network: nn.Module
    """The network in use: the running average of the weights where the run kept one."""
    normaliser: Normaliser
    settings: RunSettings
    chip_px: int
    manifest_hash: str
    """Names the checkpoint: hash over all its files."""
    parents: tuple[dict[str, Any], ...]
    """The data sets it was trained on: name, identity, split, number of chips."""
    seen: Seen
    device: torch.device

    @property
    def kind(self) -> Kind:
        """What it is for."""
        return self.task.kind

    @property
    def fields(self) -> tuple[Field, ...]:
        """What a batch must hold."""
        return self.task.fields

    @property
    def noise(self) -> NoiseForm | None:
        """What a generator draws for each chip; None for one that makes one image of given conditions."""
        form: NoiseForm | None = getattr(self.network, "noise", None)
        return form

    def generate(self, batch: ChipBatch, noise: Tensor | None = None) -> Tensor:
        """(B, C, y, x) float32 on the CPU, normalised: the image that a generator makes of a batch's conditions.

        Parameters
        ----------
        noise : (B, ...) as ``self.noise.seeded(seeds)`` draws it; without it, it follows from each chip's place in its
            store: the same chips give the same images. A generator that draws none has no use for it.

        Raises
        ------
        ModelError : ``not-a-generator``, ``no-noise``.
        """
        self.require("generator")
        if noise is None:
            return self._predict(batch)
        if self.noise is None:
            raise ModelError(
                "no-noise",
                "this generator draws no noise: it makes one image of given conditions",
                value=f"{self.path}: {self.settings.model}",
                remedy="leave the noise out, or take a stochastic generator such as csebgan",
            )
        return self._predict(batch, noise)

    def segment(self, batch: ChipBatch) -> Tensor:
        """(B, K, y, x) float32 logits on the CPU.

        Raises
        ------
        ModelError : ``not-a-segmenter``.
        """
        self.require("segmentation")
        return self._predict(batch)

    def classify(self, batch: ChipBatch) -> Tensor:
        """(B, K) float32 logits on the CPU: which scene each chip shows.

        Raises
        ------
        ModelError : ``not-a-classifier``.
        """
        self.require("classification")
        return self._predict(batch)

    def describe(self, batch: ChipBatch) -> Tensor:
        """(B, 2, n) float32 on the CPU: descriptions of length 1 of each place from the ground, and from above.

        Raises
        ------
        ModelError : ``not-a-retriever``.
        """
        self.require("retrieval")
        return self._predict(batch)

    def colorize(self, batch: ChipBatch) -> Tensor:
        """(B, 3, y, x) float32 on the CPU, normalised: red, green and blue of what each chip is without them.

        Raises
        ------
        ModelError : ``not-a-colorizer``.
        """
        self.require("colorization")
        return self._predict(batch)

    def grey(self, batch: ChipBatch) -> Tensor:
        """(B, 1, y, x) of -1 to 1: what a colorizer starts from; raises as :meth:`colorize`."""
        self.require("colorization")
        return cast(ColorizationTask, self.task).grey(batch)

    @torch.no_grad()
    def colours_of(self, grey: Tensor, *, keep_lightness: bool | None = None) -> Tensor:
        """(B, 3, y, x) float32 on the CPU, normalised: red, green and blue of grey images.

        Parameters
        ----------
        grey : (B, 1, y, x) of -1 to 1, 0 where there is no data; of any size.
        keep_lightness : take `grey` for their lightness instead of the network's; None: as the run has it.

        Raises
        ------
        ModelError : ``not-a-colorizer``.
        """
        self.require("colorization")
        task = cast(ColorizationTask, self.task)
        layout = torch.channels_last if self.settings.channels_last else torch.preserve_format
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.settings.precision == "bf16"):
            return task.colours(self.network, grey.to(self.device, memory_format=layout), keep_lightness).cpu()

    @torch.no_grad()
    def inpaint(self, images: Tensor, mask: Tensor) -> Tensor:
        """(B, C, y, x) float32 on the CPU: repaired images, those given bit for bit where nothing is hidden.

        Parameters
        ----------
        images : (B, C, y, x) as the normaliser scales them, of any size; what the mask hides is not looked at.
        mask : (B, 1, y, x), 1 where an image is hidden.

        Raises
        ------
        ModelError : ``not-an-inpainter``, ``unlike-mask``.
        """
        return composite(self.inpainted(images, mask).refined, images.cpu(), mask.cpu())

    @torch.no_grad()
    def inpainted(self, images: Tensor, mask: Tensor) -> Inpainted:
        """Coarse and refined map, (B, C, y, x) float32 on the CPU, before they are laid into the images."""
        self.require("inpainting")
        task = cast(InpaintTask, self.task)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.settings.precision == "bf16"):
            maps = task.maps(self.network, images.to(self.device), mask.to(self.device))
        return Inpainted(*(one.cpu() for one in maps))

    @torch.no_grad()
    def _predict(self, batch: ChipBatch, *more: Tensor) -> Tensor:
        moved = batch.to(self.device, channels_last=self.settings.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.settings.precision == "bf16"):
            return self.task.predict(self.network, moved, *more).cpu()

    def require(self, kind: Kind) -> None:
        """Raise ModelError ``not-a-generator``, ``not-a-segmenter`` and so on where it is for something else."""
        if self.kind != kind:
            wanted = _CALLED[kind]
            raise ModelError(
                f"not-{wanted.replace(' ', '-')}",
                f"the checkpoint holds no {wanted.split(' ', 1)[1]}",
                value=f"{self.path}: {self.settings.model}",
                remedy=f"give the checkpoint of {wanted}",
            )


def _address(given: str | Place, manifest: checkpoint.Manifest) -> str:
    """The very checkpoint, where `given` may be a run."""
    home = place(given)
    if not isinstance(home, Address):
        return str(manifest.path.resolve())
    is_run = manifest.path.parent.name == checkpoint.FOLDER and home.name != manifest.path.name
    return str(home / checkpoint.FOLDER / manifest.path.name if is_run else home)


def load(path: str | Place, *, device: str = "auto") -> Trained:
    """A trained model from a checkpoint, or from a run, of which the newest whole checkpoint is taken.

    Parameters
    ----------
    device : cpu, cuda, or auto for a GPU where there is one.

    Raises
    ------
    ModelError : ``no-checkpoint``, ``torn-checkpoint``, ``no-gpu``.
    """
    manifest = checkpoint.find(path)
    on = device_of(device)
    settings = resolve(load_yaml(checkpoint.read_text(manifest, CONFIG)))
    normaliser = saved_normaliser(manifest)
    record = json.loads(checkpoint.read_text(manifest, PARENTS))
    task = model(settings.model).build(settings, normaliser, record["chip_px"], None)
    task.networks.load_state_dict(checkpoint.read_tensors(manifest, MODEL))
    network = task.networks[task.main]
    if AVERAGE in manifest.files:
        network.load_state_dict(checkpoint.read_tensors(manifest, AVERAGE))
    network = network.to(on).eval().requires_grad_(False)
    if settings.channels_last:
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks it
    return Trained(
        path=manifest.path,
        address=_address(path, manifest),
        task=task,
        network=network,
        normaliser=normaliser,
        settings=settings,
        chip_px=record["chip_px"],
        manifest_hash=manifest.digest,
        parents=tuple(record["data"]),
        seen=Seen.read(manifest.path / SEEN),
        device=on,
    )
