"""What a layer of one block is once it is made, before it is cut into chips."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Box = tuple[slice, slice]
"""Rows and columns of a block, in pixels."""


class PassMosaic:
    """One pass put together from its granules: the first that is valid at a pixel gives all bands of it."""

    def __init__(self, blank: NDArray[Any]) -> None:
        """`blank` ([bands], y, x) holds nodata; it is copied."""
        self.values = blank.copy()
        self.seen = np.zeros(blank.shape[-2:], np.bool_)
        """Shape (y, x): where some granule was valid."""

    @property
    def full(self) -> bool:
        """True once no further granule can add anything."""
        return bool(self.seen.all())

    def take(self, values: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Fill what is still missing from one granule; returns the pixels (y, x) that it gave."""
        new = valid & ~self.seen
        for whole, part in zip(self._planes(self.values), self._planes(values), strict=True):
            np.copyto(whole, part, where=new)
        self.seen |= new
        return new

    @staticmethod
    def _planes(values: NDArray[Any]) -> NDArray[Any]:
        return values[None] if values.ndim == 2 else values


@dataclass(frozen=True, kw_only=True)
class Contribution:
    """Where one granule gave pixels."""

    product: str
    granule_id: str
    moment: dt.datetime
    """Acquisition time, UTC."""
    mask: NDArray[np.bool_]
    """Shape (y, x) of the block."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What the catalog should say of the granule: processing baseline, offset, orbit."""


@dataclass(frozen=True, kw_only=True)
class Made:
    """One layer of a block."""

    arrays: Mapping[str, NDArray[Any]]
    """Variable of the store to pixels, shape ([bands], y, x), nodata where nothing is known."""
    covered: NDArray[np.bool_]
    """Shape (y, x): where the sources reach, whether or not what they show is usable."""
    patchy: bool = False
    """True where the sources themselves have gaps, which are then not the end of the data."""
    shares: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    """Statistic to mask (y, x); of each chip the share that is True is recorded."""
    contributions: tuple[Contribution, ...] = ()
