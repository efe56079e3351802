"""What a page is made of. Numbers come with their names; drawing is left to `rsmodels.report.page`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rsprep.report.data import Rgb

Numbers = Sequence[float]


@dataclass(frozen=True, kw_only=True)
class TableSection:
    """A table; the first column names the rows."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    """One cell for each name of the header, written as it shall be read."""
    note: str = ""
    colours: Sequence[str] = ()
    """A chip of colour (``#rrggbb``) before each row's name, or none at all."""

    def __post_init__(self) -> None:
        if any(len(row) != len(self.header) for row in self.rows):
            raise ValueError(f"table {self.title!r}: every row needs {len(self.header)} cells")
        if self.colours and len(self.colours) != len(self.rows):
            raise ValueError(f"table {self.title!r}: {len(self.colours)} colours for {len(self.rows)} rows")


@dataclass(frozen=True, kw_only=True)
class Series:
    """One line of a chart; NaN and infinity leave a gap."""

    name: str
    x: Numbers
    """Rising."""
    y: Numbers
    low: Numbers | None = None
    """Lower edge of a band around the line, or None."""
    high: Numbers | None = None

    def __post_init__(self) -> None:
        if (self.low is None) != (self.high is None):
            raise ValueError(f"series {self.name!r}: a band has a low and a high edge")
        lengths = {len(one) for one in (self.x, self.y, self.low, self.high) if one is not None}
        if len(lengths) != 1:
            raise ValueError(f"series {self.name!r}: x, y, low and high must be equally long")


@dataclass(frozen=True, kw_only=True)
class LinesSection:
    """A chart of lines over one axis."""

    title: str
    series: Sequence[Series]
    note: str = ""
    x_label: str = "step"
    y_label: str = ""
    log: bool = False
    """Logarithmic y axis; numbers that are not above 0 leave a gap and are counted under the chart."""
    half: bool = False
    """Half as wide: two that follow one another stand side by side."""


@dataclass(frozen=True, kw_only=True)
class BarsSection:
    """Groups of bars from 0, one bar a series."""

    title: str
    groups: Sequence[str]
    series: Mapping[str, Numbers]
    """Name to one number a group; NaN is written as "–" and has no bar."""
    note: str = ""
    spread: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)
    """Series to the low and high end of the whisker of each group."""
    colours: Sequence[str] = ()
    """A chip of colour before each group's name, or none at all."""
    x_label: str = ""
    first: int = 0
    """Number of the first series' colour: in two charts of a page one colour can stand for one thing."""
    top: float | None = None
    """End of the axis; by default the next round number. A bar beyond it is an error."""
    decimals: int = 3

    def __post_init__(self) -> None:
        for name, numbers in (*self.series.items(), *self.spread.items()):
            if len(numbers) != len(self.groups):
                raise ValueError(f"bars {self.title!r}: {name!r} has {len(numbers)} of {len(self.groups)} groups")
        if self.colours and len(self.colours) != len(self.groups):
            raise ValueError(f"bars {self.title!r}: {len(self.colours)} colours for {len(self.groups)} groups")


@dataclass(frozen=True, kw_only=True)
class BoxesSection:
    """Box plots, one a group, on one axis (Tukey's).

    Median and quartiles, whiskers to the last value within 1.5 lengths of the box, dots beyond, a mark for the mean.
    """

    title: str
    groups: Sequence[str]
    values: Sequence[Numbers]
    """Of each group; NaN and infinity are left out and counted under the chart."""
    note: str = ""
    x_label: str = ""
    limits: tuple[float, float] | None = None
    """Ends of the axis; by default the next round numbers. A value beyond them is an error."""
    decimals: int = 3
    """Of the medians and means that are written."""
    half: bool = False
    """Half as wide: two that follow one another stand side by side."""

    def __post_init__(self) -> None:
        if len(self.values) != len(self.groups):
            raise ValueError(f"boxes {self.title!r}: {len(self.values)} of {len(self.groups)} groups have values")


@dataclass(frozen=True, kw_only=True)
class Ramp:
    """A strip of colour and what its ends stand for."""

    name: str
    stops: Sequence[str]
    low: str
    high: str


@dataclass(frozen=True, kw_only=True, eq=False)
class PanelsSection:
    """Pictures in rows and named columns."""

    title: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Rgb | None]]]
    """Caption (lines, the first is bold) and a picture (y, x, 3) for each column; None leaves the place empty."""
    note: str = ""
    ramps: Sequence[Ramp] = ()
    classes: Sequence[tuple[str, str]] = ()
    """Name and colour of the classes in the pictures."""
    longest: int = 256
    """Larger pictures are shrunk to this many pixels along their longer side."""

    def __post_init__(self) -> None:
        if any(len(images) != len(self.columns) for _, images in self.rows):
            raise ValueError(f"panels {self.title!r}: every row needs {len(self.columns)} pictures")


Section = TableSection | LinesSection | BarsSection | BoxesSection | PanelsSection
