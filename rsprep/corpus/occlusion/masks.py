"""Masks as input of occlusion pairs: which can be used, and in which split each of them serves.

A mask never serves two splits: an inpainting network is tested on shapes that it has not seen. That
holds for names, for shapes (two files may hold the same one) and, where masks tell what seed they were
made from, for seeds.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from rsprep.cloud.address import folder_only
from rsprep.corpus.inputs import Corpus, fingerprint, is_corpus, list_files, listed, open_corpus
from rsprep.corpus.occlusion.settings import OccludeSettings
from rsprep.corpus.partition import by_folder
from rsprep.corpus.pictures import read_mask
from rsprep.errors import InputError
from rsprep.masks.occlusion import can_meet
from rsprep.masks.scenes import deal
from rsprep.report.data import SPLITS
from rsprep.store.read import store_path
from rsprep.store.strict import open_strict, read_slots

VARIABLE = "mask"
_PRIORITY = ("test", "val", "train")
_BLOCK = 64
"""Masks of a data set that are read at once."""


@dataclass(frozen=True, kw_only=True)
class Mask:
    """One mask of the pool."""

    key: str | int
    """Path below the folder, or slot in the store."""
    mask_id: str
    shape: tuple[int, int]
    area_px: int
    digest: str
    """Of its pixels: equal shapes under two names are one mask."""
    seed: str
    """What it was made from; its own name where that is not told."""
    split: str
    """train, val or test; empty until it is decided."""


@dataclass(frozen=True, kw_only=True)
class MaskPool:
    """The masks of each split, no one of them in two."""

    root: Path
    stored: bool
    """True for a data set, False for a folder."""
    as_is: bool
    """True: laid on as they are; False: turned, resized and moved first."""
    masks: Mapping[str, tuple[Mask, ...]]
    """Split to its masks."""
    given: int
    """Masks that were given."""
    unused: Mapping[str, int]
    """Reason to the number of masks that are not used for it."""
    fingerprint: str
    shared_seeds: int = 0
    """Seeds of which masks serve several splits, since they came with these splits."""

    def __post_init__(self) -> None:
        for what in ("mask_id", "digest"):
            owners: dict[str, str] = {}
            for split, masks in self.masks.items():
                for mask in masks:
                    if owners.setdefault(getattr(mask, what), split) != split:
                        raise ValueError(f"mask {mask.mask_id} serves {owners[getattr(mask, what)]} and {split}")


def find_masks(settings: OccludeSettings, size: int, chips: Mapping[str, int]) -> MaskPool:
    """Read all masks, leave out those that cannot hide as much as asked for, and share the rest out.

    Parameters
    ----------
    size : pixels along a chip's side.
    chips : split to the number of chips that need masks.

    Raises
    ------
    InputError : ``mask-sizes``, ``no-mask-in-bounds``, ``too-few-masks``, ``mask-variable``; or as
        :func:`rsprep.corpus.inputs.list_files`, :func:`open_corpus` and :func:`rsprep.corpus.pictures.read_mask`.
    """
    folder = folder_only(settings.masks, "MASKS")
    stored = is_corpus(folder)
    root, print_, found = _stored(open_corpus(folder)) if stored else _folder(folder)
    odd = [mask for mask in found if mask.shape != (size, size)]
    if odd and settings.place == "as-is":
        raise InputError(
            "mask-sizes",
            f"{len(odd):,} of {len(found):,} masks are not of the size of a chip, {size} × {size}",
            value=listed(f"{mask.mask_id} {mask.shape[0]} × {mask.shape[1]}" for mask in odd),
            remedy="take --place random, which resizes them, or another --size",
        )
    as_is = settings.place == "as-is" or (settings.place == "auto" and not odd)
    usable, unused = _usable(found, settings, size, as_is)
    shared, dropped = _share_out(usable, settings, chips)
    if dropped:
        unused["same shape as a mask of another split"] = dropped
    pool = MaskPool(
        root=root,
        stored=stored,
        as_is=as_is,
        masks=shared,
        given=len(found),
        unused=unused,
        fingerprint=print_,
        shared_seeds=_shared_seeds(shared),
    )
    _check_enough(pool, settings, chips)
    return pool


# -- reading --------------------------------------------------------------------------------------


def _folder(root: Path) -> tuple[Path, str, list[Mask]]:
    files = list_files(root)
    base = root if root.is_dir() else root.parent
    with ThreadPoolExecutor() as pool:
        found = [
            _mask(
                path.relative_to(base).as_posix(), path.relative_to(base).as_posix(), pixels, by_folder(path, root)[0]
            )
            for path, pixels in zip(files, pool.map(read_mask, files), strict=True)
        ]
    return base, fingerprint(files, base), found


def _stored(corpus: Corpus) -> tuple[Path, str, list[Mask]]:
    variable = corpus.require(VARIABLE).schema[VARIABLE]
    if variable.bands or variable.dtype != "uint8":
        raise _no_mask(corpus, f"{variable.dtype} {' × '.join(variable.dims)}")
    columns = corpus.dataset.coords
    seeds = [str(seed) for seed in columns["seed_id"].to_numpy()] if "seed_id" in columns else [""] * len(corpus)
    found = []
    for i, pixels in enumerate(_pixels(corpus)):
        name = corpus.chip_ids[i]
        if pixels.max() > 1:
            raise _no_mask(corpus, f"{name} holds {int(pixels.max())}")
        found.append(_mask(corpus.slots[i], name, pixels, corpus.splits[i], seeds[i]))
    return folder_only(corpus.path, "MASKS"), corpus.fingerprint, found


def _pixels(corpus: Corpus) -> Iterator[NDArray[np.uint8]]:
    """The masks in order, read a block at a time."""
    group = open_strict(store_path(corpus.path))
    for slots in np.array_split(corpus.slots, range(_BLOCK, len(corpus), _BLOCK)):
        first = int(slots[0])
        block = read_slots(group, VARIABLE, first, int(slots[-1]) - first + 1)
        yield from block[slots - first]


def _mask(key: str | int, name: str, pixels: NDArray[np.uint8], split: str, seed: str = "") -> Mask:
    shape = (int(pixels.shape[0]), int(pixels.shape[1]))
    state = hashlib.blake2b(f"{shape}".encode(), digest_size=16)
    state.update(np.packbits(pixels).data)
    return Mask(
        key=key,
        mask_id=name,
        shape=shape,
        area_px=int(pixels.sum()),
        digest=state.hexdigest(),
        seed=seed or name,
        split=split,
    )


def _no_mask(corpus: Corpus, found: str) -> InputError:
    return InputError(
        "mask-variable",
        f"the variable {VARIABLE!r} of a data set of masks is uint8 over (chip, y, x), 0 and 1",
        value=f"{corpus.path}: {found}",
        remedy="give a data set made by `rsprep cloud-masks` or `rsprep maskmix`",
    )


# -- choosing -------------------------------------------------------------------------------------


def _usable(
    found: Sequence[Mask], settings: OccludeSettings, size: int, as_is: bool
) -> tuple[list[Mask], dict[str, int]]:
    """Masks that can hide as much as asked for, and why the others are left out."""
    low, high = (f"{100 * share:g}" for share in settings.area)
    outside = (
        f"hides less than {low} or more than {high} %" if as_is else f"cannot be resized to hide {low} to {high} %"
    )

    def fits(mask: Mask) -> bool:
        if as_is:
            return settings.bounds.hold(mask.area_px / (size * size))
        return can_meet(mask.area_px, (size, size), settings.bounds, settings.placing)

    empty = [mask for mask in found if not mask.area_px]
    usable = [mask for mask in found if mask.area_px and fits(mask)]
    if not usable:
        shares = [100 * mask.area_px / (mask.shape[0] * mask.shape[1]) for mask in found]
        verb = "hides" if as_is else "can be resized to hide"
        raise InputError(
            "no-mask-in-bounds",
            f"none of {len(found):,} masks {verb} {low} to {high} % of a chip",
            value=f"they cover {min(shares):.3g} to {max(shares):.3g} % of their own frames",
            remedy="widen --area, take --place random with a wider zoom:, or give other masks",
        )
    unused = {"empty": len(empty), outside: len(found) - len(empty) - len(usable)}
    return usable, {reason: count for reason, count in unused.items() if count}


def _share_out(
    usable: Sequence[Mask], settings: OccludeSettings, chips: Mapping[str, int]
) -> tuple[dict[str, tuple[Mask, ...]], int]:
    """Masks of each split, and how many were dropped since a mask of another split has the same shape."""
    own = settings.mask_split == "own" and all(mask.split for mask in usable)
    ratio = [chips.get(split, 0) for split in SPLITS]
    if not own:
        groups = _groups(usable)
        dealt = deal(Counter(groups.values()), ratio, settings.seed)
        usable = [replace(mask, split=SPLITS[dealt[groups[mask.mask_id]]]) for mask in usable]
    owners: dict[str, str] = {}
    for mask in sorted(usable, key=lambda mask: _PRIORITY.index(mask.split)):
        owners.setdefault(mask.digest, mask.split)
    kept = [mask for mask in usable if owners[mask.digest] == mask.split]
    by_split: dict[str, list[Mask]] = defaultdict(list)
    for mask in kept:
        by_split[mask.split].append(mask)
    return {split: tuple(by_split[split]) for split in SPLITS if by_split[split]}, len(usable) - len(kept)


def _groups(masks: Iterable[Mask]) -> dict[str, str]:
    """Mask to the group that is dealt out as one: masks of one seed, and masks of one shape."""
    parents: dict[str, str] = {}

    def root(name: str) -> str:
        while parents.setdefault(name, name) != name:
            parents[name] = parents[parents[name]]
            name = parents[name]
        return name

    every = list(masks)
    for mask in every:
        ends = sorted((root(f"seed {mask.seed}"), root(f"shape {mask.digest}")))
        parents[ends[0]] = ends[1]
    members: dict[str, list[str]] = defaultdict(list)
    for mask in every:
        members[root(f"seed {mask.seed}")].append(mask.mask_id)
    # Named after its first mask, so that the hash by which it is dealt out is one of names.
    return {name: min(names) for names in members.values() for name in names}


def _shared_seeds(masks: Mapping[str, Sequence[Mask]]) -> int:
    seeds = Counter(seed for members in masks.values() for seed in {mask.seed for mask in members})
    return sum(count > 1 for count in seeds.values())


def _check_enough(pool: MaskPool, settings: OccludeSettings, chips: Mapping[str, int]) -> None:
    least = settings.per_image if pool.as_is else 1
    poor = [split for split, count in chips.items() if count and len(pool.masks.get(split, ())) < least]
    if poor:
        counts = ", ".join(f"{split} {len(pool.masks.get(split, ()))}" for split in chips if chips[split])
        raise InputError(
            "too-few-masks",
            f"split {' and '.join(poor)} needs at least {least} mask(s) of its own, since no mask serves two splits",
            value=f"masks within the bounds: {counts}",
            remedy="give more masks, deal them out anew with --mask-split hash, or put all images in one --split",
        )


# -- for workers ----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class MaskReader:
    """Reads single masks of a pool; small enough to travel with every task."""

    root: Path
    stored: bool

    def read(self, key: Any) -> NDArray[np.uint8]:
        """(y, x) uint8, 0 and 1; InputError or StoreError where it cannot be read any more."""
        if not self.stored:
            return read_mask(self.root / str(key))
        return np.asarray(read_slots(open_group(self.root), VARIABLE, int(key), 1)[0], np.uint8)


@lru_cache(maxsize=8)
def open_group(dataset: Path) -> zarr.Group:
    """The store of a data set that is only read; opened once in a process."""
    return open_strict(store_path(dataset))
