"""What a batch holds: one named tensor a field, and what its numbers mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

Kind = Literal["optical", "radar", "terrain", "classes", "mask", "scene", "place"]
"""A ``scene`` is one class a chip, and a ``place`` says which ground it shows; all others have pixels."""
IGNORE = 255
"""Class index of pixels, and of scenes, whose class is unknown."""


_VISIBLE = (("B04", "B03", "B02"), ("red", "green", "blue"), ("R", "G", "B"))
"""Names that red, green and blue go by."""


def visible(bands: Sequence[str] | None) -> tuple[int, int, int] | None:
    """Positions of red, green and blue among `bands`, by their names; None where they are not all there."""
    found = tuple(bands or ())
    for names in _VISIBLE:
        if set(names) <= set(found):
            red, green, blue = (found.index(name) for name in names)
            return red, green, blue
    return None


@dataclass(frozen=True, kw_only=True)
class Field:
    """One variable of a chip store, or some of its bands, as a model sees it."""

    name: str
    """What it is to the model: ``image``, ``label``, ``landcover``, ``radar``, ``terrain``, ``scene``."""
    variable: str
    """Name of the variable in the store: ``s2``; of a scene or place, of the column with its name."""
    kind: Kind
    bands: tuple[str, ...] | None = None
    """Bands that are taken, in this order; None for a variable without a band axis."""
    classes: tuple[str, ...] = ()
    """Names of the classes, scenes or places, by index; empty for any other kind."""
    codes: tuple[int, ...] = ()
    """Code in the store of each class; codes that are not listed are unknown. Of scenes and places 0, 1, 2 …"""

    def __post_init__(self) -> None:
        if (self.kind in ("classes", "scene", "place")) != bool(self.classes) or len(self.classes) != len(self.codes):
            raise ValueError(f"field {self.name}: classes and codes go together, and with classes and scenes only")
        if len(self.classes) > IGNORE and self.kind != "place":
            raise ValueError(f"field {self.name}: at most {IGNORE} classes, got {len(self.classes)}")

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            name=record["name"],
            variable=record["variable"],
            kind=record["kind"],
            bands=None if record["bands"] is None else tuple(record["bands"]),
            classes=tuple(record["classes"]),
            codes=tuple(record["codes"]),
        )
