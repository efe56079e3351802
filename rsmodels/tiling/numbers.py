"""What the numbers and bands of an image are to a model that learned from others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from rsmodels.data.fit import Scaling
from rsmodels.errors import ModelError
from rsprep.corpus.pictures import PictureInfo


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """What the numbers of an image are, as they are stored."""

    bands: tuple[str, ...] | None
    """Names; None for an image without a band axis."""
    dtype: str
    fill: float
    """What stands where there is nothing."""
    nodata: float | None
    """The same where it means no-data; None where every number is one."""


def numbers_of(info: PictureInfo, bands: tuple[str, ...] | None) -> Numbers:
    """What a file says of its numbers."""
    nodata = info.nodata
    finite = None if nodata is None or not np.isfinite(nodata) else nodata
    return Numbers(bands=bands, dtype=info.dtype, fill=nodata or 0.0, nodata=finite)


def rescaled(learned: Scaling, numbers: Numbers, scale: float | None = None, offset: float = 0.0) -> Scaling:
    """The scaling of a model for numbers of a file.

    Parameters
    ----------
    scale, offset : from stored numbers to those that the model learned; without a scale they must be of its type.

    Raises
    ------
    ModelError : ``other-numbers`` where they are of another type and no scale is given.
    """
    if scale is None and _range(numbers.dtype) != _range(learned.dtype):
        raise ModelError(
            "other-numbers",
            f"the model learned from numbers of type {learned.dtype}",
            value=numbers.dtype,
            remedy="say with --scale (and --offset) how these become those, as --scale 1 where they are the same",
        )
    by = 1.0 if scale is None else scale
    low, high = (tuple((one - offset) / by for one in ends) for ends in (learned.low, learned.high))
    return replace(
        learned,
        dtype=numbers.dtype, fill=numbers.fill, nodata=numbers.nodata, scale=learned.scale * by, low=low, high=high,
    )  # fmt: skip


def bands_of(
    learned: Sequence[str] | None, there: Sequence[str], wanted: Sequence[str] | None, where: str
) -> tuple[int, ...]:
    """Positions of the bands that are taken among those of an image, in the order in which a model takes them.

    Parameters
    ----------
    learned : names of those that the model takes; None where it takes any.
    there : names of the image's bands.
    wanted : names, or numbers from 1 on; None: the model's by name where all have it, else all that there are.
    where : name of the image, for the error.

    Raises
    ------
    ModelError : ``bands`` for a band that is not there, or another number of bands than the model takes.
    """
    if wanted is None and learned is not None and set(learned) <= set(there):
        return tuple(list(there).index(name) for name in learned)
    numbered = {str(number): number - 1 for number in range(1, len(there) + 1)}
    numbered |= {name: position for position, name in enumerate(there)}
    chosen = [numbered.get(name, -1) for name in wanted] if wanted is not None else list(range(len(there)))
    count = len(chosen) if learned is None else len(learned)
    if -1 in chosen or not chosen or len(set(chosen)) != len(chosen) or len(chosen) != count:
        takes = "" if learned is None else f"; the model takes {len(learned)}: {', '.join(learned)}"
        raise ModelError(
            "bands",
            f"the image has the bands {', '.join(there)}{takes}",
            value=f"{where}: {', '.join(wanted) if wanted is not None else f'{len(there)} bands'}",
            remedy="name as many as are taken with --bands, by name or by number, each once",
        )
    return tuple(chosen)


def _range(dtype: str) -> int | str:
    """Types that hold the same numbers: 16 bit with and without a sign are one."""
    kind = np.dtype(dtype)
    return kind.itemsize if kind.kind in "iu" else "float"
