"""What a corpus command decides before a pixel is made, and what its workers hand back."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from numpy.typing import NDArray

from rsprep.corpus.settings import CorpusSettings
from rsprep.ground.zones import Zone
from rsprep.job.desk import Desk
from rsprep.job.journal_view import JournalView
from rsprep.report.data import SPLITS, SourceRow, Table
from rsprep.store.schema import NOWHERE, Schema

_CHIP_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a chip lies on the ground."""

    epsg: int
    x_origin: float
    """Easting of the outer edge of the upper-left pixel, metres."""
    y_origin: float
    """Northing likewise."""
    lon: float
    """Longitude of the centre, degrees."""
    lat: float
    """Latitude of the centre, degrees."""

    @classmethod
    def at_corner(cls, epsg: int, x: float, y: float, side: float) -> Place:
        """A north-up chip of a UTM zone whose upper-left corner is (`x`, `y`); all in metres."""
        lon, lat = Zone.from_epsg(epsg).unproject(x + side / 2, y - side / 2)
        return cls(epsg=epsg, x_origin=float(x), y_origin=float(y), lon=float(lon), lat=float(lat))


@dataclass(frozen=True, kw_only=True)
class CorpusChip:
    """One chip of the plan."""

    chip_id: str
    """Stable and unique; letters, digits, dots, dashes and underscores."""
    split: str
    """train, val or test."""
    payload: Mapping[str, Any]
    """JSON: all that the worker needs to make it."""
    place: Place | None = None
    """None for a picture that lies nowhere on the ground."""
    reject: str = ""
    """Why the plan itself leaves it out."""

    def __post_init__(self) -> None:
        if not _CHIP_ID.fullmatch(self.chip_id):
            raise ValueError(f"no name for a chip: {self.chip_id!r}")
        if self.split not in SPLITS:
            raise ValueError(f"chip {self.chip_id}: a split is one of {', '.join(SPLITS)}, got {self.split!r}")

    def to_record(self) -> dict[str, Any]:
        """What the journal keeps."""
        nowhere = {"epsg": NOWHERE, "x_origin": None, "y_origin": None, "lon": None, "lat": None}
        return {"split": self.split, "payload": dict(self.payload), **(asdict(self.place) if self.place else nowhere)}

    @classmethod
    def from_record(cls, chip_id: str, record: Mapping[str, Any], reject: str = "") -> CorpusChip:
        """The chip that :meth:`to_record` told of."""
        place = {name: record[name] for name in ("epsg", "x_origin", "y_origin", "lon", "lat")}
        return cls(
            chip_id=chip_id,
            split=record["split"],
            payload=record["payload"],
            place=None if place["epsg"] == NOWHERE else Place(**place),
            reject=reject,
        )


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What one task makes."""

    chips: tuple[CorpusChip, ...]
    settings: CorpusSettings
    shared: Any
    schema: Schema


@dataclass(frozen=True, kw_only=True, eq=False)
class MadeChip:
    """What became of one chip."""

    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    """Variable of the schema to pixels ([bands], y, x) in the type that is stored; empty for what is left out."""
    rejected: str = ""
    """Why the rules leave it out."""
    quarantined: str = ""
    """Why it could not be made."""
    values: Mapping[str, float | int | str | bool] = field(default_factory=dict)
    """One value for each column of the schema."""
    stats: Mapping[str, Any] = field(default_factory=dict)
    """Further JSON: ``class_counts`` (code as text to pixels), ``valid_fraction``, ``datetime_start`` and
    ``datetime_end`` (ISO with a zone), ``sources`` (product to ids), ``facts``, ``lineage``."""


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """A column whose distribution the report shows."""

    column: str
    title: str
    note: str
    low: float
    high: float
    unit: str = ""


@dataclass(frozen=True, kw_only=True)
class CorpusPlan:
    """Everything that makes one corpus differ from another."""

    kind: str
    """What it is, as in ``"maskmix"``."""
    title: str
    """First words of the report."""
    settings: CorpusSettings
    inputs: Mapping[str, str]
    """Name to fingerprint; a corpus is resumed with the same inputs only."""
    schema: Schema
    chips: Iterable[CorpusChip]
    """In the order of the store; taken one at a time, and only when the data set is new."""
    make: Callable[[Batch], Iterable[MadeChip]]
    """A function of a module, since workers import it: one result a chip, in order."""
    shared: Any = None
    """Handed to every task; small."""
    subtitle: str = ""
    licence: str = "other"
    sources: tuple[SourceRow, ...] = ()
    histograms: tuple[Histogram, ...] = ()
    sheet: str = ""
    """Column that marks the chips to show first."""
    finish: Callable[[Desk], tuple[Table, ...]] | None = None
    """Writes what goes beside the store, once its chips can be read; returns tables for the report. May be repeated."""
    derived_from: Mapping[str, str] = field(default_factory=dict)
    """Title of a data set that this one is made from to the address of its collection, relative to ``settings.out``."""
    synthetic: bool = False
    """True where a model makes the chips."""
    check: Callable[[JournalView], Mapping[str, str]] | None = None
    """Looks at what all chips together have become, before the seal: chips to leave out after all, by name with the
    reason. Raises BuildError where they must not be. May be repeated."""

    def __post_init__(self) -> None:
        signed = [href for href in self.derived_from.values() if "?" in href]
        if signed:
            raise ValueError("an address that may be signed must not be published")
