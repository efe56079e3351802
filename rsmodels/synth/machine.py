"""Make synthetic chips: conditions of a parent, varied, through the generator, as a store holds them."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rsmodels.data.augment import turn
from rsmodels.data.batch import ChipBatch, ChipKey
from rsmodels.data.raw import ChipFields
from rsmodels.data.source import ChipSource
from rsmodels.generators.settings import GeneratorSettings
from rsmodels.metrics.nearest import Gallery
from rsmodels.synth.edits import ClassFigures, exchange
from rsmodels.synth.nearness import IMAGE, gallery_of, nearest_chips
from rsmodels.synth.painting import lent_fields, painted_where, recolours
from rsmodels.synth.recolour import brought_to, colour_figures, lightened
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
    """Of what parents lend."""
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
            reader = ChipFields(source, lent_fields(trained, source))
            gallery = gallery_of(source, trained)
            _machines[work.key] = Machine(trained=trained, reader=reader, gallery=gallery, alone=threading.Lock())
        return _machines[work.key]


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
        yield from _generated(batch.chips[first : first + size], made_by, work, size, settings.strength)


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
    colours: NDArray[np.float32] | None
    """That a recoloured image is brought to, as `colour_figures` has them; None for an image that is painted."""


def _generated(
    chips: Sequence[CorpusChip], made_by: Machine, work: SynthWork, size: int, strength: float
) -> Iterator[MadeChip]:
    found = [_conditions(chip, made_by, work) for chip in chips]
    whole = [one for one in found if isinstance(one, _Conditions)]
    images = list(_images(whole, made_by, size, strength)) if whole else []
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
        colours = _colours(chip.payload["reference"], made_by) if recolours(made_by.trained) else None
        raw, clear = reader.read(chip.payload["slot"])
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
    seen = {name: values[None].copy() for name, values in turn(clear, variation.element, ()).items()}
    known = [name for name in own if name in normaliser.scalings]
    encoded = {name: normaliser.encode(name, own[name][None], seen.get(name)) for name in known}
    return _Conditions(
        raw=own,
        values={name: values for name, (values, _) in encoded.items()},
        valid={name: valid for name, (_, valid) in encoded.items()},
        seed=chip.payload["noise_seed"],
        colours=colours,
    )


def _colours(slot: int, made_by: Machine) -> NDArray[np.float32]:
    """What the colours of the train chip in `slot` are like."""
    normaliser, (raw, clear) = made_by.trained.normaliser, made_by.reader.read(slot)
    seen = None if IMAGE not in clear else clear[IMAGE][None]
    values, valid = normaliser.encode(IMAGE, raw[IMAGE][None], seen)
    return colour_figures(normaliser.unit(IMAGE, torch.from_numpy(values))[0], torch.from_numpy(valid[0, 0]))


def _images(conditions: Sequence[_Conditions], made_by: Machine, size: int, strength: float) -> Iterator[Image]:
    """What the model makes of the conditions and each one's noise; it is given `size` chips, some again."""
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
        again = recolours(made_by.trained)
        painted = made_by.trained.colorize(batch) if again else made_by.trained.generate(batch, noise)
    image = painted[: len(conditions)].float().cpu()
    where = batch.valid[IMAGE] if again else painted_where(made_by.reader.fields, batch.valid)
    valid = where[: len(conditions)]
    if again:
        image = _recoloured(image, batch.values[IMAGE], valid, conditions, made_by.trained, strength)
    finite = image.flatten(1).sum(dim=1).isfinite()  # one that is not spoils the sum
    image[~finite] = 0
    stored = made_by.trained.normaliser.to_store(IMAGE, image, valid)
    return zip(stored, valid[:, 0].numpy(), finite.tolist(), strict=True)


def _recoloured(
    images: Tensor,
    parents: Tensor,
    valid: Tensor,
    conditions: Sequence[_Conditions],
    trained: Trained,
    strength: float,
) -> Tensor:
    """Images (n, 3, y, x), normalised, with their parents' lightness, each brought to the colours it is to have."""
    units = lightened(*(trained.normaliser.unit(IMAGE, one[: len(images)]) for one in (images, parents)))
    figures = [one.colours for one in conditions if one.colours is not None]
    triples = zip(units, valid[:, 0], figures, strict=True)
    return torch.stack([brought_to(unit, seen, wanted, strength) for unit, seen, wanted in triples]) * 2.0 - 1.0


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
    image_variable = made_by.trained.fields[0].variable
    arrays = {field.variable: conditions.raw[field.name] for field in made_by.reader.fields}
    variation = _variation(chip)
    stats: dict[str, Any] = {
        "valid_fraction": float(valid.mean()),
        "sources": {"parent": [chip.payload["parent"]], "generator": [work.manifest_hash]},
        "lineage": f"generated by {made_by.trained.settings.model} ({work.manifest_hash[:16]}) "
        f"from the conditions of {chip.payload['parent']} ({variation.name})",
        "conditions": chip_digest(arrays),
        "image": chip_digest({image_variable: image}),
        "noise": chip.payload["noise"],
    }
    for field in made_by.reader.fields:
        if field.kind == "classes":
            codes, counts = np.unique(conditions.raw[field.name], return_counts=True)
            stats["class_counts"] = {str(code): int(count) for code, count in zip(codes, counts, strict=True)}
    arrays[image_variable] = image
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
        **chip.payload["columns"],
    }
    return MadeChip(arrays=arrays, values=values, stats=stats)


def _variation(chip: CorpusChip) -> Variation:
    return Variation(**{name: chip.payload[name] for name in ("element", "edit", "sample")})
