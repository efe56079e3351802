"""Batches of chips, made by threads and handed out in order."""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from rsmodels.data.augment import LIGHT, Augment, Jitter, Photometry, check_light, element_of, turn
from rsmodels.data.batch import ChipBatch, ChipKey
from rsmodels.data.fields import Field
from rsmodels.data.mixing import mixed_image, mixed_mask
from rsmodels.data.normalise import Normaliser
from rsmodels.data.order import Stream
from rsmodels.data.raw import ChipFields, no_chips
from rsmodels.data.source import ChipSource, check_alike
from rsmodels.errors import ModelError
from rsprep.masks.maskmix import MaskMix

T = TypeVar("T")


class Loader:
    """Batches of a stream.

    A batch depends on the stream, the seed and its number alone: not on the number of threads, on the batches
    before it, nor on which rank makes which part of it.

    Parameters
    ----------
    stream : which chips, in which order.
    sources : the data sets that the stream's keys point into.
    fields : what a batch holds.
    normaliser : fitted for these fields.
    batch : chips of one step, over all ranks.
    seed : of the augmentation.
    augment : how chips are varied; ``turns`` for flips and quarter turns, not at all by default.
    threads : that read and decode; 0 works in the caller's.
    rank, world : this process makes slice `rank` of `world` equal slices of each batch.

    Raises
    ------
    ModelError : ``batch-size`` for a batch that the ranks cannot share equally; ``unlike-data-sets``,
        ``no-such-field``, ``no-such-band``.
    """

    def __init__(
        self,
        stream: Stream,
        sources: Sequence[ChipSource],
        fields: Sequence[Field],
        normaliser: Normaliser,
        *,
        batch: int,
        seed: int = 0,
        augment: Augment | Literal["none", "turns"] = "none",
        threads: int = 2,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        if batch < 1 or batch % world:
            raise ModelError(
                "batch-size",
                f"{world} processes share a batch equally",
                value=batch,
                remedy=f"take a multiple of {world}",
            )
        self.stream = stream
        self.batch = batch
        self.share = batch // world
        self.rank = rank
        self.threads = threads
        self._maker = _Maker(sources, fields, normaliser, _augment(augment), seed)

    def batches(self, first_step: int = 0) -> Generator[ChipBatch]:
        """Endless batches from number `first_step` on. Close the iterator to dismiss its threads."""
        return prefetched(self.make, itertools.count(first_step), self.threads)

    def make(self, step: int) -> ChipBatch:
        """Batch number `step`, made here and now."""
        first = step * self.batch + self.rank * self.share
        return self._maker.batch(self.stream.keys(first, self.share), step, range(first, first + self.share))


def sweep(
    source: ChipSource,
    chips: str | Iterable[int],
    fields: Sequence[Field],
    normaliser: Normaliser,
    *,
    batch: int,
    threads: int = 2,
) -> Generator[ChipBatch]:
    """Every chip of a split once, in slot order, as it is; the last batch may be short.

    Parameters
    ----------
    chips : the split, or slots in the order that is wanted.

    Raises
    ------
    ModelError : ``no-chips`` where there are none.
    """
    slots = source.of_split(chips).tolist() if isinstance(chips, str) else [int(slot) for slot in chips]
    if not slots:
        raise no_chips(source.name, chips if isinstance(chips, str) else "chosen")
    maker = _Maker([source], fields, normaliser, Augment(turn=False), 0)
    parts = [slots[first : first + batch] for first in range(0, len(slots), batch)]

    def make(step: int) -> ChipBatch:
        return maker.batch([ChipKey(0, slot) for slot in parts[step]], step, None)

    return prefetched(make, range(len(parts)), threads)


def prefetched(make: Callable[[int], T], steps: Iterator[int] | range, threads: int) -> Generator[T]:
    """``make(step)`` for every step, in order, made ahead by `threads` threads, two pieces each at most.

    What goes wrong in a thread is raised where its piece would have come.
    """
    if threads < 1:
        yield from map(make, steps)
        return
    numbers = iter(steps)
    executor = ThreadPoolExecutor(threads, thread_name_prefix="chips")
    try:
        ahead: deque[Future[T]] = deque()
        for step in itertools.islice(numbers, 2 * threads):
            ahead.append(executor.submit(make, step))
        while ahead:
            made = ahead.popleft().result()
            for step in itertools.islice(numbers, 1):
                ahead.append(executor.submit(make, step))
            yield made
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


class _Maker:
    """Reads, turns and encodes chips into the memory of a batch."""

    def __init__(
        self,
        sources: Sequence[ChipSource],
        fields: Sequence[Field],
        normaliser: Normaliser,
        augment: Augment,
        seed: int,
    ) -> None:
        check_alike(sources, fields)
        for field in fields:
            normaliser.check(field, sources)
        self.fields = tuple(fields)
        self.normaliser = normaliser
        self.augment = augment
        self.seed = seed
        self.size = sources[0].schema.chip_px
        self.readers = [ChipFields(source, fields) for source in sources]
        self._terrain = [field.name for field in fields if field.kind == "terrain"]
        if augment.turn:
            for reader, name in itertools.product(self.readers, self._terrain):
                check_light(reader, name)
        self._masks = [field.name for field in fields if field.kind == "mask"]
        self._mixer = MaskMix(augment.maskmix) if augment.maskmix else None
        if (self._mixer or augment.augmix) and not self._masks:
            raise ModelError(
                "no-masks",
                "MaskMix and AugMix are for inpainting, and nothing is hidden here",
                value="augment.maskmix" if self._mixer else "augment.augmix",
                remedy="leave it out",
            )
        self._own = threading.local()

    def batch(self, keys: Sequence[ChipKey], step: int, positions: range | None) -> ChipBatch:
        """The chips `keys`; varied as those at `positions` of the stream are, if these are given."""
        memory = {field.name: self.normaliser.blank(field.name, len(keys), self.size) for field in self.fields}
        for number, key in enumerate(keys):
            reader = self.readers[key.source]
            raw, clear = reader.read(key.slot)
            position = None if positions is None else positions[number]
            if position is not None and self.augment.turn:
                raw, clear = self._turned(raw, clear, element_of(self.seed, position), reader)
            if position is not None and self._mixer:
                raw = raw | {name: mixed_mask(self._mixer, raw[name], self.seed, position) for name in self._masks}
            for field in self.fields:
                values, valid = (one[number, ...] for one in memory[field.name])  # a scene's is a view, too
                self.normaliser.encode_into(field.name, raw[field.name], clear.get(field.name), values, valid)
                if position is not None and self.augment.jitter and field.kind == "optical":
                    self._jittered(values, valid, position, self.augment.jitter)
                if position is not None and self.augment.augmix and field.kind == "optical":
                    mixed = mixed_image(self.augment.augmix, values, self.seed, position)  # type: ignore[arg-type]  # float32
                    values[...] = np.where(valid, mixed, 0)
        return ChipBatch(
            values={name: torch.from_numpy(values) for name, (values, _) in memory.items()},
            valid={name: torch.from_numpy(valid) for name, (_, valid) in memory.items()},
            chips=tuple(keys),
            step=step,
        )

    def _turned(
        self, raw: dict[str, NDArray[Any]], clear: dict[str, NDArray[Any]], element: int, reader: ChipFields
    ) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
        light = reader.light(self._terrain[0]) if self._terrain else LIGHT
        return turn(raw, element, self.fields, light=light), turn(clear, element, ())

    def _jittered(self, values: NDArray[Any], valid: NDArray[Any], position: int, jitter: Jitter) -> None:
        if not hasattr(self._own, "photometry"):
            self._own.photometry = Photometry(jitter, self.seed)
        unit = np.clip(values * np.float32(0.5) + np.float32(0.5), 0, 1)
        values[...] = np.where(valid, self._own.photometry(unit, position) * np.float32(2) - np.float32(1), 0)


def _augment(how: Augment | Literal["none", "turns"]) -> Augment:
    return how if isinstance(how, Augment) else Augment(turn=how == "turns")
