"""Make filled chips: all that a data set holds of a chip, with the hidden pixels of one variable filled."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rsmodels.data.normalise import Normaliser
from rsmodels.data.shards import ChipReader
from rsmodels.data.source import ChipSource
from rsmodels.filling.growing import grown
from rsmodels.filling.method import IMAGE, Method, method_of
from rsmodels.filling.settings import InpaintSettings
from rsmodels.filling.tiles import Filled, Hole, fill_areas
from rsprep.corpus.plan import Batch, CorpusChip, MadeChip
from rsprep.errors import BuildError, StoreError

FILLED = "filled"
"""Variable of the store that is 1 where a pixel was filled."""
NOTHING_KNOWN = "no pixel of the chip is known"
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, kw_only=True)
class FillWork:
    """What every worker must know; small."""

    data: str
    identity: str
    """Of the data set."""
    filler: str
    """Identity of the method."""
    variable: str
    """That is filled."""
    positions: tuple[int, ...]
    """Of the bands that are filled; empty for a variable without bands."""
    target: str
    """Variable of the new store that gets the filled image."""
    mask: str
    codes: tuple[int, ...]
    """Of the mask that hide."""
    grow: int
    """Pixels by which the mask is grown."""
    max_hidden: float
    """Share of a chip that may be hidden."""
    clear: str
    """Variable that tells clear pixels, which becomes 1 where filled; empty without one."""
    normaliser: Normaliser

    def hidden(self, codes: NDArray[Any]) -> NDArray[np.bool_]:
        """(y, x) True where the mask hides a chip."""
        return grown(np.isin(codes, self.codes), self.grow)


@dataclass(frozen=True, kw_only=True, eq=False)
class Workshop:
    """A method and the data set that it fills; opened once a process."""

    method: Method
    source: ChipSource
    readers: Mapping[str, ChipReader]
    alone: threading.Lock
    """One thread at a time uses the network."""


_open: dict[tuple[str, ...], Workshop] = {}
_opening = threading.Lock()


def workshop(work: FillWork, settings: InpaintSettings) -> Workshop:
    """The workshop of this process.

    Raises
    ------
    BuildError : ``filling-changed`` where data set or checkpoint are no longer those of the plan.
    """
    key = work.data, work.identity, work.filler, settings.model_dump_json()
    with _opening:
        if key not in _open:
            _open.clear()  # one at a time: a model may fill a GPU
            source, method = ChipSource.open(work.data), method_of(settings)
            if (source.identity, method.identity) != (work.identity, work.filler):
                raise BuildError(
                    "filling-changed",
                    "the checkpoint or the data set is no longer the one that the filling was planned with",
                    value=f"{work.data}, {settings.checkpoint or settings.method}",
                    remedy="put them back, or fill into another folder what is there now",
                )
            readers = {name: ChipReader(source.path, source.schema, name) for name in source.schema.names}
            _open[key] = Workshop(method=method, source=source, readers=readers, alone=threading.Lock())
        return _open[key]


def make_filled(batch: Batch) -> Iterator[MadeChip]:
    """The filled chips of one shard, in order."""
    settings, work = batch.settings, batch.shared
    if not isinstance(settings, InpaintSettings) or not isinstance(work, FillWork):
        raise TypeError("a batch of another corpus")
    here = workshop(work, settings)
    stored = set(batch.schema.names)
    size = max(settings.batch, 1)
    for first in range(0, len(batch.chips), size):
        yield from _made(batch.chips[first : first + size], here, work, stored)


def _made(chips: Sequence[CorpusChip], here: Workshop, work: FillWork, stored: set[str]) -> Iterator[MadeChip]:
    read = [_read(chip, here) for chip in chips]
    areas = [_area(one, work) for one in read if isinstance(one, dict)]
    with here.alone:
        made = iter(fill_areas(areas, here.method.fill, here.method.tiling, batch=here.method.batch))
    waiting = iter(areas)
    for chip, one in zip(chips, read, strict=True):
        yield one if isinstance(one, MadeChip) else _chip(chip, one, next(waiting), next(made), work, stored)


def _read(chip: CorpusChip, here: Workshop) -> Arrays | MadeChip:
    schema = here.source.schema
    arrays = {one.name: np.empty(one.chip_shape(schema.chip_px), one.dtype) for one in schema.variables}
    try:
        for name, out in arrays.items():
            here.readers[name].read(chip.payload["slot"], out)
    except StoreError as error:
        return MadeChip(quarantined=f"{error.name}: {error.cause}")
    return arrays


def _area(arrays: Arrays, work: FillWork) -> Hole:
    raw = arrays[work.variable]
    raw = np.ascontiguousarray(raw[list(work.positions)]) if work.positions else raw
    hidden = work.hidden(arrays[work.mask])
    values = np.empty((raw.shape[0] if work.positions else 1, *hidden.shape), np.float32)
    known = np.empty((1, *hidden.shape), np.bool_)
    work.normaliser.encode_into(IMAGE, raw, (~hidden).astype(np.uint8), values, known)
    whole = slice(0, hidden.shape[0]), slice(0, hidden.shape[1])
    return Hole(shape=hidden.shape, part=whole, around=whole, values=values, known=known[0], wanted=hidden)


def _chip(chip: CorpusChip, arrays: Arrays, area: Hole, filled: Filled, work: FillWork, stored: set[str]) -> MadeChip:
    if not area.known.any():
        return MadeChip(rejected=NOTHING_KNOWN)
    if area.wanted.mean() > work.max_hidden:
        return MadeChip(rejected=f"more than {100 * work.max_hidden:g} % of the chip is hidden")
    done = filled.done
    made = work.normaliser.to_store(IMAGE, torch.from_numpy(filled.values[None]))[0]
    image = np.array(arrays[work.variable])
    if work.positions:
        for position, band in enumerate(work.positions):
            image[band][done] = made[position][done]
    else:
        image[done] = made[done]
    arrays = {**arrays, work.target: image, FILLED: done.astype(np.uint8)}
    if work.clear:
        arrays[work.clear] = np.where(done, np.uint8(1), arrays[work.clear]).astype(np.uint8)
    payload = chip.payload
    values = {
        **payload["columns"],
        "filled_from": payload["parent"],
        "filled_digest": payload["digest"],
        "filled_dataset": work.identity,
        "filled_by": work.filler,
        "filled_share": float(done.mean()),
    }
    stats: dict[str, Any] = {
        **payload["stats"],
        "sources": {"chip": [payload["parent"]], "filler": [work.filler]},
        "lineage": f"{payload['parent']}, its hidden pixels filled by {work.filler[:16]}",
    }
    for name in ("lulc", "classes"):
        if name in arrays:
            codes, counts = np.unique(arrays[name], return_counts=True)
            stats["class_counts"] = {str(code): int(count) for code, count in zip(codes, counts, strict=True)}
    return MadeChip(arrays={name: arrays[name] for name in stored}, values=values, stats=stats)
