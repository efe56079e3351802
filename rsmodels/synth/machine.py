"""Make synthetic chips: conditions of a parent, varied, through the generator, as a store holds them."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rsmodels.data.augment import turn
from rsmodels.data.batch import ChipBatch, ChipKey
from rsmodels.data.fields import Field
from rsmodels.data.raw import ChipFields
from rsmodels.data.source import ChipSource
from rsmodels.generators.settings import GeneratorSettings
from rsmodels.metrics.nearest import Gallery
from rsmodels.synth.edits import ClassFigures, exchange
from rsmodels.synth.nearness import IMAGE, gallery_of, nearest_chips
from rsmodels.synth.painting import painted_where
from rsmodels.synth.settings import SynthSettings
from rsmodels.synth.variations import Variation
from rsmodels.training.load import Trained, load
from rsprep.corpus.plan import Batch, CorpusChip, MadeChip
from rsprep.errors import BuildError, StoreError
from rsprep.store.digest import chip_digest

NO_REGION = "no region of the chip can take another class"
NOT_FINITE = "the generator made numbers that are not finite"


@dataclass(frozen=True, kw_only=True)
class SynthWork:
    """What every worker must know; small."""

    data: str
    """Folder of the parents' data set."""
    identity: str
    """Of that data set."""
    checkpoint: str
    """Folder of the checkpoint."""
    manifest_hash: str
    share: float
    """Of its train chips."""
    device: str
    clear: str | None
    """Variable of the synthetic store that is 1 where the image is; None without one."""
    figures: ClassFigures | None
    """For edits."""

    @property
    def key(self) -> tuple[str | float, ...]:
        """Tells one generator with its data from another."""
        return self.data, self.identity, self.checkpoint, self.manifest_hash, self.share, self.device


@dataclass(frozen=True, kw_only=True, eq=False)
class Machine:
    """A generator and the data set that it takes conditions from; loaded once a process."""

    trained: Trained
    reader: ChipFields
    """Of the conditions."""
    gallery: Gallery
    """Of the train chips, to see how near an image comes to them."""
    alone: threading.Lock
    """The network's mode is switched while it generates: one thread at a time."""


_machines: dict[tuple[str | float, ...], Machine] = {}
_loading = threading.Lock()


def machine(work: SynthWork) -> Machine:
    """The machine of this process for `work`.

    Raises
    ------
    BuildError : ``inputs-changed`` where data set or checkpoint are no longer those of the plan.
    """
    with _loading:
        if work.key not in _machines:
            _machines.clear()  # one at a time: a generator may fill a GPU
            trained = load(work.checkpoint, device=work.device)
            source = ChipSource.open(work.data, share=work.share)
            if (trained.manifest_hash, source.identity) != (work.manifest_hash, work.identity):
                raise BuildError(
                    "inputs-changed",
                    "the checkpoint or the data set is no longer the one that the work was planned with",
                    value=f"{work.checkpoint}, {work.data}",
                    remedy="put them back, or make another data set from what is there now",
                )
            reader = ChipFields(source, conditions_of(trained.fields))
            gallery = gallery_of(source, trained)
            _machines[work.key] = Machine(trained=trained, reader=reader, gallery=gallery, alone=threading.Lock())
        return _machines[work.key]


def conditions_of(fields: Sequence[Field]) -> tuple[Field, ...]:
    """What an image is generated from."""
    return tuple(field for field in fields if field.name != IMAGE)


def make_synthetic(batch: Batch) -> Iterator[MadeChip]:
    """The synthetic chips of one shard, in order.

    The generator is always given the same number of chips, so that the numbers of one do not depend on how many others
    are made with it; a generator whose batch norm looks at the batch is given one at a time.
    """
    settings, work = batch.settings, batch.shared
    if not isinstance(settings, SynthSettings) or not isinstance(work, SynthWork):
        raise TypeError("a batch of another corpus")
    made_by = machine(work)
    run = made_by.trained.settings
    size = 1 if isinstance(run, GeneratorSettings) and run.statistics == "batch" else settings.batch
    for first in range(0, len(batch.chips), size):
        yield from _generated(batch.chips[first : first + size], made_by, work, size)


Image = tuple[NDArray[Any], NDArray[np.bool_], bool]
"""An image as it is stored ([bands], y, x), where it is valid (y, x), and whether its numbers are finite."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Conditions:
    """The conditions of one chip: as they are stored, and as the network sees them; or why there are none."""

    raw: dict[str, NDArray[Any]]
    values: dict[str, NDArray[Any]]
    valid: dict[str, NDArray[np.bool_]]
    seed: int
    """Of the noise."""


def _generated(chips: Sequence[CorpusChip], made_by: Machine, work: SynthWork, size: int) -> Iterator[MadeChip]:
    found = [_conditions(chip, made_by, work) for chip in chips]
    whole = [one for one in found if isinstance(one, _Conditions)]
    images = list(_images(whole, made_by, size)) if whole else []
    turned = [chip.payload["element"] for chip, one in zip(chips, found, strict=True) if isinstance(one, _Conditions)]
    near = nearest_chips(made_by.gallery, made_by.trained, [image[:2] for image in images], turned) if whole else []
    pairs = zip(images, near, strict=True)
    for chip, one in zip(chips, found, strict=True):
        yield one if isinstance(one, MadeChip) else _made(chip, one, *next(pairs), made_by, work)


def _conditions(chip: CorpusChip, made_by: Machine, work: SynthWork) -> _Conditions | MadeChip:
    """Read, turn, edit and encode the conditions of a chip's parent."""
    reader, normaliser = made_by.reader, made_by.trained.normaliser
    variation = _variation(chip)
    try:
        raw, _ = reader.read(chip.payload["slot"])
    except StoreError as error:
        return MadeChip(quarantined=f"{error.name}: {error.cause}")
    terrain = [field.name for field in reader.fields if field.kind == "terrain"]
    lit = {"light": reader.light(terrain[0])} if terrain else {}
    turned = turn(raw, variation.element, reader.fields, **lit)
    if variation.edit:
        if work.figures is None:
            raise ValueError(f"{chip.chip_id}: an edit without figures of the classes")
        edited = exchange(turned, work.figures, chip.payload["edit_seed"])
        if edited is None:
            return MadeChip(rejected=NO_REGION)
        turned = edited
    own = {name: np.array(values, order="C") for name, values in turned.items()}  # the reader uses its memory again
    encoded = {name: normaliser.encode(name, values[None]) for name, values in own.items()}
    return _Conditions(
        raw=own,
        values={name: values for name, (values, _) in encoded.items()},
        valid={name: valid for name, (_, valid) in encoded.items()},
        seed=chip.payload["noise_seed"],
    )


def _images(conditions: Sequence[_Conditions], made_by: Machine, size: int) -> Iterator[Image]:
    """What the generator makes of the conditions and each one's noise; it is given `size` chips, some again."""
    padded = [*conditions, *[conditions[-1]] * (size - len(conditions))]
    names = conditions[0].values
    batch = ChipBatch(
        values={name: torch.from_numpy(np.concatenate([one.values[name] for one in padded])) for name in names},
        valid={name: torch.from_numpy(np.concatenate([one.valid[name] for one in padded])) for name in names},
        chips=tuple(ChipKey(0, number) for number in range(size)),
    )
    form = made_by.trained.noise
    noise = None if form is None else form.seeded([one.seed for one in padded])
    with made_by.alone:
        image = made_by.trained.generate(batch, noise)[: len(conditions)].float().cpu()
    valid = painted_where(made_by.reader.fields, batch.valid)[: len(conditions)]
    finite = image.flatten(1).sum(dim=1).isfinite()  # one that is not spoils the sum
    image[~finite] = 0
    stored = made_by.trained.normaliser.to_store(IMAGE, image, valid)
    return zip(stored, valid[:, 0].numpy(), finite.tolist(), strict=True)


def _made(
    chip: CorpusChip,
    conditions: _Conditions,
    generated: Image,
    nearest: tuple[float, str],
    made_by: Machine,
    work: SynthWork,
) -> MadeChip:
    image, valid, finite = generated
    if not finite:
        return MadeChip(quarantined=NOT_FINITE)
    fields = {field.name: field for field in made_by.trained.fields}
    arrays = {fields[name].variable: values for name, values in conditions.raw.items()}
    variation = _variation(chip)
    stats: dict[str, Any] = {
        "valid_fraction": float(valid.mean()),
        "sources": {"parent": [chip.payload["parent"]], "generator": [work.manifest_hash]},
        "lineage": f"generated by {made_by.trained.settings.model} ({work.manifest_hash[:16]}) "
        f"from the conditions of {chip.payload['parent']} ({variation.name})",
        "conditions": chip_digest(arrays),
        "image": chip_digest({fields[IMAGE].variable: image}),
        "noise": None if made_by.trained.noise is None else conditions.seed,
    }
    for field in made_by.reader.fields:
        if field.kind == "classes":
            codes, counts = np.unique(conditions.raw[field.name], return_counts=True)
            stats["class_counts"] = {str(code): int(count) for code, count in zip(codes, counts, strict=True)}
    arrays[fields[IMAGE].variable] = image
    if work.clear is not None:
        arrays[work.clear] = valid.astype(np.uint8)
    values: dict[str, float | int | str | bool] = {
        "parent_id": chip.payload["parent"],
        "parent_digest": chip.payload["digest"],
        "checkpoint": work.manifest_hash,
        "variation": variation.name,
        "noise_seed": chip.payload["noise_seed"],
        "nearest_distance": nearest[0],
        "nearest_id": nearest[1],
    }
    return MadeChip(arrays=arrays, values=values, stats=stats)


def _variation(chip: CorpusChip) -> Variation:
    return Variation(**{name: chip.payload[name] for name in ("element", "edit", "sample")})
