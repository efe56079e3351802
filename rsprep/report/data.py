"""What a report is made of: plain records that know neither the store nor the journal.

Every section is optional, so that a corpus without land cover, radar or a map makes a report of the same kind.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

Rgb = NDArray[np.uint8]
"""A picture: (y, x, 3), red green blue, 0 to 255."""

State = Literal["committed", "rejected", "quarantined", "planned"]
STATES: tuple[State, ...] = get_args(State)
SPLITS = ("train", "val", "test")
MAX_EXAMPLES = 24
"""Chips named for one reason; the rest are counted."""


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How many chips ended where; what is missing to `planned` has not been worked on yet."""

    planned: int
    committed: int
    rejected: int = 0
    quarantined: int = 0

    def __post_init__(self) -> None:
        if min(self.planned, self.committed, self.rejected, self.quarantined) < 0 or self.pending < 0:
            raise ValueError(f"counts do not add up: {self}")

    @property
    def pending(self) -> int:
        """Chips planned and neither committed, rejected nor quarantined."""
        return self.planned - self.committed - self.rejected - self.quarantined


@dataclass(frozen=True, kw_only=True, eq=False)
class ChipTable:
    """One entry a planned chip in every column."""

    chip_id: tuple[str, ...]
    lon: NDArray[np.float64]
    """(chip,) degrees east of the centroid."""
    lat: NDArray[np.float64]
    """(chip,) degrees north of the centroid."""
    corners: NDArray[np.float64]
    """(chip, corner, 2) lon, lat around the chip; longitudes of one chip may jump at 180°. NaN without a place."""
    split: tuple[str, ...]
    state: tuple[State, ...]
    reason: tuple[str, ...]
    """Why the chip is rejected or quarantined; empty otherwise."""
    s2_cloud_fraction: NDArray[np.float64] | None = None
    """(chip,) 0 to 1, NaN where unknown."""
    valid_fraction: NDArray[np.float64] | None = None
    """(chip,) 0 to 1, NaN where unknown."""
    class_shares: NDArray[np.float64] | None = None
    """(chip, class) 0 to 1, NaN where unknown."""

    def __post_init__(self) -> None:
        count = len(self.chip_id)
        columns: dict[str, Any] = {name: value for name, value in vars(self).items() if value is not None}
        for name, column in columns.items():
            if len(column) != count:
                raise ValueError(f"column {name} has {len(column)} entries for {count} chips")
        if self.corners.ndim != 3 or self.corners.shape[2] != 2:
            raise ValueError(f"corners must be (chip, corner, 2), got {self.corners.shape}")
        unknown = set(self.state) - set(STATES)
        if unknown:
            raise ValueError(f"unknown chip state {sorted(unknown)[0]!r}; known: {', '.join(STATES)}")

    def __len__(self) -> int:
        return len(self.chip_id)

    @property
    def committed(self) -> NDArray[np.bool_]:
        """(chip,) True for chips that are in the data set."""
        return np.array([state == "committed" for state in self.state], dtype=np.bool_)

    def in_split(self, split: str) -> NDArray[np.bool_]:
        """(chip,) True for committed chips of `split`."""
        wanted = zip(self.state, self.split, strict=True)
        return np.array([state == "committed" and name == split for state, name in wanted], dtype=np.bool_)


@dataclass(frozen=True, kw_only=True)
class LandClass:
    """A class of the land-cover layer; its code is its position in `ReportData.classes`."""

    name: str
    colour: str
    """``#rrggbb``."""

    def __post_init__(self) -> None:
        if not re.fullmatch("#[0-9a-fA-F]{6}", self.colour):
            raise ValueError(f"a colour is written #rrggbb, got {self.colour!r}")


@dataclass(frozen=True, kw_only=True)
class SourceRow:
    """Where the pixels of one product came from."""

    product: str
    collection: str
    granules: int
    """Granules of which pixels were read."""
    source: str = ""
    """Name of the source definition."""
    chips: int = 0
    """Chips that it gave pixels to."""
    dates: str = ""
    baseline: str = ""
    orbit: str = ""
    licence: str = ""
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Timings:
    """What the work cost; None for what was not measured."""

    stages: Mapping[str, float] = field(default_factory=dict)
    """Stage to seconds, summed over workers."""
    shard_seconds: tuple[float, ...] = ()
    wall_seconds: float | None = None
    chips_per_second: float | None = None
    bytes_read: int | None = None
    requests: int | None = None
    """Requests to servers, retries aside; None where all was on a disk."""
    peak_memory_bytes: int | None = None


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Chips that share a state and a reason."""

    state: State
    reason: str
    count: int
    examples: tuple[str, ...] = ()
    """Some of their ids, at most `MAX_EXAMPLES`."""
    remedy: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Quicklook:
    """The layers of one chip side by side."""

    chip_id: str
    caption: str
    layers: Mapping[str, Rgb]
    """Layer title to picture, all of one size."""

    def __post_init__(self) -> None:
        for name, image in self.layers.items():
            if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
                raise ValueError(
                    f"quicklook {self.chip_id}, {name}: expected (y, x, 3) uint8, got {image.shape} {image.dtype}"
                )


@dataclass(frozen=True, kw_only=True)
class Legend:
    """How to read the colours of one layer."""

    layer: str
    note: str
    stops: tuple[str, ...] = ()
    """Colours of a ramp from `low` to `high`, as ``#rrggbb``; empty for a layer without a ramp."""
    low: str = ""
    high: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Distribution:
    """How one number is distributed over the committed chips."""

    title: str
    note: str
    values: NDArray[np.float64]
    """(chip,); NaN where unknown."""
    low: float
    high: float
    """Ends of the axis."""
    unit: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Sheet:
    """Many chips on one picture."""

    title: str
    note: str
    image: Rgb


@dataclass(frozen=True, kw_only=True)
class Table:
    """Figures that are best read as rows."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""

    def __post_init__(self) -> None:
        wrong = [row for row in self.rows if len(row) != len(self.header)]
        if wrong:
            raise ValueError(f"table {self.title}: {len(self.header)} columns, but a row {wrong[0]}")


@dataclass(frozen=True, kw_only=True, eq=False)
class ReportData:
    """Everything that one report shows."""

    title: str
    counts: Counts
    subtitle: str = ""
    """A line under the title: source, time window, size of a chip."""
    created: str = ""
    """When the data set was sealed; the report never asks the clock, so that the same data make the same bytes."""
    chips: ChipTable | None = None
    aoi: tuple[NDArray[np.float64], ...] = ()
    """Outlines of the area of interest: each (vertex, 2) lon, lat in [-180, 180], cut at the antimeridian."""
    classes: tuple[LandClass, ...] = ()
    quicklooks: tuple[Quicklook, ...] = ()
    legends: tuple[Legend, ...] = ()
    sheets: tuple[Sheet, ...] = ()
    distributions: tuple[Distribution, ...] = ()
    tables: tuple[Table, ...] = ()
    sources: tuple[SourceRow, ...] = ()
    timings: Timings | None = None
    problems: tuple[Problem, ...] | None = None
    """None: grouped from the reasons in `chips`."""
    configuration: str = ""
    """The resolved configuration as YAML."""
    software: Mapping[str, str] = field(default_factory=dict)
    """Package to version."""
    places: Mapping[str, str] = field(default_factory=dict)
    """What to where it lies: ``{"store": "out/chips.zarr", ...}``."""

    def grouped_problems(self) -> tuple[Problem, ...]:
        """Problems as given, or grouped from the chips; most frequent first."""
        if self.problems is not None:
            return self.problems
        return group_problems(self.chips) if self.chips is not None else ()


def group_problems(chips: ChipTable) -> tuple[Problem, ...]:
    """Group rejected and quarantined chips by state and reason: quarantined first, then the most frequent first."""
    groups: dict[tuple[State, str], list[str]] = {}
    for chip_id, state, reason in zip(chips.chip_id, chips.state, chips.reason, strict=True):
        if state in ("rejected", "quarantined"):
            groups.setdefault((state, reason or "no reason recorded"), []).append(chip_id)
    ordered = sorted(groups.items(), key=lambda group: (group[0][0] != "quarantined", -len(group[1]), group[0][1]))
    return tuple(
        Problem(state=state, reason=reason, count=len(ids), examples=tuple(sorted(ids)[:MAX_EXAMPLES]))
        for (state, reason), ids in ordered
    )
