"""Crosswalks: what a code of another land-cover map is in Dynamic World numbering.

Each coding is one YAML table in ``catalogs/crosswalks``, and a value that its table does not name is an
error: two codings that are mixed up look like a plausible map. A table may also tell the colour of a
class, and the colour that stands for it in masks that are stored as pictures.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, Self

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from rsprep.dynamic_world import CLASSES, COLOURS, NODATA
from rsprep.errors import CatalogError, RasterError
from rsprep.resources import shipped
from rsprep.strict_yaml import load_yaml

FOLDER = "catalogs/crosswalks"
Code = Annotated[int, Field(ge=0, le=255)]
_UNKNOWN = -1
_UNMAPPED = -2
_SPARE_COLOURS: Final = ("#7f5fa8", "#c7782e", "#4d8f8b", "#a8466b", "#6f7d3a", "#3f6fb5", "#b5952f", "#8a8a8a")
"""For classes whose table names no colour, in turn."""


class Closed(BaseModel):
    """Part of a crosswalk file; frozen, and closed to unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CodedClass(Closed):
    """One code of the other map."""

    code: Code
    name: str
    dynamic_world: Code | None = None
    """0 to 8; 255 where the code is no observation of the ground; null where no one class of it says the same."""
    colour: str = Field("", pattern="^(#[0-9a-fA-F]{6})?$")
    """``#rrggbb`` to draw the class with; empty where the table names none."""
    palette: tuple[Code, Code, Code] | None = None
    """Red, green and blue that stand for the class in masks stored as colour pictures."""

    @property
    def is_unknown(self) -> bool:
        """True where the code is no observation of the ground."""
        return self.dynamic_world == NODATA


class Crosswalk(Closed):
    """A coding and its way to Dynamic World numbering and back."""

    name: str
    title: str
    source: str
    licence: str
    note: str = ""
    classes: tuple[CodedClass, ...] = Field(min_length=1)
    back: dict[Code, Code] = Field(default_factory=dict)
    """Dynamic World class to code, where no code or more than one leads there."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        codes = [one.code for one in self.classes]
        if len(set(codes)) != len(codes):
            raise ValueError("a code is listed twice")
        targets = [*(one.dynamic_world for one in self.classes if one.dynamic_world is not None), *self.back]
        wrong = [target for target in targets if target >= len(CLASSES) and target != NODATA]
        if wrong:
            raise ValueError(f"{wrong[0]} is no Dynamic World class; use 0 to 8, or {NODATA}")
        if not set(self.back.values()) <= set(codes):
            raise ValueError("back leads to a code that is not listed")
        palette = [one.palette for one in self.classes if one.palette is not None]
        if len(set(palette)) != len(palette):
            raise ValueError("two codes have the same palette colour")
        return self

    @property
    def palette(self) -> dict[tuple[int, int, int], int]:
        """Red, green and blue to code; empty where masks are never stored as colour pictures."""
        return {one.palette: one.code for one in self.classes if one.palette is not None}

    @property
    def known(self) -> tuple[CodedClass, ...]:
        """The classes that are an observation of the ground."""
        return tuple(one for one in self.classes if not one.is_unknown)

    @property
    def unknown_codes(self) -> tuple[int, ...]:
        """Codes that are no observation of the ground."""
        return tuple(one.code for one in self.classes if one.is_unknown)

    @property
    def unmapped(self) -> tuple[CodedClass, ...]:
        """Classes that no one class of Dynamic World stands for."""
        return tuple(one for one in self.classes if one.dynamic_world is None)

    @property
    def colours(self) -> dict[int, str]:
        """A colour for every code: its own, its palette's, that of its Dynamic World class, or a spare one."""
        found = {}
        for index, one in enumerate(self.classes):
            spare = _SPARE_COLOURS[index % len(_SPARE_COLOURS)]
            if one.palette is not None:
                spare = "#{:02x}{:02x}{:02x}".format(*one.palette)
            elif one.dynamic_world is not None:
                spare = "#000000" if one.is_unknown else COLOURS[one.dynamic_world]
            found[one.code] = one.colour or spare
        return found

    @property
    def forward_table(self) -> NDArray[np.int16]:
        """(256,) code to Dynamic World class; −1 where the coding has no such code, −2 where the class has none."""
        table = np.full(256, _UNKNOWN, np.int16)
        for one in self.classes:
            table[one.code] = _UNMAPPED if one.dynamic_world is None else one.dynamic_world
        return table

    @property
    def back_table(self) -> NDArray[np.int16]:
        """(256,) Dynamic World class to code; −1 where the coding has no code for it."""
        table = np.full(256, _UNKNOWN, np.int16)
        for target in (*range(len(CLASSES)), NODATA):
            codes = [one.code for one in self.classes if one.dynamic_world == target]
            if target in self.back:
                table[target] = self.back[target]
            elif len(codes) == 1:
                table[target] = codes[0]
        return table

    def to_dynamic_world(
        self, labels: NDArray[np.integer[Any]], valid: NDArray[np.bool_] | None = None
    ) -> NDArray[np.uint8]:
        """Labels of any shape in this coding as Dynamic World labels, nodata 255.

        Parameters
        ----------
        labels : integers.
        valid : of the same shape; where it is False the value is not looked at and becomes 255.

        Raises
        ------
        RasterError
            For a value that the coding does not have, and for a class that Dynamic World does not have.
        """
        return self._look_up(labels, valid, self.forward_table, NODATA)

    def from_dynamic_world(self, labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Dynamic World labels in this coding; raises RasterError for a class that it cannot express."""
        return self._look_up(labels, None, self.back_table, _UNKNOWN)

    def _look_up(
        self, labels: NDArray[Any], valid: NDArray[np.bool_] | None, table: NDArray[np.int16], fill: int
    ) -> NDArray[np.uint8]:
        if labels.dtype.kind not in "ui":
            raise RasterError(
                "not-integer", "land-cover codes are integers", value=str(labels.dtype), remedy="read classes as stored"
            )
        # Codes beyond the table are looked up at an index that is known to be in it, then marked.
        inside = (labels >= 0) & (labels <= 255)
        found = np.where(inside, table[np.where(inside, labels, 0)], _UNKNOWN)
        if valid is not None:
            found = np.where(valid, found, fill)
        wrong = found == _UNKNOWN
        if wrong.any():
            raise RasterError(
                "unknown-class",
                f"the coding {self.name!r} has no such land-cover class",
                value=int(labels[wrong].flat[0]),
                remedy=f"name the right crosswalk in the source definition; there are {', '.join(list_crosswalks())}",
            )
        if (found == _UNMAPPED).any():
            raise RasterError(
                "unmapped-class",
                f"no one Dynamic World class stands for this class of {self.name!r}",
                value=int(labels[found == _UNMAPPED].flat[0]),
                remedy="use a land-cover source whose every class has one; see catalogs/crosswalks",
            )
        return found.astype(np.uint8)


def list_crosswalks() -> list[str]:
    """Names of the crosswalks that come with rsprep, sorted."""
    return sorted(path.stem for path in shipped(FOLDER).glob("*.yaml"))


@cache
def load_crosswalk(name: str) -> Crosswalk:
    """Load a shipped crosswalk by name (``"io-lulc-v2"``); raises CatalogError if there is none, or it is damaged."""
    if name not in list_crosswalks():
        raise CatalogError(
            "bad-crosswalk",
            "there is no such land-cover crosswalk",
            value=name,
            remedy=f"known crosswalks: {', '.join(list_crosswalks())}",
        )
    path = shipped(FOLDER) / f"{name}.yaml"
    try:
        return Crosswalk.model_validate(load_yaml(path.read_text(encoding="utf-8")))
    except (yaml.YAMLError, ValidationError) as error:
        raise CatalogError(
            "damaged-crosswalk",
            f"the crosswalk file cannot be used: {error}",
            value=str(path),
            remedy="reinstall rsprep",
        ) from None


def read_crosswalk(path: Path) -> Crosswalk:
    """Read a class table that a user wrote; raises CatalogError where the file is absent or says something else."""
    try:
        return Crosswalk.model_validate(load_yaml(path.read_text(encoding="utf-8")))
    except OSError as error:
        cause = f"the class table cannot be read: {error.strerror}"
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        cause = f"the class table is not YAML: {' '.join(str(error).split())}"
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        cause = f"the class table cannot be used: {where + ': ' if where else ''}{message}"
    raise CatalogError(
        "bad-class-table",
        cause,
        value=str(path),
        remedy=f"write it like those in {FOLDER}, or name one of them: {', '.join(list_crosswalks())}",
    )
