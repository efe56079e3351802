"""What a layer of one block is once it is made, before it is cut into chips."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Contribution:
    """Where one granule gave pixels."""

    product: str
    granule_id: str
    moment: dt.datetime | None
    """Acquisition time, UTC; None for relief and maps of whole years, which do not date a chip."""
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
