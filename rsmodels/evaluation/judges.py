"""What is measured of each kind of model, batch by batch, and how its chips are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rsmodels.data.batch import ChipBatch
from rsmodels.report.page import Ramp, Section
from rsmodels.report.pictures import class_colours
from rsprep.report.data import Rgb

IMAGE, LABEL = "image", "label"
Colours = Mapping[str, Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class Legend:
    """How to read the pictures."""

    classes: tuple[tuple[str, str], ...]
    ramps: tuple[Ramp, ...]
    note: str


class Judge(Protocol):
    """Measures one kind of model."""

    @property
    def rank_by(self) -> str:
        """The score by which chips are ranked; more is better."""
        ...

    @property
    def columns(self) -> tuple[str, ...]: ...
    @property
    def legend(self) -> Legend: ...
    def update(self, batch: ChipBatch) -> dict[str, NDArray[np.float64]]:
        """Take a batch in; its scores chip by chip, NaN where there is nothing to score."""
        ...

    def figures(self, *, allow_few: bool) -> dict[str, Any]:
        """What goes into the record."""
        ...

    def headline(self, record: Mapping[str, Any]) -> Sequence[str]:
        """The figures that the title of the page names, from the record."""
        ...

    def sections(
        self, record: Mapping[str, Any], scores: Mapping[str, NDArray[np.float64]], names: Mapping[int, str]
    ) -> list[Section]:
        """What the page tells before the pictures: the record, the scores chip by chip, names of chips by slot."""
        ...

    def words(self, scores: Mapping[str, NDArray[np.float64]], place: int) -> str:
        """The scores of one chip for a caption."""
        ...

    def pictures(self, batch: ChipBatch, rows: Sequence[int]) -> dict[int, list[Rgb]]:
        """Pictures, one a column, of some chips of a batch."""
        ...


def named(classes: Sequence[str], colours: Sequence[str] | None) -> list[tuple[str, str]]:
    """Each class with its colour."""
    return list(zip(classes, colours or class_colours(len(classes)), strict=True))


def sentence(parts: Sequence[str]) -> str:
    """`parts` that say something, joined."""
    text = "; ".join(part for part in parts if part)
    return f"{text[:1].upper()}{text[1:]}."
