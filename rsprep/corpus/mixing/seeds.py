"""Seed masks as input: which there are, of which split, and how a worker gets their pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rsprep.cloud.address import folder_only
from rsprep.corpus.inputs import Corpus, fingerprint, is_corpus, list_files, listed, open_corpus
from rsprep.corpus.pictures import read_mask
from rsprep.errors import InputError
from rsprep.masks.maskmix.seeds import Seeds, prepare

VARIABLE = "mask"


@dataclass(frozen=True, kw_only=True)
class SeedPool:
    """The seeds of one split; small enough to travel with every task, since workers read the pixels themselves."""

    root: Path
    """A data set, or a folder of pictures."""
    stored: bool
    """True for a data set."""
    keys: tuple[str | int, ...]
    """Paths below the folder, or positions in the data set."""
    names: tuple[str, ...]
    fingerprint: str
    """Of the whole input: seeds that have changed are not those that were read before."""

    def __len__(self) -> int:
        return len(self.keys)

    def load(self) -> Seeds:
        """The masks, ready for mixing; read once in a process."""
        return _load(self)


@dataclass(frozen=True, kw_only=True)
class SeedInput:
    """All seeds that were found."""

    pools: Mapping[str, SeedPool]
    """Split to its seeds."""
    fingerprint: str
    read: int
    """Masks that were read; those that are all clear or all masked are in no pool."""

    @property
    def used(self) -> int:
        """Seeds in all pools."""
        return sum(len(pool) for pool in self.pools.values())

    @property
    def everything(self) -> SeedPool:
        """The seeds of all splits as one pool."""
        first = next(iter(self.pools.values()))
        return SeedPool(
            root=first.root,
            stored=first.stored,
            keys=tuple(key for pool in self.pools.values() for key in pool.keys),
            names=tuple(name for pool in self.pools.values() for name in pool.names),
            fingerprint=self.fingerprint,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Seed:
    key: str | int
    name: str
    split: str
    usable: bool
    """True where it has a shape: some pixels masked, and some clear."""


def find_seeds(given: str, *, all_seeds: bool) -> SeedInput:
    """Read the seeds and leave out those that cannot be mixed.

    Raises
    ------
    InputError : ``no-usable-seed``, ``no-mask``; or as :func:`rsprep.corpus.inputs.list_files`, :func:`open_corpus`
        and :func:`rsprep.corpus.pictures.read_mask`.
    """
    folder = folder_only(given, "SEEDS")
    stored = is_corpus(folder)
    root, print_, found = _from_corpus(open_corpus(folder), all_seeds) if stored else _from_folder(folder)
    seeds = [seed for seed in found if seed.usable]
    if not seeds:
        raise InputError(
            "no-usable-seed",
            "every seed is all clear or all masked: there is no shape to mix",
            value=listed(seed.name for seed in found),
            remedy="give masks with a shape in them, such as `rsprep cloud-masks` makes",
        )
    pools = {}
    for split in dict.fromkeys(seed.split for seed in seeds):
        mine = [seed for seed in seeds if seed.split == split]
        names, keys = tuple(seed.name for seed in mine), tuple(seed.key for seed in mine)
        pools[split] = SeedPool(root=root, stored=stored, keys=keys, names=names, fingerprint=print_)
    return SeedInput(pools=pools, fingerprint=print_, read=len(found))


def _from_folder(root: Path) -> tuple[Path, str, list[_Seed]]:
    files = list_files(root)
    base = root if root.is_dir() else root.parent
    names = [path.relative_to(base).as_posix() for path in files]
    found = [
        _Seed(key=name, name=name, split="train", usable=_has_shape(read_mask(path)))
        for name, path in zip(names, files, strict=True)
    ]
    return base, fingerprint(files, base), found


def _from_corpus(corpus: Corpus, all_seeds: bool) -> tuple[Path, str, list[_Seed]]:
    corpus.require(VARIABLE)
    chosen = np.arange(len(corpus))
    if not all_seeds and "diverse" in corpus.dataset.coords:
        diverse = np.flatnonzero(corpus.dataset["diverse"].to_numpy())
        chosen = diverse if diverse.size else chosen
    found = [
        _Seed(key=i, name=corpus.chip_ids[i], split=corpus.splits[i], usable=_has_shape(_binary(corpus, i)))
        for i in chosen.tolist()
    ]
    return folder_only(corpus.path, "SEEDS"), corpus.fingerprint, found


def _binary(corpus: Corpus, index: int) -> NDArray[np.uint8]:
    mask = corpus.read(VARIABLE, index)
    if mask.ndim != 2 or mask.dtype != np.uint8 or mask.max(initial=0) > 1:
        raise InputError(
            "no-mask",
            "a seed of a data set is uint8 over (y, x), 0 and 1",
            value=f"{corpus.path}, {corpus.chip_ids[index]}: {mask.dtype} {mask.shape}",
            remedy="give a data set made by `rsprep cloud-masks`",
        )
    return mask


def _has_shape(mask: NDArray[np.uint8]) -> bool:
    return bool(mask.any() and not mask.all())


@lru_cache(maxsize=8)
def _load(pool: SeedPool) -> Seeds:
    if not pool.stored:
        return prepare([read_mask(pool.root / str(key)) for key in pool.keys])
    corpus = open_corpus(pool.root)
    return prepare([corpus.read(VARIABLE, int(key)) for key in pool.keys])
